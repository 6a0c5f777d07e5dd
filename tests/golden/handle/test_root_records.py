"""Our encoding of real records has the digests that the root's signatures claim."""

import base64
import json
from pathlib import Path

import pytest

from mingwu.wire.handle import jsonform
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import encode_value, read_value, value_digest

RECORDS = json.loads((Path(__file__).parent / "root-records.json").read_text())["handles"]


def claims(record):
    for value in record["values"]:
        if value["type"] == "HS_SIGNATURE":
            payload = value["data"]["value"].split(".")[1]
            yield json.loads(base64.urlsafe_b64decode(payload + "=="))["digests"]


@pytest.mark.parametrize("handle", RECORDS)
def test_json_form_round_trips(handle):
    for value in RECORDS[handle]["values"]:
        assert jsonform.value_to_json(jsonform.value_from_json(value, 0)) == value


@pytest.mark.parametrize("handle", RECORDS)
def test_binary_form_round_trips(handle):
    for value in RECORDS[handle]["values"]:
        decoded = jsonform.value_from_json(value, 0)
        assert read_value(Reader(encode_value(decoded))) == decoded


def test_every_signed_digest_is_ours():
    checked = 0
    for record in RECORDS.values():
        values = {v["index"]: jsonform.value_from_json(v, 0) for v in record["values"]}
        for claim in claims(record):
            assert claim["alg"] == "SHA-256"
            for item in claim["digests"]:
                digest = value_digest(values[item["index"]])
                assert base64.b64encode(digest).decode() == item["digest"]
                checked += 1
    assert checked == 75
