"""TCP and HTTP connections on a loop whose clock the tests turn: time, memory, framing, order."""

import asyncio
import heapq
import json
import random
import re

import pytest

from mingwu.identity.records import Record
from mingwu.identity.server.connection import BURST_BYTES
from mingwu.identity.server.door import Doorkeeper, descriptors_for
from mingwu.identity.server.http import HttpFace
from mingwu.identity.server.httpd import HttpConnection
from mingwu.identity.server.httpwrite import HttpWriter
from mingwu.identity.server.tcp import TcpConnection
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.codes import OpFlag, Rc
from mingwu.wire.handle.message import Message, decode, encode, message_length
from mingwu.wire.handle.values import HandleValue

PART = "88.888.101/Part.7"
GET = f"GET /api/handles/{PART} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
LIMIT = 100_000


def question(name=PART, number=1):
    body = Resolve(name, (1,)).encode()
    return encode(Message(op=1, body=body, flags=OpFlag.PUBLIC_ONLY, request_id=number))


class Handle:
    def __init__(self, when, call):
        self._when, self.call, self.off = when, call, False

    def when(self):
        return self._when

    def cancel(self):
        self.off = True


class Loop:
    """As much of an event loop as connections use."""

    def __init__(self):
        self.now = 1000.0
        self._due = []
        self._soon = []
        self.tasks = []

    def time(self):
        return self.now

    def call_at(self, when, call):
        handle = Handle(when, call)
        heapq.heappush(self._due, (when, id(handle), handle))
        return handle

    def call_soon(self, call):
        self._soon.append(call)

    def create_task(self, work):
        self.tasks.append(work)
        return self

    def cancel(self):
        """As a task."""
        for work in self.tasks:
            work.close()

    def turn(self):
        while self._soon:
            self._soon.pop(0)()

    def sleep(self, seconds):
        self.turn()
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, handle = heapq.heappop(self._due)
            if not handle.off:
                handle.call()
                self.turn()
        self.now = end

    def work(self):
        """Let the worker finish what it has."""
        for work in self.tasks:
            with pytest.raises(StopIteration):
                work.send(None)
        self.tasks.clear()
        self.turn()


class Transport:
    """A peer at the other end; with ``is_reading`` off it takes nothing."""

    def __init__(self, connection):
        self.connection, self.out, self.waiting = connection, b"", b""
        self.is_reading, self.paused, self.closed, self.half = True, False, "", False

    def get_extra_info(self, name, default=None):
        return ("192.0.2.7", 4711) if name == "peername" else default

    def write(self, data):
        assert not self.closed
        assert not self.half
        if self.is_reading:
            self.out += data
            return
        self.waiting += data
        if len(self.waiting) > 65_536:
            self.connection.pause_writing()

    def take(self, size):
        self.out += self.waiting[:size]
        self.waiting = self.waiting[size:]
        if len(self.waiting) <= 16_384:
            self.connection.resume_writing()

    def get_write_buffer_size(self):
        return len(self.waiting)

    def write_eof(self):
        self.half = True

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def is_closing(self):
        return bool(self.closed)

    def close(self):
        self.end("closed")

    def abort(self):
        self.end("aborted")

    def end(self, how):
        if not self.closed:
            self.closed = how
            self.connection.connection_lost(None)


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


@pytest.fixture
def settings():
    return ResolverSettings(
        message_bytes=LIMIT, message_timeout_s=15.0, idle_timeout_s=600.0, tcp_backlog_bytes=4096,
        unfinished_bytes=2**20,
    )  # fmt: skip


@pytest.fixture
def door(settings):
    return Doorkeeper(settings)


