"""The real signatures of the Handle root verify, by us and by an independent library."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import RSAKey

from mingwu.identity.trusted import jws
from mingwu.identity.trusted.verdict import Reason, Verdict
from mingwu.identity.trusted.verifying import Anchor, verify
from mingwu.wire.handle.jsonform import value_from_json

FILE = Path(__file__).parents[1] / "handle" / "root-records.json"
DATA = json.loads(FILE.read_text())
RECORDS = {
    handle: tuple(value_from_json(value, 0) for value in record["values"])
    for handle, record in DATA["handles"].items()
}
# When the set was published; its signatures ended in 2021 at the latest.
PUBLISHED = DATA["lastUpdate"] / 1000


def certificate(handle):
    value = next(v for v in RECORDS[handle] if v.type == "HS_CERT")
    return jws.parse(value.data)


ANCHOR = Anchor("301:0.0/0.0", jws.key_from_jwk(certificate("0.0/0.0").claims.public_key))


def verdict(handle, values=None, anchors=(ANCHOR,), now=PUBLISHED):
    return verify(handle, values or RECORDS[handle], anchors, RECORDS.get, now)


@pytest.mark.parametrize("handle", RECORDS)
def test_root_record_is_trusted_when_published(handle):
    report = verdict(handle)
    assert report.verdict is Verdict.TRUSTED, report
    assert [link.issuer for link in report.chain] == ["301:0.NA/0.NA", "301:0.0/0.0"]
    assert report.uncovered + report.changed + report.absent == ()


def test_signatures_hold_for_an_independent_library():
    checked = 0
    key = RSAKey.import_key(certificate("0.NA/0.NA").claims.public_key)
    for values in RECORDS.values():
        for value in values:
            if value.type == "HS_SIGNATURE":
                read = joserfc_jws.deserialize_compact(value.data, key, algorithms=["RS256"])
                assert jws.parse(value.data).claims.sub == json.loads(read.payload)["sub"]
                checked += 1
    assert checked == 11


def test_years_later_it_is_expired():
    assert verdict("0.GHR/20", now=1_790_000_000).verdict is Verdict.EXPIRED


def test_without_the_anchor_it_is_of_an_unknown_one():
    report = verdict("0.GHR/86", anchors=())
    assert (report.verdict, report.reason) == (Verdict.UNKNOWN_ANCHOR, Reason.ANCHOR_UNKNOWN)


def test_another_key_at_the_anchor_is_noticed():
    other = Anchor("301:0.0/0.0", jws.key_from_jwk(certificate("0.NA/0.NA").claims.public_key))
    assert not verdict("0.GHR/86", anchors=(other,)).is_trusted


def test_a_changed_address_is_tampering():
    values = tuple(
        replace(v, data=v.data[:-1] + b"!") if v.type == "URL" else v for v in RECORDS["0.GHR/86"]
    )
    report = verdict("0.GHR/86", values)
    assert (report.verdict, report.changed) == (Verdict.TAMPERED, (2,))


def test_the_bytes_of_a_signature_are_plain_base64url():
    value = next(v for v in RECORDS["0.GHR/86"] if v.type == "HS_SIGNATURE")
    assert len(base64.urlsafe_b64decode(value.data.split(b".")[2] + b"==")) == 256
