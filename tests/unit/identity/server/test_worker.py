"""The worker's places: no address takes all of them."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from mingwu.identity.server.worker import Worker
from mingwu.wire.handle.codes import Rc

pytestmark = pytest.mark.anyio


async def test_one_address_leaves_room_for_others():
    resolver = SimpleNamespace(
        begin=lambda: None, end=lambda: None, refusal=lambda _data, rc, _text: bytes((rc,))
    )
    gate = SimpleNamespace(resolver=resolver, answer_in_parts=lambda *_: (b"done", None))
    worker = Worker(gate)
    held = threading.Event()
    first = asyncio.create_task(worker.run(lambda _: held.wait(60), "192.0.2.66"))
    many = [asyncio.create_task(worker.answer(b"", "192.0.2.66")) for _ in range(700)]
    other = asyncio.create_task(worker.answer(b"", "192.0.2.1"))
    while sum(one.done() for one in many) < 201:
        await asyncio.sleep(0)
    assert worker.is_busy_for("192.0.2.66")
    assert not worker.is_busy_for("192.0.2.1")
    held.set()
    told = await asyncio.gather(*many)
    assert (told.count(bytes((Rc.TOO_BUSY,))), told.count(b"done")) == (201, 499)
    assert await other == b"done"
    assert await first
    assert not worker._waiting
    await asyncio.to_thread(worker.close)
