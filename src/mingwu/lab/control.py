"""The control of a running plant: JSON lines over TCP on loopback, one request, one answer.

Request: ``{"action": "start"|"stop"|"list"|"status", "name": …, "target": …, "parameters": {…}}``.
Answer: ``{"ok": true, "result": …}`` or ``{"ok": false, "code": …, "parameters": {…}}``, where code
and parameters rebuild the error at the caller. There is no login: the plant is a test object and
listens on loopback only.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, MingwuError, NotFound, PeerError, Unavailable
from mingwu.lab import errors

log = logging.getLogger(__name__)

__all__ = ["Control", "Request", "errors", "forward", "send", "send_fault"]

LINE_BYTES = 1 << 20
ANSWER_S = 10.0


class Request(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a caller asks."""

    action: str
    name: str = ""
    target: str = ""
    parameters: dict[str, float | str] = {}


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the plant says."""

    ok: bool
    result: Any = None
    code: str = ""
    parameters: dict[str, Any] = {}


Handler = Callable[[Request], Awaitable[object]]


class Control:
    """The listening side; ``handler`` answers or raises a MingwuError."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises Unavailable ``lab.port-taken``."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=LINE_BYTES)
        except OSError as error:
            raise Unavailable(
                "lab.port-taken", endpoint="control", host=host, port=port, fault=told(error)
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the socket."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, TimeoutError, ValueError):
            async with asyncio.timeout(ANSWER_S):
                line = await reader.readline()
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = msgspec.json.decode(line, type=Request)
            return Answer(ok=True, result=await self._handler(request))
        except msgspec.DecodeError as error:
            return Answer(ok=False, code="lab.bad-request", parameters={"fault": str(error)})
        except MingwuError as error:
            return Answer(ok=False, code=error.code, parameters=_plain(error.params))


def _plain(params: Mapping[str, object]) -> dict[str, Any]:
    """Parameters for JSON: of a phrase both languages."""
    return {
        name: {"en": value.en, "zh": value.zh} if isinstance(value, Phrase) else value
        for name, value in params.items()
    }


def _phrases(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same the other way round."""
    return {
        name: Phrase(value["en"], value["zh"])
        if isinstance(value, dict) and value.keys() == {"en", "zh"}
        else value
        for name, value in parameters.items()
    }


_KINDS = {"lab.unknown-fault": NotFound, "lab.unknown-target": NotFound}


def _result(line: bytes, control: str) -> Any:
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError as error:
        raise PeerError("lab.not-running", control=control, fault=told(error)) from error
    if not answer.ok:
        raise _KINDS.get(answer.code, InvalidInput)(answer.code, **_phrases(answer.parameters))
    return answer.result


def _split(control: str) -> tuple[str, int]:
    host, _, port = control.rpartition(":")
    if not port.isdecimal():
        raise Unavailable(
            "lab.not-running",
            control=control,
            fault=Phrase("address is not host:port", "地址应为 主机:端口"),
        )
    return host or "127.0.0.1", int(port)


def send(control: str, request: Request) -> Any:
    """Send one request to ``host:port`` and give the result. For callers without a loop.

    Raises Unavailable ``lab.not-running``, or the error the plant answered with.
    """
    try:
        with socket.create_connection(_split(control), timeout=ANSWER_S) as line:
            line.sendall(msgspec.json.encode(request) + b"\n")
            with line.makefile("rb") as answers:
                return _result(answers.readline(LINE_BYTES), control)
    except OSError as error:
        raise Unavailable("lab.not-running", control=control, fault=told(error)) from error


def send_fault(
    control: str, name: str = "", target: str = "", action: str = "list", **params: float | str
) -> dict[str, Any]:
    """Start or stop a fault of a running plant, or list what is at work.

    ``control`` is ``host:port``; ``action`` is start, stop or list; ``params`` are the fault's.
    list gives ``{"active": [...], "known": [...]}``.
    """
    request = Request(action=action, name=name, target=target, parameters=params)
    answer = send(control, request)
    return answer if isinstance(answer, dict) else {"result": answer}


async def forward(control: str, request: Request) -> Any:
    """:func:`send` for callers with a loop."""
    return await asyncio.to_thread(send, control, request)
