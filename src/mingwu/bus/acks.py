"""Publishing with acknowledgements: many messages in flight, each with its own future.

Invariants: every future ends: with the acknowledgement, with the server's refusal, when the
connection is lost, or after ``ack_timeout_s``. A failed message may nevertheless be stored;
sending it again with the same message id is safe within the server's duplicate window.
"""

import asyncio

import msgspec
from nats.aio.msg import Msg

from mingwu.bus.errors import from_api_error
from mingwu.bus.link import LIBRARY_ERRORS, Link
from mingwu.kernel.causes import told
from mingwu.kernel.errors import MingwuError, Unavailable

_SWEEP_S = 0.25
_NO_RESPONDERS = "503"


class Ack(msgspec.Struct, frozen=True):
    """What the server says of a stored message; ``duplicate`` if it had it already."""

    stream: str
    seq: int
    duplicate: bool = False


class _ApiError(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    error: _ApiError | None = None
    stream: str = ""
    seq: int = 0
    duplicate: bool = False


_decode = msgspec.json.Decoder(_Answer).decode


class Acks:
    """The messages in flight of one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._timeout_s = link.settings.ack_timeout_s
        self._waiting: dict[str, tuple[float, str, asyncio.Future[Ack]]] = {}
        self._count = 0
        self._prefix = ""
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def open(self) -> None:
        """Listen for acknowledgements."""
        self._prefix = self._link.client.new_inbox() + "."
        await self._link.listen(self._prefix + "*", self._answered)
        self._link.listeners.down.append(self._lost)
        self._sweeper = asyncio.create_task(self._sweep(), name="bus-acks")

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._fail_all(Unavailable("bus.disconnected"))

    async def post(self, subject: str, payload: bytes, message_id: str) -> asyncio.Future[Ack]:
        """Hand a message to the connection; the future is its acknowledgement.

        Raises Unavailable when there is no connection. Waits only while the socket is stuck with
        a full buffer, and then at most a few seconds.
        """
        client = self._link.client
        self._count += 1
        token = str(self._count)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ack] = loop.create_future()
        self._waiting[token] = (loop.time() + self._timeout_s, subject, future)
        try:
            await client.publish(
                subject,
                payload,
                reply=self._prefix + token,
                headers={"Nats-Msg-Id": message_id},
            )
        except LIBRARY_ERRORS as error:
            self._waiting.pop(token, None)
            future.cancel()
            raise Unavailable("bus.rejected", fault=told(error)) from error
        return future

    async def _answered(self, message: Msg) -> None:
        entry = self._waiting.pop(message.subject[len(self._prefix) :], None)
        if entry is None:
            return
        _, subject, future = entry
        if future.done():
            return
        if message.headers and message.headers.get("Status") == _NO_RESPONDERS:
            future.set_exception(Unavailable("bus.no-stream", subject=subject))
            return
        try:
            answer = _decode(message.data)
        except msgspec.DecodeError as error:
            future.set_exception(Unavailable("bus.rejected", fault=told(error)))
            return
        if answer.error is not None:
            refusal = from_api_error(answer.error.err_code, answer.error.description)
            future.set_exception(refusal)
        else:
            future.set_result(Ack(answer.stream, answer.seq, answer.duplicate))

    def _lost(self) -> None:
        self._fail_all(Unavailable("bus.disconnected"))

    def _fail_all(self, error: MingwuError) -> None:
        waiting, self._waiting = self._waiting, {}
        for _, _, future in waiting.values():
            if not future.done():
                future.set_exception(error)

    async def _sweep(self) -> None:
        """Fail what has waited too long; the dict is in the order of the deadlines."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            late = []
            for token, (deadline, _, _) in self._waiting.items():
                if deadline > now:
                    break
                late.append(token)
            for token in late:
                future = self._waiting.pop(token)[2]
                if not future.done():
                    future.set_exception(Unavailable("bus.no-ack", seconds=self._timeout_s))
