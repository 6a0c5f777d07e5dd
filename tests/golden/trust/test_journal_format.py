"""The journal's bytes, as docs/formats/journal.md writes them, worked out without our code."""

import hashlib
import json

import pytest

from mingwu.trust.journal import Entry, entry_hash

FIELDS = {
    "number": 7,
    "at_ns": 1_800_000_000_123_456_789,
    "actor": "安",
    "action": "registry.import",
    "object": 's1 "x" \\ /',
    "outcome": "ok",
    "address": "2001:db8::1",
    "detail": '{"a":1,"zh":"压铸机"}',
    "digest": "sha256",
    "previous": "0" * 64,
}
EXPECTED = {
    "sha256": "83ea677ece21a5f4a81eccaedb7368e20023f9f650d283d5b6c64fe81fa4eb0b",
    "sm3": "3d4e22302101003c1e24961f8015d0f02a246d25898fd4e9dcae1f517012bbab",
}


@pytest.mark.parametrize("digest", list(EXPECTED))
def test_the_hash_never_changes(digest):
    fields = FIELDS | {"digest": digest}
    assert entry_hash(Entry(**fields, hash="")) == EXPECTED[digest]


def test_anybody_can_check_it():
    data = json.dumps(list(FIELDS.values()), ensure_ascii=False, separators=(",", ":")).encode()
    assert hashlib.sha256(data).hexdigest() == EXPECTED["sha256"]
