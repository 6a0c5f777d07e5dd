"""Any bytes decode or raise ProtocolError; whatever we encode we decode to the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mingwu.wire.handle import bodies, jsonform, keys
from mingwu.wire.handle.admin import Admin, encode_admin, read_admin
from mingwu.wire.handle.codes import MAX_VALUES
from mingwu.wire.handle.envelope import Reassembly, read_envelope, split
from mingwu.wire.handle.errors import MessageTooLarge, ProtocolError
from mingwu.wire.handle.message import Credential, Message, decode, encode, message_length
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address, read_site
from mingwu.wire.handle.values import (
    HandleValue,
    Reference,
    encode_value,
    read_value,
    read_values,
    type_matches,
    values,
)

u32 = st.integers(0, 2**32 - 1)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
references = st.tuples() | st.tuples(st.builds(Reference, words, u32))
handle_values = st.builds(
    HandleValue,
    index=st.integers(1, 2**31 - 1),
    type=words,
    data=st.binary(max_size=64),
    ttl=u32,
    ttl_absolute=st.booleans(),
    timestamp=u32,
    permissions=st.integers(0, 15),
    references=references,
)
credentials = st.none() | st.builds(
    Credential,
    handle=words,
    counter=u32,
    type=words,
    digest=words,
    signature=st.binary(max_size=40),
    version=st.integers(0, 255),
    flags=st.integers(0, 65535),
)
messages = st.builds(
    Message,
    op=u32,
    rc=u32,
    flags=u32,
    body=st.binary(max_size=200),
    version=st.tuples(st.integers(0, 255), st.integers(0, 255)),
    suggested=st.tuples(st.integers(0, 3), st.integers(0, 255)),
    session_id=u32,
    request_id=u32,
    site_serial=st.integers(0, 65535),
    recursion=st.integers(0, 255),
    expiration=u32,
    credential=credentials,
)


@given(messages)
def test_messages_round_trip(message):
    assert decode(encode(message)) == message


@given(st.binary(max_size=300))
@example(b"\x02\x0b\x02\x0b" + b"\0" * 12 + b"\0\0\0\x18" + b"\0" * 24)
def test_any_bytes_decode_or_are_refused(data):
    try:
        bodies.read_body(decode(data))
    except ProtocolError:
        return


@given(st.sampled_from([*bodies.REQUESTS]), st.integers(0, 600), st.binary(max_size=120))
def test_any_body_decodes_or_is_refused(op, rc, body):
    try:
        bodies.read_body(decode(encode(Message(op=op, rc=rc, body=body))))
    except ProtocolError:
        return


@given(messages, st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_is_never_more_than_a_protocol_error(message, at, byte):
    data = bytearray(encode(message))
    data[at % len(data)] = byte
    try:
        bodies.read_body(decode(bytes(data)))
    except ProtocolError:
        return


@given(messages, st.integers(64, 600), st.randoms(use_true_random=False))
def test_split_messages_come_together_in_any_order(message, size, random):
    data = encode(message)
    packets = split(data, size)
    assert all(len(packet) <= size for packet in packets)
    random.shuffle(packets)
    reassembly = Reassembly()
    whole = [reassembly.feed(packet) for packet in packets]
    assert whole[-1] == data
    assert whole[:-1] == [None] * (len(packets) - 1)


def test_deployed_split_of_3006_bytes_is_seven_packets():
    message = Message(op=1, rc=1, body=bytes(3006 - 48))
    assert len(encode(message)) == 3006
    packets = split(encode(message))
    assert len(packets) == 7
    assert {read_envelope(packet).length for packet in packets} == {2986}
    assert [read_envelope(packet).sequence for packet in packets] == list(range(7))


@given(st.lists(st.binary(max_size=600), max_size=6))
def test_reassembly_survives_garbage(packets):
    reassembly = Reassembly(10_000)
    for packet in packets:
        try:
            reassembly.feed(packet)
        except ProtocolError:
            continue


def test_oversized_messages_are_refused_by_their_announcement():
    with pytest.raises(MessageTooLarge):
        message_length(b"\2\13\2\13" + bytes(12) + b"\xff\xff\xff\xff", 1000)
    packet = b"\2\13\x22\13" + bytes(12) + b"\xff\xff\xff\xff" + b"x"
    with pytest.raises(MessageTooLarge):
        Reassembly(1000).feed(packet)


@given(st.lists(handle_values, max_size=4))
def test_values_round_trip(items):
    assert read_values(Reader(values(items))) == tuple(items)


@given(handle_values)
def test_values_round_trip_through_json(value):
    # ISO times end with year 9999; absolute ttls beyond are not of this protocol's 32 bits.
    text = json.dumps(jsonform.value_to_json(value))
    back = jsonform.value_from_json(json.loads(text), 0)
    if value.type.upper() in {"HS_PUBKEY", "HS_SITE", "HS_ADMIN"}:
        return
    assert back == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | words,
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(
                        ["index", "type", "data", "format", "value", "ttl", "handle",
                         "permissions", "timestamp", "servers", "references", "kty", "n", "e",
                         "serialNumber", "version", "address", "interfaces", "port", "serverId",
                         "attributes"]),
                        inner | st.sampled_from(["admin", "site", "key", "vlist", "hex", "RSA"]),
                        max_size=6), max_leaves=12))  # fmt: skip
def test_any_json_is_a_value_or_refused(data):
    try:
        jsonform.value_from_json(data if isinstance(data, dict) else {"data": data}, 0)
    except ProtocolError:
        return


SITE = {"servers": [{"serverId": 1, "address": "127.0.0.1", "interfaces": [
    {"query": True, "admin": True, "protocol": "TCP", "port": 2641}]}]}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        {"format": "site", "value": SITE | {"serialNumber": 70_000}},
        {"format": "site", "value": SITE | {"version": -1}},
        {"format": "site", "value": SITE | {"protocolVersion": "2.999"}},
        {"format": "site", "value": {"servers": [{"serverId": 1, "address": "nowhere"}]}},
        {"format": "admin", "value": {"handle": "\ud800", "index": 1}},
        {"format": "admin", "value": {"handle": "a/b", "index": 1, "permissions": "2"}},
        {"format": "key", "value": {"kty": "RSA", "n": "é", "e": "AQAB"}},
        {"format": "hex", "value": "0g"},
    ],
)
def test_typed_json_out_of_range_is_refused(data):
    with pytest.raises(ProtocolError):
        jsonform.data_from_json(data)


@pytest.mark.parametrize("ttl", [float("inf"), float("nan"), "0001-01-01", "x", []])
def test_unusable_ttls_are_refused(ttl):
    with pytest.raises(ProtocolError):
        jsonform.value_from_json({"index": 1, "type": "A", "data": "", "ttl": ttl}, 0)


@given(st.sampled_from([read_admin, read_site, keys.read_key]), st.binary(max_size=120))
def test_typed_data_decodes_or_is_refused(read, data):
    try:
        read(data)
    except ProtocolError:
        return


def test_lying_counts_cost_nothing():
    with pytest.raises(ProtocolError):
        read_values(Reader(b"\x7f\xff\xff\xff" + bytes(100)))
    with pytest.raises(ProtocolError):
        Reader(b"\xff\xff\xff\xff").block()


@given(words, u32, st.integers(0, 0xFFF))
def test_admins_round_trip_and_old_tails_are_accepted(handle, index, rights):
    admin = Admin(handle, index, rights)
    assert read_admin(encode_admin(admin)) == admin
    assert read_admin(encode_admin(admin) + b"\0\0") == admin
    with pytest.raises(ProtocolError):
        read_admin(encode_admin(admin) + b"\0")


@given(st.integers(1, 2**64), st.integers(1, 2**2048))
def test_keys_round_trip_through_jwk(exponent, modulus):
    key = keys.make_key(keys.RSA, e=exponent, n=modulus)
    assert keys.read_key(keys.encode_key(key)) == key
    assert keys.from_jwk(keys.to_jwk(key)) == key
    assert key.numbers() == {"e": exponent, "n": modulus}


def two_servers(**more):
    return Site(
        servers=tuple(
            Server(number, pack_address(host), interfaces=(Interface(3, 1, 2641),))
            for number, host in ((1, "192.0.2.1"), (2, "2001:db8::2"))
        ),
        **more,
    )


def test_sites_round_trip():
    site = two_servers(attributes=(("desc", "甲"),), multi_primary=True, serial=9)
    assert read_site(encode_site(site)) == site
    assert [server.host for server in site.servers] == ["192.0.2.1", "2001:db8::2"]


@pytest.mark.parametrize("option", [0, 1, 2, 7])
def test_partitioned_sites_spread_names_and_ignore_case(option):
    site = two_servers(hash_option=option)
    names = [f"88.{number}/part{number}" for number in range(64)]
    assert {site.server_for(name).id for name in names} == {1, 2}
    assert all(site.server_for(name) == site.server_for(name.upper()) for name in names)


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ("URL", "url", True),
        ("DESC.", "DESC.zh", True),
        ("DESC.", "desc", True),
        ("DESC.", "DESCRIPTION", False),
        ("DESC", "DESC.zh", False),
        ("mw.live.", "MW.LIVE.die_temperature", True),
    ],
)
def test_type_queries(wanted, actual, expected):
    assert type_matches(wanted, actual) is expected


def test_a_value_refers_to_a_bounded_number_of_others():
    value = HandleValue(1, "T", b"", references=(Reference("1/2", 3),) * MAX_VALUES)
    assert read_value(Reader(encode_value(value))) == value
    more = encode_value(replace(value, references=(*value.references, Reference("1/2", 3))))
    with pytest.raises(ProtocolError, match="2049 references"):
        read_value(Reader(more))


@given(handle_values)
def test_encoded_values_keep_their_fixed_places(value):
    data = encode_value(value)
    assert data[:4] == value.index.to_bytes(4)
    assert data[13] == value.permissions
    assert read_value(Reader(data)) == value
