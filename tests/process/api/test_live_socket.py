"""The live WebSocket over real sockets: snapshot, deltas, refusals, bad messages."""

import asyncio
import importlib.util
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from mingwu.api.app import create_app
from mingwu.api.serve import run_api, serve
from mingwu.api.settings import ApiSettings
from mingwu.kernel.errors import Unavailable

pytestmark = pytest.mark.anyio
DEADLINE_S = 10


@pytest.fixture(scope="module")
def fakeplant():
    path = Path(__file__).parents[2] / "story" / "api" / "fakeplant.py"
    spec = importlib.util.spec_from_file_location("mingwu_fakeplant", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mingwu_fakeplant"] = module
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def running(services):
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_api(services.settings, services, stop, ready=port.set_result))
    try:
        yield f"ws://127.0.0.1:{await asyncio.wait_for(port, DEADLINE_S)}/api/live"
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)


@pytest.fixture
def services(fakeplant):
    return fakeplant.make_fake_services(ApiSettings(port=0, live_hz=20, live_clients=3))


@pytest.fixture
def feed(fakeplant, services):
    return fakeplant.Feed(services.live, services.plant.state().tags)


def session(services) -> dict[str, str]:
    token, _ = services.people.login("viewer", "viewer-password", "")
    return {"Cookie": f"mw_session={token}"}


async def said(socket) -> dict:
    """The next frame that is not the time alone."""
    while True:
        frame = orjson.loads(await asyncio.wait_for(socket.recv(), DEADLINE_S))
        if frame["k"] != "t":
            return frame


async def ask(socket, **message) -> None:
    await socket.send(orjson.dumps(message).decode())


async def test_snapshot_deltas_and_documents(services, feed) -> None:
    tags = services.plant.state().tags
    feed.apply(tags[:3], time.time_ns())
    async with (
        running(services) as url,
        connect(url, additional_headers=session(services)) as socket,
    ):
        await ask(socket, subscribe=[2, 1], id="mine")
        ok, snapshot = await said(socket), await said(socket)
        assert ok == {"k": "ok", "id": "mine", "topic": snapshot["topic"]}
        assert (snapshot["k"], snapshot["n"]) == ("s", [1, 2])
        assert snapshot["x"]["1"] in {"running", "idle", "setup"}
        feed.apply(tags[1:2], time.time_ns())
        delta = await said(socket)
        assert (delta["k"], delta["n"]) == ("d", [2])
        await ask(socket, subscribe="gateway.gw1", id=7)
        assert (await said(socket))["id"] == 7
        assert (await said(socket))["doc"] is None
        services.status.apply("gateway", "gw1", {"uptime_s": 3})
        assert (await said(socket))["doc"] == {"uptime_s": 3}
        await ask(socket, unsubscribe=snapshot["topic"])
        await ask(socket, subscribe="status", id=8)
        assert (await said(socket))["id"] == 8
    assert services.hub.statistics()["topics"] == 0


@pytest.mark.parametrize(
    "message",
    ["{", "[]", '{"subscribe": []}', '{"subscribe": [-1]}', '{"subscribe": ["x"]}',
     '{"subscribe": "../secret"}', '{"shout": 1}', '{"subscribe": [4294967296]}',
     '{"subscribe": [1' + ",1" * 200_000 + "]}"],
    ids=lambda text: text[:24],
)  # fmt: skip
async def test_a_bad_message_is_answered_and_forgiven(services, message: str) -> None:
    async with (
        running(services) as url,
        connect(url, additional_headers=session(services)) as socket,
    ):
        await socket.send(message)
        fault = await said(socket)
        assert (fault["k"], fault["code"]) == ("error", "api.live-message")
        await ask(socket, subscribe=[1], id=1)
        assert (await said(socket))["k"] == "ok"


async def closed_with(url: str, **headers: str) -> int:
    async with connect(url, additional_headers=headers) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), DEADLINE_S)
        return socket.close_code


async def test_who_is_refused(services) -> None:
    async with running(services) as url:
        assert await closed_with(url) == 4401
        assert await closed_with(url, Cookie="mw_session=forged") == 4401
        foreign = session(services) | {"Origin": "http://evil.example"}
        assert await closed_with(url, **foreign) == 4403
        mine = session(services)
        async with (
            connect(url, additional_headers=mine),
            connect(url, additional_headers=mine),
            connect(url, additional_headers=mine),
        ):
            for _ in range(200):
                if len(services.hub.clients) == 3:
                    break
                await asyncio.sleep(0.02)
            assert await closed_with(url, **mine) == 4429


async def test_topics_per_client_are_limited(services) -> None:
    async with (
        running(services) as url,
        connect(url, additional_headers=session(services)) as socket,
    ):
        for number in range(33):
            await ask(socket, subscribe=[number], id=number)
        kinds = [(await said(socket))["k"] for _ in range(33 + 32)]
        assert kinds.count("ok") == 32
        assert kinds.count("error") == 1


async def test_a_taken_port_says_what_to_do(services) -> None:
    async with running(services) as url:
        port = int(url.split(":")[2].split("/")[0])
        with pytest.raises(Unavailable, match="Cannot listen"):
            await serve(create_app(services), ApiSettings(port=port), asyncio.Event())
