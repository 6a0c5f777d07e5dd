"""One simulated carrier: a mould with its agent, and the line between it and the platform."""

import asyncio
import logging

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.bearers import Bearer
from mingwu.identity.carriers.frames import Kind, Refused, read
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import MingwuError, Unavailable
from mingwu.lab.carriers.memory import MouldMemory
from mingwu.lab.carriers.moulds import Mould

log = logging.getLogger(__name__)

UNREACHABLE = "carriers.unreachable"


class HeardLine:
    """A bearer that can be cut, and whose last report somebody has heard."""

    def __init__(self, bearer: Bearer) -> None:
        self._bearer = bearer
        self._talking = asyncio.Lock()
        self.is_cut = False
        self.report = b""

    async def exchange(self, frame: bytes) -> bytes:
        """See :class:`mingwu.identity.carriers.bearers.Bearer`."""
        if self.is_cut:
            raise Unavailable(
                UNREACHABLE, address="lab", fault=Phrase("the link is cut", "链路已断开")
            )
        reply = await self.beyond(frame)
        if read(frame).kind is Kind.REPORT:
            self.report = frame
        return reply

    async def beyond(self, frame: bytes) -> bytes:
        """A frame that somebody sends to the same platform, whatever holds the carrier up."""
        async with self._talking:  # between two frames of the carrier
            return await self._bearer.exchange(frame)


class Stranger:
    """Somebody else's bearer to the same platform; ``answer`` is what he was told last."""

    def __init__(self, line: HeardLine) -> None:
        self._line = line
        self.answer = ""

    async def exchange(self, frame: bytes) -> bytes:
        """See :class:`mingwu.identity.carriers.bearers.Bearer`."""
        reply = await self._line.beyond(frame)
        told = read(reply)
        body = told.body
        self.answer = body.code if isinstance(body, Refused) else told.kind.name.lower()
        return reply


class SimulatedCarrier:
    """A mould with its agent; tells a lost platform once and its return once."""

    def __init__(
        self, mould: Mould, agent: CarrierAgent, memory: MouldMemory | None = None
    ) -> None:
        self.mould, self.agent, self._told = mould, agent, ""
        self._memory = memory
        self.line = HeardLine(agent.bearer)
        agent.bearer = self.line

    async def turn(self, seconds: float) -> None:
        """Let time pass, measure, and upload what waits."""
        self.measure(seconds)
        await self.upload()

    def measure(self, seconds: float) -> None:
        """Let time pass and measure, whether or not anybody can be told."""
        self.mould.step(seconds)
        if self._memory is not None:
            self._memory.keep()
        self.agent.measure(self.mould.readings())

    async def upload(self) -> None:
        """Upload what waits; the first time the carrier is registered before."""
        try:
            if not self.agent.profile.identifier:
                await self.agent.power_on()
            await self.agent.report()
        except MingwuError as error:
            if error.code != self._told:
                log.warning("carrier waits serial=%s: %s", self.agent.profile.serial, error)
            self._told = error.code
            return
        if self._told:
            log.info("carrier reports again serial=%s", self.agent.profile.serial)
            self._told = ""
