"""Signing what is stored, the flag of trusted resolution, founding an anchor."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from mingwu.identity.live import LiveSource
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.trusted.anchors import StoreVerifier, read_anchors
from mingwu.identity.trusted.derived import signer_under
from mingwu.identity.trusted.http import routes
from mingwu.identity.trusted.keeping import keep_signed
from mingwu.identity.trusted.settings import TrustedSettings
from mingwu.identity.trusted.setup import found, signer_of
from mingwu.identity.trusted.signing import sign_due
from mingwu.identity.trusted.verdict import Verdict
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.values import HandleValue, Reference

PREFIX = "88.888.101"
NAME = f"{PREFIX}/DEV.1"


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    store.put(Record(f"0.NA/{PREFIX}", (HandleValue(1, "DESC", b"plant"),)))
    values = (
        HandleValue(1, "URL", b"https://example.org/1"),
        HandleValue(300, "HS_SECKEY", b"hidden", permissions=0x0C),
    )
    live = (LiveSource(index=100_000, number=7, tag="temperature", unit="Cel"),)
    store.put_many([Record(NAME, values, live), Record(f"{PREFIX}/DEV.2", values[:1])])
    yield store
    store.close()


@pytest.fixture
def signer(tmp_path):
    settings = TrustedSettings(issuer=f"301:0.NA/{PREFIX}", key_file=str(tmp_path / "k/key.pem"))
    return signer_of(settings)


@pytest.fixture
def anchors(store, signer):
    return read_anchors([found(store, PREFIX, keys.generate(Algorithm.RSA), signer.key)])


def test_no_issuer_no_signer():
    assert signer_of(TrustedSettings()) is None


def test_key_is_kept(tmp_path, signer):
    settings = TrustedSettings(issuer=f"301:0.NA/{PREFIX}", key_file=str(tmp_path / "k/key.pem"))
    assert signer_of(settings).key.pem() == signer.key.pem()


def test_everything_due_is_signed_once(store, signer, anchors):
    assert sign_due(store, signer, PREFIX) == 3  # two devices and the anchor, by the prefix key
    assert sign_due(store, signer, PREFIX) == 0
    verifier = StoreVerifier(store, anchors)
    for name in (NAME, f"{PREFIX}/DEV.2", f"{PREFIX}/TRUST", f"0.NA/{PREFIX}"):
        assert verifier.report(store.get(name)).is_trusted, name


def test_a_change_makes_it_due_again(store, signer, anchors):
    sign_due(store, signer, PREFIX)
    changed = HandleValue(1, "URL", b"https://example.org/2")
    store.change(NAME, lambda r: replace(r, values=(changed, *r.values[1:])))
    assert not StoreVerifier(store, anchors).report(store.get(NAME)).is_trusted
    assert sign_due(store, signer, PREFIX) == 1


def test_only_where_something_changed_is_judged_again(store, signer, anchors):
    value = HandleValue(1, "URL", b"https://example.org/1")
    store.put_many([Record(f"{PREFIX}/N.{n:05}", (value,)) for n in range(3000)])
    settled: set[bytes] = set()
    assert sign_due(store, signer, PREFIX, settled) == 3003
    assert sign_due(store, signer, PREFIX, settled) == 0  # judged once more: signing changed them
    brief = replace(signer, lifetime_s=100)  # whatever it judges is due
    before = set(settled)
    assert sign_due(store, brief, PREFIX, settled) == 0
    assert settled == before
    changed = HandleValue(1, "URL", b"https://example.org/2")
    store.change(f"{PREFIX}/N.00017", lambda r: replace(r, values=(changed, *r.values[1:])))
    store.put(Record(f"{PREFIX}/N.02500.NEW", (value,)))
    assert 2 <= sign_due(store, brief, PREFIX, settled) <= 2500
    assert len(before & settled) >= len(before) - 2


def test_what_changed_while_it_was_signed_stays_due(store, signer, anchors):
    record = store.get(NAME)
    store.change(NAME, lambda r: replace(r, values=r.values[1:]))
    other = store.get(f"{PREFIX}/DEV.2")
    pairs = [(record, signer.presign(record)), (other, signer.presign(other))]
    assert store.replace_many(pairs) == 1
    assert len(store.get(NAME).values) == 1
    assert sign_due(store, signer, PREFIX) == 2  # the anchor's record too


def test_flag_speaks_for_the_whole_answer(store, signer, anchors):
    sign_due(store, signer, PREFIX)
    verifier, record = StoreVerifier(store, anchors), store.get(NAME)
    assert verifier.answer_verified(record, {1, 400})
    assert verifier.answer_verified(record, {1})  # remembered
    assert not verifier.answer_verified(record, {1, 100_000})  # with a live value
    assert not verifier.answer_verified(record, {1, 300})  # with a restricted one
    assert not StoreVerifier(store, ()).answer_verified(record, {1})


def test_flag_ends_with_the_signature(store, signer, anchors):
    now = signer.now()
    sign_due(store, replace(signer, lifetime_s=100), PREFIX)
    clock = [now]
    verifier, record = StoreVerifier(store, anchors, now=lambda: clock[0]), store.get(NAME)
    assert verifier.answer_verified(record, {1})
    clock[0] = now + 200
    assert not verifier.answer_verified(record, {1})


@pytest.mark.anyio
async def test_verdict_over_http(store, signer, anchors):
    sign_due(store, signer, PREFIX)
    transport = httpx.ASGITransport(Starlette(routes=routes(store, anchors)))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
        body = (await client.get(f"/api/identity/trust/{NAME}?lang=zh")).json()
        assert (body["verdict"], body["verdict_text"]) == ("trusted", "可信")
        assert body["live"] == [100_000]
        missing = await client.get(f"/api/identity/trust/{PREFIX}/NONE")
        assert (missing.status_code, missing.json()["code"]) == (404, "name.unknown")


@pytest.mark.anyio
async def test_what_is_written_later_gets_signed(store, signer, anchors):
    stop = asyncio.Event()
    keeping = asyncio.create_task(
        keep_signed(store, signer, lambda: (PREFIX,), stop, period_s=0.01)
    )
    try:
        store.put(Record(f"{PREFIX}/LATE", (HandleValue(1, "URL", b"https://example.org/9"),)))
        verifier = StoreVerifier(store, anchors)
        async with asyncio.timeout(30):
            while not verifier.report(store.get(f"{PREFIX}/LATE")).is_trusted:
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await keeping


@pytest.mark.anyio
async def test_names_of_a_hosted_prefix_are_signed_as_that_prefix(store, signer, anchors):
    derived = f"{PREFIX}.1016"
    name, home = f"{derived}/EDU.1", f"0.NA/{derived}"
    store.put(Record(home, (HandleValue(5, "OWNER", b"somebody"),)))
    store.put(Record(name, (HandleValue(1, "URL", b"https://example.org/1"),)))
    verifier = StoreVerifier(store, anchors)
    directly = signer.presign(store.get(name))
    assert verifier.report(directly).verdict is Verdict.WRONG_PERMISSION
    stop = asyncio.Event()
    keeping = asyncio.create_task(
        keep_signed(store, signer, lambda: (derived,), stop, period_s=0.01)
    )
    try:
        async with asyncio.timeout(30):
            while not verifier.report(store.get(name)).is_trusted:
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await keeping
    before = store.get(home)
    assert signer_under(store, signer, derived).issuer == Reference(home, 301)
    assert store.get(home) == before  # a certificate that is good stays
    store.change(home, lambda record: replace(record, values=record.values[-1:]))
    other = replace(signer, key=keys.generate(signer.key.algorithm))
    signer_under(store, other, derived)
    assert store.get(home) != before
    assert signer_under(store, signer, f"{PREFIX}7") is signer  # no prefix of ours
    assert signer_under(store, signer, f"{PREFIX}.2") is signer  # not given to anybody
