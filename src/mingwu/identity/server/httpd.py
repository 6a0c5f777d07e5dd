"""HTTP/1.1 connections for the resolver: parsing by httptools, answers by ``identity.server.http``.

An own small server, because a general one costs more per request than the whole lookup. Keep-alive
and pipelining are served in order; sizes of line, headers and body are limited, a started request
must be whole in time (``server.connection``). What breaks a limit or cannot be read without doubt
is refused in its turn, with a code, and the connection ends: a body announced too long before it is
read, one sent in chunks at the limit. Doubt is: two values where one belongs (Host, Authorization,
…), transfer codings other than ``chunked``, other versions than 1.0 and 1.1. Trailers are dropped.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httptools

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.connection import BURST_BYTES, Connection
from mingwu.identity.server.door import Doorkeeper
from mingwu.identity.server.exchange import JSON, HttpReply, HttpRequest
from mingwu.identity.server.http import OPEN_TO_ALL, HttpFace
from mingwu.identity.server.httpnote import note_http
from mingwu.identity.server.refusals import refusal
from mingwu.identity.server.usagenote import UsageNotes
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.catalogue import Phrase

_URL_BYTES = 8192
_HEADER_BYTES = 32_768
_HEADER_COST_BYTES = 200  # each header counts for this much more, so many small ones end too
_SILENT_BYTES = 65_536  # most bytes at a stretch of which the parser makes nothing
_PIPELINE = 32
_OK = 200
_SINGLE = {"host", "authorization", "content-type", "content-length", "transfer-encoding", "expect"}
_FRAMING = {"content-length", "transfer-encoding", "expect"}
_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 302: "Found", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 413: "Content Too Large",
    417: "Expectation Failed", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}  # fmt: skip
_COMMON = (
    b"HTTP/1.1 200 OK\r\nContent-Type: " + JSON.encode() + b"\r\n"
    b"X-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: %d\r\n"
    b"\r\n"
)

CarefulHttp = Callable[[HttpRequest], Awaitable[HttpReply]]


class _Refused(Exception):  # noqa: N818 - control flow inside this module
    """The request breaks a limit or leaves a doubt."""

    def __init__(self, status: int, fault: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.fault = fault


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


class HttpConnection(Connection):
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
        super().__init__(resolver, settings, door, usage)
        self._face = face
        self._careful = careful
        self._parser = httptools.HttpRequestParser(self)
        # Requests in their order, and at the end perhaps the refusal of one.
        self._waiting: deque[tuple[HttpRequest | HttpReply, bool]] = deque()
        self._secure = False
        self._reading = False  # a request is under way
        self._fresh = False  # it began in the bytes just received
        self._deaf = False  # what comes after the last of ``_waiting`` is not read
        self._waiting_bytes = 0  # bodies of ``_waiting``, and of what the worker answers
        self._clear()

    def _clear(self) -> None:
        self._silent_bytes = 0
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._in_head = True
        self._is_framed = False  # headers say something of a body
        self._body: bytes | bytearray = b""

    @property
    def _has_begun(self) -> bool:
        return self._reading

    @property
    def _waits(self) -> bool:
        return self._task is not None or bool(self._waiting)

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._secure = transport.get_extra_info("ssl_object") is not None
        super().connection_made(transport)

    def _receive(self, data: bytes) -> None:
        if self._deaf:
            return
        self._silent_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            refused = cause if isinstance(cause, _Refused) else _Refused(400, str(error))
            self._refuse(refused.status, refused.fault)
        except httptools.HttpParserError as error:
            self._refuse(400, str(error))
        if self._reading:
            self._wait()
        elif self._waiting:
            self._rest()
        if not self._waiting:
            return
        if self._task is None and not self._full:
            self._work()
        if self._is_crowded and self._transport and not self._deaf:
            self._transport.pause_reading()

    def _wait(self) -> None:
        """For the rest of a request that is under way, as long as it keeps the limits."""
        self._begin(fresh=self._fresh)
        self._fresh = False
        if self._silent_bytes > _SILENT_BYTES:
            self._refuse(431, Phrase("too long", "过长"))
        elif not self._hold(len(self._body) + self._waiting_bytes):
            self._refuse(503)

    @property
    def _is_crowded(self) -> bool:
        most = self._settings.tcp_backlog_bytes
        return len(self._waiting) > _PIPELINE or self._waiting_bytes > most

    def _feed(self, data: bytes) -> None:
        """Parse; offers to change the protocol are not taken up (RFC 9110 7.8)."""
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                return

    # -- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._clear()
        self._reading = self._fresh = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > _URL_BYTES:
            raise _Refused(431, Phrase("the request line", "请求行"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + _HEADER_COST_BYTES
        if self._header_bytes > _HEADER_BYTES:
            raise _Refused(431, Phrase("the headers", "首部"))
        if not self._in_head:
            return  # a trailer: nothing that was decided before it may hang on it
        key = name.decode("latin-1").lower()
        if key in self._headers and key in _SINGLE:
            raise _Refused(400, Phrase(f"two headers {key}", f"首部 {key} 出现两次"))
        self._headers[key] = value.decode("latin-1")
        if key in _FRAMING:
            self._is_framed = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._is_framed:
            self._look_at_framing()

    def _look_at_framing(self) -> None:
        version = self._parser.get_http_version()
        headers, limit = self._headers, self._settings.message_bytes
        coding = headers.get("transfer-encoding")
        if coding is not None and version == "1.0":
            raise _Refused(400, Phrase("chunks in HTTP/1.0", "HTTP/1.0 不支持分块传输"))
        if coding is not None and coding.lower() != "chunked":
            raise _Refused(501, f"Transfer-Encoding: {coding[:40]}")
        if int(headers.get("content-length", 0)) > limit:
            raise _Refused(413)
        expected = headers.get("expect")
        if expected is not None and version == "1.1":
            if expected.lower() != "100-continue":
                raise _Refused(417, f"Expect: {expected[:40]}")
            if not self._waits and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._silent_bytes = 0
        if self._body:
            self._body += body
        else:
            self._body = bytearray(body)
        if len(self._body) > self._settings.message_bytes:
            raise _Refused(413)

    def on_message_complete(self) -> None:
        self._reading = False
        self._waiting_bytes += len(self._body)
        keep = self._parser.should_keep_alive()
        if not keep and (version := self._parser.get_http_version()) not in {"1.1", "1.0"}:
            raise _Refused(505, f"HTTP/{version}")  # others are never kept
        method = self._parser.get_method().decode("latin-1")
        target = self._url.decode("utf-8", "replace")
        request = HttpRequest(
            method,
            target if target.startswith("/") else _target(method, target),
            self._headers,
            bytes(self._body) if self._body else b"",
            self._source,
            self._secure,
            self._transport.get_extra_info("client_certificate")
            if self._secure and self._transport
            else None,
        )
        self._waiting.append((request, keep))
        self._deaf = not keep

    # -- answering ----------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._task or self._full or self._leaving or self._transport is None:
            return
        if not self._is_crowded:
            self._transport.resume_reading()
        if self._waiting:
            self._work()
        elif self._ended:
            self._transport.close()

    def _work(self) -> None:
        replies: list[bytes] = []
        written = 0
        keep = True
        self._resolver.begin()
        try:
            while self._waiting and keep and written < BURST_BYTES:
                request, keep = self._waiting.popleft()
                if isinstance(request, HttpReply):
                    self._write([*replies, render(request, keep=False)])
                    self._leave()
                    return
                started = time.perf_counter_ns()
                reply = self._face.answer(request)
                if reply is None:
                    self._task = self._loop.create_task(self._answer_carefully(request, keep))
                    keep = True
                    break
                self._waiting_bytes -= len(request.body)
                if self._usage:
                    note_http(self._usage, request, reply, started)
                replies.append(render(reply, keep=keep, head=request.method == "HEAD"))
                written += len(replies[-1])
        finally:
            self._resolver.end()
        self._write(replies)
        if not keep and self._transport:
            self._transport.close()
        elif self._waiting and self._task is None and not self._full:
            self._loop.call_soon(self._go_on)
        elif self._ended and not self._waits and self._transport:
            self._transport.close()

    async def _answer_carefully(self, request: HttpRequest, keep: bool) -> None:
        started = time.perf_counter_ns()
        reply = await self._careful(request)
        self._task = None
        self._waiting_bytes -= len(request.body)
        self._hold(self._waiting_bytes + len(self._body))
        if self._usage:
            note_http(self._usage, request, reply, started)
        self._write([render(reply, keep=keep, head=request.method == "HEAD")])
        if self._transport and not keep:
            self._transport.close()
        else:
            self._go_on()

    def _write(self, replies: list[bytes]) -> None:
        if not replies or self._transport is None:
            return
        output = replies[0] if len(replies) == 1 else b"".join(replies)
        self._resolver.statistics.http += len(replies)
        self._resolver.statistics.bytes_out += len(output)
        self._transport.write(output)

    def _refuse(self, status: int, fault: str = "") -> None:
        """Refuse the request under way, in its turn; nothing behind it is read."""
        self._reading = False
        self._rest()
        self._body = b""
        self._hold(self._waiting_bytes)
        if self._deaf:
            return  # bytes behind the last request: nobody waits for an answer to them
        self._deaf = True
        self._resolver.statistics.malformed += 1
        reply = refusal(
            status, self._headers, fault=fault, limit=self._settings.message_bytes,
            seconds=f"{self._seconds:g}",
        )  # fmt: skip
        self._waiting.append((reply, False))

    def _late(self) -> None:
        self._refuse(408)
        if self._task is None:
            self._work()


def _target(method: str, target: str) -> str:
    """Path and query of a target that is not only these: proxies send all (RFC 9112 3.2.2)."""
    if target == "*" and method == "OPTIONS":
        return target
    scheme, colon, _ = target.partition("://")
    if not colon or scheme.lower() not in {"http", "https"}:
        raise _Refused(400, Phrase("the target is no path", "请求目标不是路径"))
    parts = urlsplit(target)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
