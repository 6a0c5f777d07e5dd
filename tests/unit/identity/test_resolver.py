"""What requests are answered, by the short way and the long way alike."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mingwu.identity.records import Record
from mingwu.wire.handle.bodies import ErrorBody, OneHandle, Referral, Resolve, read_body
from mingwu.wire.handle.codes import MAX_VALUES, DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.message import Message, decode, encode, request_digest, split_digest
from mingwu.wire.handle.site import Server, Site, encode_site, pack_address, read_site
from mingwu.wire.handle.values import HandleValue

PART = "88.888.101/Part.7"
CASTER = "88.888.101/DEV.DCM2500.01"


def ask(resolver, name, indexes=(), types=(), *, flags=OpFlag.PUBLIC_ONLY, **more):
    message = Message(
        op=Op.RESOLVE, body=Resolve(name, indexes, types).encode(), flags=flags, request_id=5,
        **more,
    )  # fmt: skip
    reply = decode(resolver.answer(encode(message)))
    assert reply.request_id == 5
    assert reply.op == Op.RESOLVE
    return reply


def indexes_of(reply):
    assert reply.rc == Rc.SUCCESS, read_body(reply)
    return [value.index for value in read_body(reply).values]


def test_all_public_values_and_the_name_as_asked(resolver):
    reply = ask(resolver, "88.888.101/part.7")
    assert read_body(reply).handle == "88.888.101/part.7"
    assert indexes_of(reply) == [1, 2, 3]
    assert reply.flags & OpFlag.AUTHORITATIVE
    assert reply.flags & OpFlag.PUBLIC_ONLY


@pytest.mark.parametrize(
    ("indexes", "types", "expected"),
    [
        ((2,), (), [2]),
        ((), ("url",), [1]),
        ((), ("DESC.",), [2, 3]),
        ((1,), ("DESC.en",), [1, 3]),
        ((1, 999), (), [1]),
    ],
)
def test_selection_by_index_and_type(resolver, indexes, types, expected):
    assert indexes_of(ask(resolver, PART, indexes, types)) == expected


def test_codes_of_absence(resolver):
    assert ask(resolver, PART, (77,)).rc == Rc.VALUES_NOT_FOUND
    assert ask(resolver, "88.888.101/none").rc == Rc.HANDLE_NOT_FOUND
    assert ask(resolver, "10.1000/182").rc == Rc.NOT_RESPONSIBLE
    assert ask(resolver, "no-slash").rc == Rc.NOT_RESPONSIBLE


def test_restricted_values_need_authentication_unless_public_only(resolver):
    assert ask(resolver, PART, flags=0).rc == Rc.AUTHENTICATION_NEEDED
    assert ask(resolver, PART, (300,), flags=0).rc == Rc.AUTHENTICATION_NEEDED
    assert ask(resolver, PART, (300,)).rc == Rc.VALUES_NOT_FOUND
    assert indexes_of(ask(resolver, PART, (1,), flags=0)) == [1]


def test_live_values_are_computed_when_asked(resolver, live):
    reply = ask(resolver, CASTER, (), ("MW.LIVE.",))
    values = {value.type: value for value in read_body(reply).values}
    temperature = values["MW.LIVE.die_temperature"]
    assert (temperature.index, temperature.ttl) == (100_007, 1)
    assert json.loads(temperature.data) == {
        "tag": "die_temperature", "value": 201.5, "unit": "Cel",
        "time": "2026-09-21T14:13:20.123Z", "quality": "good", "simulated": True,
    }  # fmt: skip
    assert json.loads(values["MW.LIVE.shots"].data)["value"] == 48211
    live.values[7] = (float("nan"), 1, 0x06)
    later = read_body(ask(resolver, CASTER, (100_007,))).values[0]
    assert json.loads(later.data)["value"] is None
    assert json.loads(later.data)["quality"] == "bad"


def test_a_tag_that_never_reported_says_so(resolver, live):
    live.values.clear()
    data = json.loads(read_body(ask(resolver, CASTER, (100_008,))).values[0].data)
    assert (data["value"], data["time"], data["quality"]) == (None, None, "bad")


def test_prefix_handle_names_this_site(resolver):
    reply = ask(resolver, "0.na/88.888.101", (), ("HS_SITE",))
    site = read_site(read_body(reply).values[0].data)
    assert site.servers[0].host == "127.0.0.1"


def test_site_info(resolver):
    reply = decode(resolver.answer(encode(Message(op=Op.SITE_INFO, body=OneHandle("/").encode()))))
    assert read_site(read_body(reply).site) == resolver.site


def test_delegated_prefixes_are_referred(resolver, store):
    site = encode_site(Site((Server(1, pack_address("192.0.2.9")),)))
    store.put(Record("0.NA/88.888.205", (HandleValue(2, "HS_SITE", site),)))
    resolver.end()
    resolver.begin()
    reply = ask(resolver, "88.888.205/SPARE.1")
    assert reply.rc == Rc.SERVICE_REFERRAL
    body = read_body(reply)
    assert isinstance(body, Referral)
    assert body.handle == "0.NA/88.888.205"
    assert body.values[0].data == site
    assert ask(resolver, "88.888.205/X", flags=OpFlag.NO_REFERRAL).rc == Rc.NOT_RESPONSIBLE
    old = {"version": (2, 3), "suggested": (0, 0)}
    assert ask(resolver, "88.888.205/X", **old).rc == Rc.SERVICE_REFERRAL


def test_prefixes_of_hundreds_of_parts_cost_no_hundreds_of_looks(resolver, store):
    site = encode_site(Site((Server(1, pack_address("192.0.2.9")),)))
    store.put(Record("0.NA/88.888.205", (HandleValue(2, "HS_SITE.PREFIX", site),)))
    resolver.end()
    resolver.begin()
    looked = []
    get = resolver.snapshot.get
    resolver.snapshot.get = lambda key: looked.append(key) or get(key)
    reply = ask(resolver, "88.888.205" + ".1" * 700 + "/X")
    assert reply.rc == Rc.SERVICE_REFERRAL
    assert read_body(reply).handle == "0.NA/88.888.205"
    assert len(looked) < 40
    deep = ".".join(["9"] * 33)
    store.put(Record(f"0.NA/{deep}", (HandleValue(2, "HS_SITE.PREFIX", site),)))
    resolver.end()
    resolver.begin()
    assert read_body(ask(resolver, f"{deep}.9.9/X")).handle == f"0.NA/{deep}"


def test_records_of_derived_prefixes_are_referred_by_another_code(resolver, store):
    """Deployed clients follow code 303 for records of prefixes only, and 302 for names only."""
    site = encode_site(Site((Server(1, pack_address("192.0.2.9")),)))
    store.put(Record("0.NA/88.888.205", (HandleValue(2, "HS_SITE.PREFIX", site),)))
    resolver.end()
    resolver.begin()
    for name in ("0.NA/88.888.205.7", "88.888.205.7"):
        reply = ask(resolver, name)
        assert reply.rc == Rc.PREFIX_REFERRAL
        assert read_body(reply).values[0].type == "HS_SITE.PREFIX"
        assert ask(resolver, name, flags=OpFlag.NO_REFERRAL).rc == Rc.NOT_RESPONSIBLE
        old = {"version": (2, 3), "suggested": (0, 0)}
        assert ask(resolver, name, **old).rc == Rc.NOT_RESPONSIBLE
        national = {"version": (2, 3), "suggested": (2, 10)}
        assert ask(resolver, name, **national).rc == Rc.PREFIX_REFERRAL
    assert ask(resolver, "88.888.205.7/X").rc == Rc.SERVICE_REFERRAL


def test_a_prefix_without_a_slash_means_its_record(resolver):
    reply, record = ask(resolver, "88.888.101"), ask(resolver, "0.NA/88.888.101")
    assert reply.rc == Rc.SUCCESS
    assert read_body(reply).handle == "88.888.101"
    assert read_body(reply).values == read_body(record).values
    assert ask(resolver, "88.999").rc == Rc.NOT_RESPONSIBLE
    assert ask(resolver, "").rc == Rc.NOT_RESPONSIBLE


def test_request_digest_is_returned_when_asked_for(resolver):
    flags = OpFlag.REQUEST_DIGEST | OpFlag.PUBLIC_ONLY
    message = Message(op=Op.RESOLVE, body=Resolve(PART).encode(), flags=flags)
    reply = decode(resolver.answer(encode(message)))
    digest, _ = split_digest(reply)
    assert digest == request_digest(message)
    assert indexes_of(reply) == [1, 2, 3]


@pytest.mark.parametrize("kinds", [(), ("DESC.",)])
@pytest.mark.parametrize(
    ("version", "suggested", "spoken"),
    [
        ((2, 1), (0, 0), (2, 1)),
        ((2, 10), (0, 0), (2, 10)),
        ((2, 3), (2, 10), (2, 10)),  # the national clients
        ((2, 1), (2, 11), (2, 11)),
        ((2, 11), (2, 4), (2, 4)),
        ((2, 11), (2, 12), (2, 11)),
        ((2, 3), (1, 5), (2, 11)),
        ((2, 3), (2, 0), (2, 11)),
        ((2, 0), (0, 0), (2, 11)),
        ((3, 0), (3, 0), (2, 11)),
        ((5, 0), (0, 0), (2, 11)),
    ],
)
def test_replies_speak_the_version_that_is_suggested(resolver, version, suggested, spoken, kinds):
    """As the reference server does; its clients and the national ones rely on it."""
    for flags in (OpFlag.PUBLIC_ONLY, OpFlag.PUBLIC_ONLY | OpFlag.REQUEST_DIGEST):
        reply = ask(resolver, PART, types=kinds, version=version, suggested=suggested, flags=flags)
        assert (reply.version, reply.suggested) == (spoken, (2, 11))
    digest, _ = split_digest(reply)
    assert digest[0] == (DigestAlgorithm.SHA256 if spoken >= (2, 7) else DigestAlgorithm.SHA1)


def test_what_is_broken_is_refused_in_the_version_suggested(resolver):
    whole = encode(Message(op=1, body=Resolve(PART).encode(), version=(2, 3), suggested=(2, 10)))
    for data in (whole[:50], whole[:-1] + b"\xff\xff"):
        reply = decode(resolver.answer(data))
        assert (reply.rc, reply.version) == (Rc.PROTOCOL_ERROR, (2, 10))


def test_versions_of_all_values(resolver):
    reply = ask(resolver, PART, version=(2, 1), suggested=(0, 0))
    assert (reply.version, reply.suggested) == ((2, 1), (2, 11))
    assert indexes_of(reply) == [1, 2, 3]


@pytest.mark.parametrize("version", [(2, 1), (2, 11)])
@pytest.mark.parametrize("suggested", [(0, 0), (2, 10), (2, 12), (1, 1), (3, 0)])
@pytest.mark.parametrize("name", [PART, PART.upper(), "0.NA/88.888.101", CASTER, "88.888.101/no"])
def test_the_short_way_says_what_the_long_way_says(resolver, version, suggested, name):
    flags = OpFlag.PUBLIC_ONLY | OpFlag.KEEP_ALIVE | OpFlag.RECURSIVE
    request = Message(op=1, body=Resolve(name).encode(), flags=flags, version=version,
                      suggested=suggested, request_id=9)  # fmt: skip
    assert decode(resolver.answer(encode(request))) == resolver.reply(decode(encode(request)))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([PART, CASTER, "0.NA/88.888.101"]),
    st.lists(st.sampled_from([1, 2, 3, 100, 300, 100_007, 0, 2**32 - 1]), max_size=3),
    st.lists(
        st.sampled_from(["URL", "url", "DESC.", "desc.ZH", "MW.LIVE.", "HS_SECKEY", ".", "", "é."]),
        max_size=3,
    ),
    st.sampled_from([0, int(OpFlag.PUBLIC_ONLY)]),
)
def test_both_ways_select_the_same(resolver, name, indexes, types, flags):
    body = Resolve(name, tuple(indexes), tuple(types)).encode()
    request = Message(op=1, body=body, flags=flags, request_id=9)
    assert decode(resolver.answer(encode(request))) == resolver.reply(decode(encode(request)))


def test_a_request_without_credential_section_is_whole(resolver):
    data = encode(Message(op=1, body=Resolve(PART).encode(), flags=OpFlag.PUBLIC_ONLY))
    bare = data[:16] + (len(data) - 24).to_bytes(4) + data[20:-4]
    assert decode(resolver.answer(bare)).rc == Rc.SUCCESS


def test_unknown_operations_and_replies(resolver):
    reply = decode(resolver.answer(encode(Message(op=9999, request_id=3))))
    assert (reply.rc, reply.op, reply.request_id) == (Rc.NOT_SUPPORTED, 9999, 3)
    assert isinstance(read_body(reply), ErrorBody)


def test_replies_are_met_with_silence(resolver):
    """Else two servers, given one's address as the other's, would refuse each other for ever."""
    question = Message(op=1, body=Resolve(PART).encode(), flags=OpFlag.PUBLIC_ONLY)
    for data in (encode(Message(op=1, rc=1)), encode(replace(question, rc=4))):
        assert resolver.answer(data) == resolver.answer_now(data) == b""
    for data in (encode(question), encode(question)[:40], encode(replace(question, op=77))):
        reply = resolver.answer(data)
        assert decode(reply).rc
        assert resolver.answer(reply) == b""


def test_long_lists_of_indexes_and_types(resolver, store):
    values = tuple(HandleValue(1 + i, f"T.{i}", b"x") for i in range(MAX_VALUES))
    store.put(Record("88.888.101/WIDE", values))
    resolver.end()
    resolver.begin()

    def asked(indexes=(), types=()):
        body = Resolve("88.888.101/WIDE", indexes, types).encode()
        return decode(resolver.answer(encode(Message(op=1, body=body, flags=OpFlag.PUBLIC_ONLY))))

    whole = tuple(range(1, MAX_VALUES + 1))
    assert len(read_body(asked(whole)).values) == MAX_VALUES
    types = tuple(f"t.{i}." for i in range(MAX_VALUES))
    assert len(read_body(asked((), types)).values) == MAX_VALUES
    for indexes, types in (((*whole, 1), ()), ((), ("",) * (MAX_VALUES + 1))):
        reply = asked(indexes, types)
        assert reply.rc == Rc.PROTOCOL_ERROR
        assert "limit 2048" in read_body(reply).message


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 255))
def test_anything_is_answered_or_met_with_silence(resolver, garbage, at, byte):
    good = bytearray(encode(Message(op=1, body=Resolve(PART).encode(), flags=OpFlag.PUBLIC_ONLY)))
    good[at % len(good)] = byte
    for data in (garbage, bytes(good), bytes(good)[: at % len(good)]):
        reply = resolver.answer(data)
        assert reply == b"" or decode(reply).rc >= 1


def test_names_with_markup_come_back_as_they_are(resolver, store):
    store.put(Record("88.888.101/<script>alert(1)</script>';--", (HandleValue(1, "X", b"<b>"),)))
    resolver.end()
    resolver.begin()
    reply = ask(resolver, "88.888.101/<script>alert(1)</script>';--")
    assert read_body(reply).values[0].data == b"<b>"


def test_a_prefix_over_its_quota_is_refused_until_it_is_not(resolver, store):
    store.refuse(["88.888.101"])
    assert ask(resolver, PART).rc == Rc.SUCCESS  # whoever answers follows now and then
    store.follow_refused()
    assert ask(resolver, PART).rc == Rc.IDIS_DAILY_LIMIT
    assert ask(resolver, PART.lower(), types=("URL",)).rc == Rc.IDIS_DAILY_LIMIT
    assert ask(resolver, "88.888.101/never heard of").rc == Rc.IDIS_DAILY_LIMIT
    assert ask(resolver, "0.NA/88.888.101").rc == Rc.SUCCESS
    store.refuse([])
    store.follow_refused()
    assert ask(resolver, PART).rc == Rc.SUCCESS
