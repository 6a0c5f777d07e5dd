"""The historian: ClickHouse's HTTP protocol over the embedded engine, as a bare ASGI application.

Answers ``/ping`` (no password), ``/`` (GET and POST: queries, inserts, parameters, settings) and
``/status`` (JSON, for people and probes). Enough of clickhouse.com/docs/interfaces/http for
clickhouse-connect, sync and async; anything that speaks to a ClickHouse server for data works.

Not taken: sessions, external tables, progress headers, compressed answers (always identity; a
loopback gains nothing). Errors carry ``X-ClickHouse-Exception-Code`` and the engine's text.
"""

import asyncio
import base64
import contextlib
import hmac
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from mingwu.history import errors as codes
from mingwu.history.engine import HTTP_STATUS, Answer, Engine, EngineFault
from mingwu.history.settings import MIB, HistorianSettings
from mingwu.history.statement import Statement, form_fields, parse
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, InvalidInput, MingwuError, Overloaded, Unavailable

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

_BODIES_AT_ONCE = 8
_PIECE = 1 << 20
_COMPRESSIONS = {"gzip": "gzip", "lz4": "lz4", "zstd": "zstd", "br": "brotli", "deflate": None}


class _Refused(Exception):
    """A request that gets no answer from the engine."""

    def __init__(self, status: int, number: int, text: str) -> None:
        self.status = status
        self.number = number
        self.text = text
        super().__init__(text)


