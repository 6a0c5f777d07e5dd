"""HTTP/1.1 connections for the resolver: parsing by httptools, answers by ``identity.server.http``.

An own small server, because a general one costs more per request than the whole lookup. Keep-alive
and pipelining are served in order; sizes of line, headers and body are limited, a started request
must be whole within ``message_timeout_s``, and what the parser refuses gets 400 and the door.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.http import JSON, OPEN_TO_ALL, HttpFace, HttpReply, HttpRequest
from mingwu.identity.server.httpnote import note_http
from mingwu.identity.server.tcp import Doorkeeper, source_of
from mingwu.identity.server.usagenote import UsageNotes
from mingwu.identity.settings import ResolverSettings

_URL_BYTES = 8192
_HEADER_BYTES = 32_768
_HEADER_COST_BYTES = 200  # each header counts for this much more, so many small ones end too
_PIPELINE = 32
_OK = 200
_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 302: "Found", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 413: "Content Too Large", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
_COMMON = (
    b"HTTP/1.1 200 OK\r\nContent-Type: " + JSON.encode() + b"\r\n"
    b"X-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: %d\r\n"
    b"\r\n"
)

CarefulHttp = Callable[[HttpRequest], Awaitable[HttpReply]]


class _Refused(Exception):  # noqa: N818 - control flow inside this module
    """The request breaks a limit."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def render(reply: HttpReply, *, keep: bool, head: bool = False) -> bytes:
    """The reply's bytes."""
    usual = reply.status == _OK and reply.type is JSON and reply.headers is OPEN_TO_ALL
    if usual and keep and not head:
        return (_COMMON % len(reply.body)) + reply.body
    lines = [
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}",
        f"Content-Type: {reply.type}",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(reply.body)}",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    if not keep:
        lines.append("Connection: close")
    start = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return start if head else start + reply.body


class HttpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        resolver: Resolver,
        face: HttpFace,
        careful: CarefulHttp,
        settings: ResolverSettings,
        door: Doorkeeper,
        usage: UsageNotes | None = None,
    ) -> None:
        self._resolver = resolver
        self._usage = usage
        self._face = face
        self._careful = careful
        self._settings = settings
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[HttpRequest, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._source = ""
        self._secure = False
        self._used = False
        self._idle_s = 0.0
        self._started = 0.0
        self._clear()

    def _clear(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._source = source_of(transport)
        self._secure = transport.get_extra_info("ssl_object") is not None
        if not self._door.admit(self._transport):
            self._resolver.statistics.connections_refused += 1
            self._transport.abort()
            return
        self._resolver.statistics.connections += 1
        self._set_timer(self._settings.message_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()
        if self._transport:
            self._door.leave(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._used = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else 400)
            return
        except httptools.HttpParserError:
            self._refuse(400)
            return
        if self._waiting and self._task is None:
            self._work()
        if len(self._waiting) > _PIPELINE and self._transport:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read: stop reading from it."""
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport and len(self._waiting) <= _PIPELINE:
            self._transport.resume_reading()

    # -- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._clear()
        self._started = asyncio.get_running_loop().time()

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > _URL_BYTES:
            raise _Refused(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + _HEADER_COST_BYTES
        if self._header_bytes > _HEADER_BYTES:
            raise _Refused(431)
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._settings.message_bytes:
            raise _Refused(413)
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._started = 0.0
        request = HttpRequest(
            self._parser.get_method().decode("latin-1"),
            self._url.decode("utf-8", "replace"),
            self._headers,
            b"".join(self._body),
            self._source,
            self._secure,
            self._transport.get_extra_info("client_certificate")
            if self._secure and self._transport
            else None,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))

    # -- answering ----------------------------------------------------------------------------

    def _work(self) -> None:
        replies: list[bytes] = []
        self._resolver.begin()
        try:
            while self._waiting:
                request, keep = self._waiting.popleft()
                started = time.perf_counter_ns()
                reply = self._face.answer(request)
                if reply is None:
                    loop = asyncio.get_running_loop()
                    self._task = loop.create_task(self._answer_carefully(request, keep))
                    break
                if self._usage:
                    note_http(self._usage, request, reply, started)
                replies.append(render(reply, keep=keep, head=request.method == "HEAD"))
                if not keep:
                    break
        finally:
            self._resolver.end()
        self._write(replies)
        if replies and not keep and self._transport:
            self._transport.close()

    async def _answer_carefully(self, request: HttpRequest, keep: bool) -> None:
        started = time.perf_counter_ns()
        reply = await self._careful(request)
        self._task = None
        if self._usage:
            note_http(self._usage, request, reply, started)
        self._write([render(reply, keep=keep, head=request.method == "HEAD")])
        if self._transport and not keep:
            self._transport.close()
        elif self._transport:
            self._transport.resume_reading()
            if self._waiting:
                self._work()

    def _write(self, replies: list[bytes]) -> None:
        if not replies or self._transport is None:
            return
        output = replies[0] if len(replies) == 1 else b"".join(replies)
        self._resolver.statistics.http += len(replies)
        self._resolver.statistics.bytes_out += len(output)
        self._transport.write(output)

    def _refuse(self, status: int) -> None:
        self._resolver.statistics.malformed += 1
        reply = HttpReply(status, b'{"responseCode":4,"message":"request refused"}')
        self._write([render(reply, keep=False)])
        if self._transport:
            self._transport.close()

    def _set_timer(self, seconds: float) -> None:
        self._used = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check)

    def _check(self) -> None:
        """Runs every ``message_timeout_s``: cuts unfinished requests and long idleness."""
        if self._transport is None:
            return
        now = asyncio.get_running_loop().time()
        if self._started and now - self._started > self._settings.message_timeout_s:
            self._resolver.statistics.slow_cut += 1
            self._transport.abort()
            return
        idle = not (self._used or self._task)
        self._idle_s = self._idle_s + self._settings.message_timeout_s if idle else 0.0
        if self._idle_s >= self._settings.idle_timeout_s:
            self._transport.close()
            return
        self._set_timer(self._settings.message_timeout_s)
