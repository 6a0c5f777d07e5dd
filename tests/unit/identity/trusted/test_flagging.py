"""The flag in replies of the resolver itself."""

import pytest

from mingwu.identity.client.handleclient import request
from mingwu.identity.live import LiveSource
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.process import home_prefixes, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.anchors import StoreVerifier, read_anchors
from mingwu.identity.trusted.flagging import flag_answers
from mingwu.identity.trusted.setup import found
from mingwu.identity.trusted.signing import RecordSigner, sign_due
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.message import decode, encode
from mingwu.wire.handle.values import HandleValue, Reference

PREFIX = "88.888.101"
ASKED, VERIFIED = OpFlag.IDIS_TRUST_ASKED, OpFlag.IDIS_TRUST_VERIFIED


@pytest.fixture(scope="module")
def resolver(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("names"), map_bytes=2**26, durable=False)
    site = site_of(ResolverSettings(), 2641, 8000)
    home_prefixes(store, (PREFIX,), site)
    url = HandleValue(1, "URL", b"https://example.org/1")
    secret = HandleValue(300, "HS_SECKEY", b"hidden", permissions=0x0C)
    live = (LiveSource(index=100_000, number=7, tag="temperature", unit="Cel"),)
    names = ("SIGNED", "LIVE", "CHANGED", "SECRET")
    key = keys.generate(Algorithm.RSA)
    anchors = read_anchors([found(store, PREFIX, keys.generate(Algorithm.RSA), key)])
    for name in names:
        values = (url, secret) if name == "SECRET" else (url,)
        store.put(Record(f"{PREFIX}/{name}", values, live if name == "LIVE" else ()))
    sign_due(store, RecordSigner(Reference(f"0.NA/{PREFIX}", 301), key), PREFIX)
    other = HandleValue(1, "URL", b"https://evil.example/1")
    store.change(
        f"{PREFIX}/CHANGED", lambda record: Record(record.name, (other, *record.values[1:]))
    )
    store.put(Record(f"{PREFIX}/UNSIGNED", (url,)))
    resolver = Resolver(store, site)
    flag_answers(resolver, StoreVerifier(store, anchors))
    resolver.begin()
    yield resolver
    resolver.end()
    store.close()


def ask(resolver, name, *, flags=ASKED | OpFlag.PUBLIC_ONLY, types=()):
    message = request(Op.RESOLVE, Resolve(f"{PREFIX}/{name}", (), types).encode(), flags=flags)
    return decode(resolver.answer(encode(message)))


@pytest.mark.parametrize(
    ("name", "types", "told"),
    [
        ("SIGNED", (), True),
        ("signed", (), True),
        ("LIVE", (), False),
        ("LIVE", ("URL",), True),
        ("CHANGED", (), False),
        ("UNSIGNED", (), False),
        ("SECRET", (), True),
    ],
)
def test_flag(resolver, name, types, told):
    reply = ask(resolver, name, types=types)
    assert reply.rc == Rc.SUCCESS
    assert bool(reply.flags & VERIFIED) is told
    assert read_body(reply).values


def test_who_does_not_ask_is_not_told(resolver):
    assert not ask(resolver, "SIGNED", flags=OpFlag.PUBLIC_ONLY).flags & VERIFIED


def test_unknown_name_is_not_flagged(resolver):
    reply = ask(resolver, "NONE")
    assert reply.rc == Rc.HANDLE_NOT_FOUND
    assert not reply.flags & VERIFIED


def test_flag_with_request_digest(resolver):
    reply = ask(resolver, "SIGNED", flags=ASKED | OpFlag.REQUEST_DIGEST | OpFlag.PUBLIC_ONLY)
    assert reply.flags & VERIFIED
