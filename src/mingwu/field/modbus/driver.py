"""The Modbus driver: plans out, columns in, writes one by one.

Times: Modbus carries none, so all points of a read get the middle between its first request and
its last reply. A unit that answers nothing at all is lost (Unavailable); single blocks that time
out, are refused or malformed become bad points with the reason.
"""

import logging
from collections.abc import Sequence

from mingwu.field.base import DriverKind, WriteRequest, WriteResult
from mingwu.field.modbus.line import Line, Timing, key
from mingwu.field.modbus.plan import Plan, compile_plan
from mingwu.field.modbus.settings import ModbusSettings, Transport
from mingwu.field.modbus.writing import outcome, write_request
from mingwu.kernel.batch import Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import REASON_MASK, Reason

LOG = logging.getLogger(__name__)
BITS_PER_CHARACTER = 11
GONE = {
    Reason.TIMEOUT: Phrase("timeout", "超时"),
    Reason.NOT_CONNECTED: Phrase("not connected", "未连接"),
}


class ModbusDriver:
    """One unit. Implements Driver and Writes of ``field.base``."""

    def __init__(
        self, settings: ModbusSettings, simulated: bool, clock: Clock | None = None
    ) -> None:
        self._settings = _checked(settings)
        self._simulated = simulated
        self._clock = clock or SystemClock()
        self._timing = _timing(settings)
        self._line: Line | None = None
        self._epoch = 0

    def compile(self, tags: Sequence[TagSpec]) -> Plan:
        """Blocks and decode layout for tags read together."""
        return compile_plan(tags, self._settings, simulated=self._simulated)

    async def open(self) -> None:
        """Join the line and connect it; raises Unavailable ``modbus.unreachable``."""
        await self.close()
        line = Line.acquire(self._settings)
        try:
            await line.connect(self._timing.timeout_s)
        except BaseException:
            await line.release()
            raise
        self._line = line
        self._epoch += 1

    async def close(self) -> None:
        """Leave the line; the last device on it disconnects."""
        line, self._line = self._line, None
        if line is not None:
            await line.release()

    async def read(self, plan: Plan) -> Columns:
        """One exchange per plan; raises Unavailable when the unit or the connection is lost."""
        line = self._joined()
        if plan.epoch != self._epoch:
            plan.restore()
            plan.epoch = self._epoch
        blocks = plan.blocks
        start_ns = self._clock.time_ns()
        replies = await line.exchange(self._settings.unit, plan.requests, self._timing)
        time_ns = (start_ns + self._clock.time_ns()) // 2
        columns = plan.decode(blocks, replies, time_ns)
        if plan.blocks is not blocks:
            LOG.info("line=%s unit=%d event=split", line.name, self._settings.unit)
        if blocks and not any(isinstance(reply, bytes) and reply[0] < 0x80 for reply in replies):  # noqa: PLR2004 — MAP 7: exceptions have the top bit
            self._raise_if_gone(columns, line)
        return columns

    async def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """Write in order; a refusal or timeout is a result, a lost connection is Unavailable."""
        line = self._joined()
        results: list[WriteResult] = []
        for request in requests:
            pdu = write_request(request, self._settings)
            if isinstance(pdu, WriteResult):
                results.append(pdu)
                continue
            replies = await line.exchange(self._settings.unit, [pdu], self._timing)
            results.append(outcome(pdu, replies[0]))
        return results

    def _joined(self) -> Line:
        if self._line is None:
            raise Unavailable(
                "modbus.lost", line=key(self._settings), fault=Phrase("not open", "未连接")
            )
        return self._line

    def _raise_if_gone(self, columns: Columns, line: Line) -> None:
        reasons = set((columns.quality & REASON_MASK).tolist())
        if reasons <= set(GONE):
            fault = Phrase.joined(GONE[Reason(reason)] for reason in sorted(reasons))
            raise Unavailable(
                "modbus.silent", unit=self._settings.unit, line=line.name, fault=fault
            )


def _timing(settings: ModbusSettings) -> Timing:
    pause_s = settings.pause_between_ms / 1000
    if settings.transport is Transport.RTU:
        # MSL 2.5.1.1: 3.5 characters between frames, 1.75 ms above 19200 bit/s
        slow = 3.5 * BITS_PER_CHARACTER / settings.baud
        pause_s = max(pause_s, slow if settings.baud <= 19200 else 0.00175)  # noqa: PLR2004
    return Timing(settings.timeout_ms / 1000, pause_s, settings.in_flight, settings.retries)


def _checked(settings: ModbusSettings) -> ModbusSettings:
    if settings.transport is Transport.RTU and not settings.serial:
        raise ConfigError(
            "modbus.setting",
            setting="serial",
            fault=Phrase("needed for transport rtu", "rtu 传输方式必填"),
        )
    try:
        "".encode(settings.charset)
    except LookupError as error:
        raise ConfigError("modbus.setting", setting="charset", fault=told(error)) from error
    return settings


KIND = DriverKind(name="modbus", settings=ModbusSettings, create=ModbusDriver, line=key)