class Historian:
    """The ASGI application over an open engine."""

    def __init__(self, engine: Engine, settings: HistorianSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._held = 0
        self._started = time.monotonic()
        self._pending: set[asyncio.Future[Answer]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: Headers = dict(scope["headers"])
        path = scope["path"]
        if path == "/ping":
            await _reply(send, 200, b"Ok.\n")
            return
        try:
            parameters = dict(
                parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            )
            self._authenticate(headers, parameters)
            if path == "/status":
                await _reply(send, 200, self._status(), kind=b"application/json")
            elif path == "/":
                await self._statement(headers, parameters, receive, send)
            else:
                await _refuse(send, _Refused(404, 0, f"There is nothing at {path}"))
        except _Refused as refused:
            await _refuse(send, refused)
        except EngineFault as fault:
            status = HTTP_STATUS.get(fault.number, 500)
            await _refuse(send, _Refused(status, fault.number, fault.text))
        except InvalidInput as fault:
            await _refuse(send, _Refused(400, codes.SYNTAX_ERROR, str(fault)))
        except Overloaded as fault:
            await _refuse(send, _Refused(503, codes.TOO_MANY_QUERIES, str(fault)))

    def _authenticate(self, headers: Headers, parameters: dict[str, str]) -> None:
        user = headers.get(b"x-clickhouse-user", b"").decode("utf-8", "replace")
        password = headers.get(b"x-clickhouse-key", b"").decode("utf-8", "replace")
        scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"basic":
            with contextlib.suppress(ValueError):
                text = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
                user, _, password = text.partition(":")
        user = user or parameters.get("user", "")
        password = password or parameters.get("password", "")
        right = hmac.compare_digest(user.encode(), self._settings.user.encode())
        right &= hmac.compare_digest(password.encode(), self._settings.password.encode())
        if not right:
            raise _Refused(
                403,
                codes.AUTHENTICATION_FAILED,
                f"Code: {codes.AUTHENTICATION_FAILED}. DB::Exception: Authentication failed. "
                "(AUTHENTICATION_FAILED)",
            )

    async def _statement(
        self, headers: Headers, parameters: dict[str, str], receive: Receive, send: Send
    ) -> None:
        body, size = await self._body(headers, receive)
        self._held += size
        try:
            statement = await self._parse(headers, parameters, body)
            lane = self._engine.readers if statement.data is None else self._engine.writers
            future = asyncio.wrap_future(lane.submit(statement))
            self._pending.add(future)
            future.add_done_callback(self._pending.discard)
            answer = await future
        finally:
            self._held -= size
        await _answer(send, statement, answer, parameters.get("query_id", ""))

    async def _parse(
        self, headers: Headers, parameters: dict[str, str], body: list[bytes]
    ) -> Statement:
        kind = headers.get(b"content-type", b"").decode("latin-1")
        if kind.startswith("multipart/form-data"):
            parameters = {**parameters, **form_fields(kind, b"".join(body))}
            body = []
        encoding = headers.get(b"content-encoding", b"").decode("latin-1").lower()
        if encoding and encoding != "identity":
            limit = self._settings.max_request_mib * MIB
            body = [await asyncio.to_thread(_decompress, encoding, b"".join(body), limit)]
        if "default_format" not in parameters and b"x-clickhouse-format" in headers:
            parameters["default_format"] = headers[b"x-clickhouse-format"].decode("latin-1")
        if "database" not in parameters and b"x-clickhouse-database" in headers:
            parameters["database"] = headers[b"x-clickhouse-database"].decode("utf-8", "replace")
        return parse(parameters, body)

    async def _body(self, headers: Headers, receive: Receive) -> tuple[list[bytes], int]:
        most = self._settings.max_request_mib * MIB
        declared = headers.get(b"content-length", b"0")
        room = _BODIES_AT_ONCE * most - self._held
        if declared.isdigit() and int(declared) > most:
            raise _Refused(413, 0, f"The request is larger than max_request_mib ({most} bytes)")
        if declared.isdigit() and int(declared) > room:
            raise Overloaded(
                "history.busy",
                fault=Phrase(
                    f"{self._held} bytes of requests are held", f"待处理请求已占 {self._held} 字节"
                ),
            )
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refused(400, 0, "The request was not finished")
            chunk = message.get("body", b"")
            if chunk:
                chunks.append(chunk)
                size += len(chunk)
            if size > min(most, room):
                raise _Refused(413, 0, f"The request is larger than max_request_mib ({most} bytes)")
            if not message.get("more_body"):
                return chunks, size

    def _status(self) -> bytes:
        lanes = {
            lane.name: {"active": lane.active, "waiting": lane.waiting, "done": lane.done}
            for lane in (self._engine.readers, self._engine.writers)
        }
        return json.dumps(
            {
                "engine": self._engine.version,
                "pid": os.getpid(),
                "uptime_s": round(time.monotonic() - self._started, 1),
                "held_bytes": self._held,
                "lanes": lanes,
            }
        ).encode()


def _decompress(encoding: str, body: bytes, limit: int) -> bytes:
    """The body without its Content-Encoding, at most ``limit`` bytes."""
    import zlib

    codec = _COMPRESSIONS.get(encoding, "")
    if codec == "":
        raise _Refused(415, 0, f"Content-Encoding {encoding} is not taken; send identity or gzip")
    try:
        if codec is None:
            plain = zlib.decompressobj().decompress(body, limit + 1)
        else:
            import pyarrow as pa

            with pa.input_stream(pa.BufferReader(body), compression=codec) as stream:
                plain = stream.read(limit + 1)
    except (OSError, zlib.error) as error:
        raise _Refused(400, 0, f"The request is no {encoding} data: {error}") from error
    if len(plain) > limit:
        raise _Refused(413, 0, f"The request is larger than max_request_mib ({limit} bytes)")
    return plain


async def _reply(
    send: Send,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"text/plain; charset=UTF-8",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    start = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    for at in range(0, len(body), _PIECE):
        more = at + _PIECE < len(body)
        piece = body[at : at + _PIECE] if more or at else body
        await send({"type": "http.response.body", "body": piece, "more_body": more})
    if not body:
        await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, refused: _Refused) -> None:
    headers = [(b"x-clickhouse-exception-code", str(refused.number).encode())]
    if refused.status == 503:  # noqa: PLR2004 — service unavailable
        headers.append((b"retry-after", b"1"))
    text = refused.text if refused.text.endswith("\n") else refused.text + "\n"
    await _reply(send, refused.status, text.encode(), headers=tuple(headers))


async def _answer(send: Send, statement: Statement, answer: Answer, query_id: str) -> None:
    summary = {
        "read_rows": str(answer.read_rows),
        "read_bytes": str(answer.read_bytes),
        "written_rows": str(answer.written_rows),
        "written_bytes": str(answer.written_bytes),
        "elapsed_ns": str(int(answer.elapsed_s * 1e9)),
    }
    query_id = query_id if query_id.isprintable() and query_id.isascii() else ""
    headers = [
        (b"x-clickhouse-summary", json.dumps(summary).encode()),
        (b"x-clickhouse-query-id", (query_id or str(uuid.uuid4())).encode()),
        (b"x-clickhouse-timezone", b"UTC"),
        (b"x-clickhouse-server-display-name", b"mingwu"),
    ]
    if statement.returns_rows:
        headers.append((b"x-clickhouse-format", statement.format.encode()))
    await _reply(send, 200, answer.body, headers=tuple(headers))


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process's signals are node's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(settings: HistorianSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's delay off only for sockets that say so.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            "history.unreachable", url=f"{settings.host}:{settings.port}", fault=told(error)
        ) from error
    return listener


async def run_historian(
    settings: HistorianSettings,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until ``stop``; ``ready`` is told the port when queries are answered.

    Must run in a process of its own that was started fresh (never forked from one that has
    imported chdb). Raises ConfigError or Conflict for an unusable directory, Unavailable for a
    taken port.
    """
    if not settings.password:
        raise ConfigError("history.no-password")
    engine = Engine(settings)
    listener = _listen(settings)
    try:
        await asyncio.to_thread(engine.open)
    except MingwuError:
        listener.close()
        raise
    app = Historian(engine, settings)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_keep_alive=120,
        timeout_graceful_shutdown=30,
    )
    server = _Server(config)
    port = listener.getsockname()[1]
    log.info("name=historian state=up port=%s engine=%s", port, engine.version)

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        if ready is not None:
            listener.listen(128)
            ready(port)
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()
        listener.close()
        await asyncio.to_thread(engine.close)
        log.info("name=historian state=down")