@pytest.fixture
def connect(loop, resolver, gate, settings, door):
    """``connect("tcp")`` or ``connect("http")``: a connection, opened, and its transport."""
    resolver.end()
    writer = HttpWriter()

    async def careful(data, source, link):
        yield gate.answer(data, source, link)

    async def careful_http(request):
        return writer.answer(gate, request)

    def made(kind):
        connection = (
            TcpConnection(resolver, careful, settings, door)
            if kind == "tcp"
            else HttpConnection(resolver, HttpFace(resolver), careful_http, settings, door)
        )
        transport = Transport(connection)
        connection.connection_made(transport)
        return connection, transport

    gate.resolver.begin()
    yield made
    gate.resolver.end()


def statuses(transport):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", transport.out)]


def body(transport):
    return json.loads(transport.out.rpartition(b"\r\n\r\n")[2])


def messages(data):
    found = []
    while data:
        size = message_length(data)
        found.append(decode(data[:size]))
        data = data[size:]
    return found


# -- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_a_slow_message_ends_at_the_deadline_however_it_trickles(loop, connect, kind):
    connection, transport = connect(kind)
    loop.sleep(9.0)  # the clock is that of the message, not of the connection
    data = question() if kind == "tcp" else GET
    for at in range(29):
        connection.data_received(data[at : at + 1])
        assert not transport.out
        loop.sleep(0.5)
    loop.sleep(0.49)
    assert not transport.out
    loop.sleep(0.02)
    if kind == "tcp":
        (reply,) = messages(transport.out)
        assert (reply.rc, reply.request_id) == (Rc.PROTOCOL_ERROR, 1)
        assert b"not whole within 15 s" in reply.body
    else:
        assert statuses(transport) == [408]
        assert body(transport)["code"] == "resolver.http-slow"
    assert transport.half
    loop.sleep(15.1)
    assert transport.closed


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_each_message_has_its_own_time(loop, connect, kind):
    """A client that always has the next one under way is not slow."""
    connection, transport = connect(kind)
    data = question() if kind == "tcp" else GET
    connection.data_received(data[:9])
    for _ in range(12):
        loop.sleep(10.0)
        connection.data_received(data[9:] + data[:9])
    assert not transport.closed
    assert not transport.half
    count = len(messages(transport.out)) if kind == "tcp" else len(statuses(transport))
    assert count == 12
    loop.sleep(15.1)
    assert transport.half


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_who_says_nothing_at_all_is_let_go_early_and_who_did_late(loop, connect, kind):
    _, silent = connect(kind)
    connection, known = connect(kind)
    connection.data_received(question() if kind == "tcp" else GET)
    loop.sleep(15.1)
    assert silent.closed == "closed"
    assert not known.closed
    assert connection._resolver.statistics.slow_cut == 0
    loop.sleep(580.0)
    assert not known.closed
    loop.sleep(10.0)
    assert known.closed


def test_blank_lines_are_no_request(loop, connect):
    connection, transport = connect("http")
    for _ in range(3):
        connection.data_received(b"\r\n")
        loop.sleep(5.01)
    assert transport.closed


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_who_takes_no_answers_is_cut_and_who_takes_them_slowly_not(
    loop, connect, store, door, kind
):
    name = "88.888.101/BIG"
    store.put(Record(name, (HandleValue(1, "TEXT", b"x" * 90_000),)))
    data = question(name) if kind == "tcp" else GET.replace(PART.encode(), name.encode())
    for takes in (0, 5000):
        connection, transport = connect(kind)
        transport.is_reading = False
        connection.data_received(data * 400)
        assert transport.paused
        # Only some of 36 MB was made ready.
        assert len(transport.waiting) < BURST_BYTES + 200_000
        for _ in range(6):
            loop.sleep(7.0)
            if not transport.closed:
                transport.take(takes)
        assert bool(transport.closed) is (takes == 0)
        if not transport.closed:
            while len(transport.out) < 400 * 90_000:
                transport.take(200_000)
                loop.turn()
            transport.close()
    assert not door.open


