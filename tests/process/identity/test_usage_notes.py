"""Every answer of the resolver is noted once, whatever way the question came."""

import urllib.error
import urllib.request

import anyio
import pytest

from mingwu.identity.client.handleclient import resolve
from mingwu.identity.records import Record
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.identity.server.usagenote import Via
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
NAME = "88.888.101/NOTED"


class Notes:
    def __init__(self):
        self.seen = []

    def note(self, request, reply, source, via, started_ns):
        assert started_ns > 0
        assert request[20:24] == reply[20:24]
        self.seen.append((source, via, int.from_bytes(reply[24:28])))

    def note_named(self, op, rc, name, source, started_ns, *, console=False):
        assert (op, console) == (1, False)
        assert started_ns > 0
        self.seen.append((source, name, rc))


@pytest.fixture
async def noted(tmp_path):
    settings = ResolverSettings(
        directory=str(tmp_path / "names"), port=0, http_port=0, durable=False,
        map_bytes=2**26, prefixes=("88.888.101",),
    )  # fmt: skip
    store, notes, dressed = open_store(settings), Notes(), []
    values = (
        HandleValue(1, "URL", b"https://example.org/"),
        HandleValue(300, "HS_SECKEY", b"x", permissions=0x0C),
    )
    store.put(Record(NAME, values))
    server = ResolverServer(settings, store, usage=notes, dress=dressed.append)
    async with server:
        yield server, notes, dressed
    store.close()


async def test_messages_are_noted_once_with_code_and_way(noted):
    server, notes, dressed = noted
    for transport in ("udp", "tcp"):
        assert (await resolve(NAME, f"127.0.0.1:{server.port}", transport=transport)).ok
    await resolve(NAME + ".unknown", f"127.0.0.1:{server.port}", transport="udp")
    assert notes.seen == [
        ("127.0.0.1", Via.UDP, Rc.SUCCESS),
        ("127.0.0.1", Via.TCP, Rc.SUCCESS),
        ("127.0.0.1", Via.UDP, Rc.HANDLE_NOT_FOUND),
    ]
    assert len(set(map(id, dressed))) == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/api/handles/{NAME}", [(NAME, Rc.SUCCESS)]),
        (f"/api/handles/{NAME}?type=URL&pretty", [(NAME, Rc.SUCCESS)]),
        (f"/api/handles/{NAME}?callback=show.it", [(NAME, Rc.SUCCESS)]),
        (f"/api/handles/{NAME}?type=NONE", [(NAME, Rc.VALUES_NOT_FOUND)]),
        ("/api/handles/88.888.101/no", [("88.888.101/no", Rc.HANDLE_NOT_FOUND)]),
        ("/api/site", []),
    ],
)
async def test_http_answers_are_noted_by_name(noted, path, expected):
    server, notes, _ = noted

    def get():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}{path}") as reply:
                reply.read()
        except urllib.error.HTTPError as error:
            error.close()

    await anyio.to_thread.run_sync(get)
    assert notes.seen == [("127.0.0.1", *one) for one in expected]