# -- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_unfinished_messages_share_a_limit(loop, connect, door, kind):
    if kind == "tcp":
        part = question()[:16] + (90_000).to_bytes(4) + bytes(70_000)
    else:
        head = b"PUT /api/handles/88.888.101/X HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n"
        part = head + bytes(70_000)
    opened = []
    for _ in range(20):
        connection, transport = connect(kind)
        connection.data_received(part)
        opened.append(transport)
    refused = [transport for transport in opened if transport.half]
    assert len(refused) == 20 - 2**20 // 70_000
    if kind == "tcp":
        assert {messages(one.out)[0].rc for one in refused} == {Rc.TOO_BUSY}
    else:
        assert {tuple(statuses(one)) for one in refused} == {(503,)}
    assert door.held_bytes <= 2**20
    for transport in opened:
        transport.close()
    assert door.held_bytes == 0


def test_a_long_message_in_small_pieces(connect, store):
    connection, transport = connect("tcp")
    types = tuple(f"TYPE.{number:04}" for number in range(2000))
    data = encode(
        Message(op=1, body=Resolve(PART, (), ("URL", *types)).encode(), flags=OpFlag.PUBLIC_ONLY)
    )
    for at in range(0, len(data), 7):
        connection.data_received(data[at : at + 7])
    assert [reply.rc for reply in messages(transport.out)] == [Rc.SUCCESS]


def test_a_message_announced_too_long_gets_a_code(connect, loop):
    connection, transport = connect("tcp")
    connection.data_received(question() + question(number=2)[:16] + (LIMIT + 1).to_bytes(4))
    first, second = messages(transport.out)
    assert (first.rc, second.rc, second.request_id) == (Rc.SUCCESS, Rc.PROTOCOL_ERROR, 2)
    for _ in range(3):
        connection.data_received(bytes(LIMIT))
    assert not transport.closed
    connection.data_received(bytes(2 * LIMIT))
    assert transport.closed == "aborted"


# -- HTTP -------------------------------------------------------------------------------------

PUT = b"PUT /api/handles/88.888.101/X HTTP/1.1\r\nHost: x\r\n"


def test_a_body_announced_too_long_is_refused_before_it_comes(connect):
    connection, transport = connect("http")
    connection.data_received(GET + PUT + b"Content-Length: 100001\r\n\r\n")
    assert statuses(transport) == [200, 413]
    told = body(transport)
    assert told["code"] == "resolver.http-body-too-long"
    assert "100000" in told["message"]
    assert told["next"]
    assert transport.half
    for _ in range(3):
        connection.data_received(bytes(100_000))
    assert not transport.closed  # what comes is dropped, so that the answer is not lost
    assert connection.eof_received() is False


def test_a_body_in_chunks_is_refused_at_the_limit(connect):
    connection, transport = connect("http")
    head = PUT + b"Accept-Language: zh-CN\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.data_received(head)
    for _ in range(25):
        assert not transport.out
        connection.data_received(b"fa0\r\n" + bytes(4000) + b"\r\n")
    connection.data_received(b"1\r\nx\r\n")
    assert statuses(transport) == [413]
    assert "超过" in body(transport)["message"]


def test_expectations(connect):
    head = PUT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    connection, transport = connect("http")
    connection.data_received(head % 100)
    assert statuses(transport) == [100]
    for expect, length, status in ((b"100-continue", 200_000, 413), (b"miracles", 10, 417)):
        connection, transport = connect("http")
        connection.data_received((head % length).replace(b"100-continue", expect))
        assert statuses(transport) == [status]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic eA==\r\nauthorization: Basic eQ==\r\n\r\n", 400),
        (PUT + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n{}x", 400),
        (PUT + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (PUT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        (PUT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (PUT.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (PUT + b"Content-Length: +3\r\n\r\n{}x", 400),
        (PUT + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n", 400),
        (PUT + b"X-Folded: a\r\n b\r\n\r\n", 400),
        (PUT + b"X-Space : a\r\n\r\n", 400),
        (PUT + b"X-Nul: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", 400),
        (b"GET gopher://a/b HTTP/1.1\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xe5\x8e\x8b HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: " + b"x" * 140_000, 431),
    ],
)
def test_what_leaves_a_doubt_is_refused_in_its_turn(connect, data, status):
    connection, transport = connect("http")
    for at in range(0, len(GET + data), 50_000):
        connection.data_received((GET + data)[at : at + 50_000])
    connection.data_received(GET)
    assert statuses(transport) == [200, status]
    told = body(transport)
    assert told["code"]
    assert told["next"]
    assert transport.half


def test_answers_keep_their_order_when_a_refusal_follows_slow_work(connect, loop):
    connection, transport = connect("http")
    slow = b"GET /api/prefixes HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.data_received(slow + GET + b"NONSENSE\r\n\r\n")
    assert not transport.out
    loop.work()
    assert statuses(transport) == [403, 200, 400]


def test_trailers_change_nothing(connect, loop):
    connection, transport = connect("http")
    data = b"1\r\n[\r\n1\r\n]\r\n0\r\nAuthorization: Basic eA==\r\nHost: evil\r\n\r\n"
    connection.data_received(PUT + b"Transfer-Encoding: chunked\r\n\r\n" + data + GET)
    loop.work()
    assert statuses(transport) == [403, 200]  # no TLS; a bad proof would have been 401


def test_an_offer_to_upgrade_is_not_taken_up(connect):
    connection, transport = connect("http")
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    connection.data_received(GET.removesuffix(b"\r\n") + offer + GET)
    assert statuses(transport) == [200, 200]


def test_whole_addresses_as_proxies_send_them(connect):
    connection, transport = connect("http")
    connection.data_received(GET.replace(b"/api", b"http://node.example/api"))
    assert statuses(transport) == [200]


def test_nothing_behind_the_last_request_is_read(connect):
    connection, transport = connect("http")
    connection.data_received(GET.replace(b"Host: x", b"Connection: close") + GET)
    assert statuses(transport) == [200]
    assert transport.closed


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_who_ends_its_side_still_gets_its_answers(connect, loop, kind):
    connection, transport = connect(kind)
    if kind == "tcp":
        connection.data_received(encode(Message(op=105, body=Resolve(PART).encode()[:-8])))
    else:
        connection.data_received(b"GET /api/prefixes HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.eof_received() is True
    loop.work()
    assert transport.out
    assert transport.closed == "closed"


# -- the tunnel -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status", "rc", "number"),
    [
        (b"", 400, Rc.PROTOCOL_ERROR, 0),
        (b"\2\13", 400, Rc.PROTOCOL_ERROR, 0),
        (question(number=9)[:20], 400, Rc.PROTOCOL_ERROR, 9),
        (question(number=9)[:-3], 400, Rc.PROTOCOL_ERROR, 9),
        (question(number=9) + b"xx", 400, Rc.PROTOCOL_ERROR, 9),
        (encode(Message(op=1, rc=1, request_id=9)), 400, Rc.PROTOCOL_ERROR, 9),
        (question("88.888.101/none", 9), 200, Rc.HANDLE_NOT_FOUND, 9),
        (encode(Message(op=9999, request_id=9)), 200, Rc.NOT_SUPPORTED, 9),
    ],
)
@pytest.mark.parametrize("kind", ["application/x-hdl-message", "Application/X-HDL-Message; a=b"])
def test_every_message_in_the_tunnel_gets_a_message(connect, loop, data, status, rc, number, kind):
    connection, transport = connect("http")
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}"
    connection.data_received(head.encode() + b"\r\n\r\n" + data)
    loop.work()
    assert statuses(transport) == [status]
    head, _, inside = transport.out.partition(b"\r\n\r\n")
    assert b"application/x-hdl-message" in head
    (reply,) = messages(inside)
    assert (reply.rc, reply.request_id) == (rc, number)


# -- places -----------------------------------------------------------------------------------


def test_the_idle_give_way_when_all_places_are_taken(loop, connect, door, monkeypatch):
    monkeypatch.setattr(door, "_most", 3)
    _, silent = connect("tcp")
    opened = []
    for _ in range(2):
        connection, transport = connect("tcp")
        connection.data_received(question())
        opened.append((connection, transport))
        loop.sleep(4.0)
    _, newcomer = connect("tcp")
    assert newcomer.closed == "aborted", "nobody was idle for long"
    loop.sleep(8.0)  # the one that never spoke is gone
    assert silent.closed
    connection, _ = opened[0]
    connection.data_received(question()[:30])  # at work: stays
    loop.sleep(10.0)
    _, third = connect("http")
    assert not third.closed
    _, fourth = connect("http")
    assert opened[1][1].closed == "aborted"
    assert not opened[0][1].closed
    assert not fourth.closed
    assert len(door.open) == 3


def test_the_source_that_holds_most_gives_way_first(door, monkeypatch):
    monkeypatch.setattr(door, "_most", 4)

    class Line:
        def __init__(self, source):
            self.source, self.gone = source, False

        def get_extra_info(self, _name):
            return (self.source, 1)

        def abort(self):
            self.gone = True

    quiet, *many = (Line(f"192.0.2.{n}") for n in (1, 2, 2, 2))
    for seconds, line in ((900.0, quiet), *zip((20.0, 70.0, 30.0), many, strict=True)):
        assert door.admit(line, lambda seconds=seconds: seconds)
    assert door.admit(Line("192.0.2.3"), lambda: 0.0)
    assert [line.gone for line in (quiet, *many)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "fit"),
    [(1024, 524_288, 4352, 4096), (1024, 1024, 1024, 768), (1024, -1, 4352, 4096),
     (65_536, 65_536, None, 4096), (-1, -1, None, 4096), (64, 64, 64, 1)],
)  # fmt: skip
def test_no_more_connections_than_descriptors(monkeypatch, soft, hard, raised, fit):
    told = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: told.append(limits))
    assert descriptors_for(4096) == fit
    assert told == ([] if raised is None else [(raised, hard)])


# -- however the bytes are cut ----------------------------------------------------------------

_PARTS = {
    "http": (
        GET,
        GET.replace(PART.encode(), b"88.888.101/none"),
        b"GET /api/prefixes HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n\r\n" + GET,
        GET.removesuffix(b"\r\n") + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        PUT + b"Content-Length: 2\r\n\r\n[]",
        PUT + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n[\r\n1\r\n]\r\n0\r\nX: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-hdl-message\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(question()), question()),
        PUT + b"Content-Length: 100001\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        GET.replace(b"Host: x", b"Connection: close"),
    ),
    "tcp": (
        question(),
        question("88.888.101/none", 7),
        encode(Message(op=105, body=Resolve(PART).encode()[:-8], request_id=3)),
        encode(Message(op=9999, request_id=4)),
        encode(Message(op=1, rc=1)),
        question()[:20] + bytes(len(question()) - 20),
        question()[:16] + (LIMIT + 1).to_bytes(4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["tcp", "http"])
@pytest.mark.parametrize("seed", range(25))
def test_answers_do_not_depend_on_how_the_bytes_are_cut(connect, loop, door, kind, seed):
    chance = random.Random(seed)
    data = b"".join(chance.choices(_PARTS[kind], k=chance.randrange(1, 9)))
    told = []
    for most in (len(data), 3, 40):
        connection, transport = connect(kind)
        at = 0
        while at < len(data):
            size = chance.randint(1, most) if most < len(data) else most
            connection.data_received(data[at : at + size])
            at += size
            if chance.random() < 0.3:
                loop.work()
        while loop.tasks or loop._soon:
            loop.work()
        if kind == "http":
            told.append(statuses(transport))
        else:
            told.append([(one.rc, one.request_id) for one in messages(transport.out)])
        if not transport.closed:
            transport.close()
        loop.turn()
    assert told[0] == told[1] == told[2]
    assert door.held_bytes == 0
    assert not door.open
