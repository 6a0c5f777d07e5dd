"""Write requests: checked, carried out, recorded.

Request on ``mw.command.<gateway>.<device>`` (JSON :class:`WriteCommand`), answer
:class:`WriteReply`. The request is in the stream COMMAND before it arrives here; the outcome goes
to EVENT, whatever it was. A tag is written only if it is declared writable and the value is of
its type and within its range.
"""

import logging
import math

import msgspec

from mingwu.bus import errors as _bus_errors  # noqa: F401 — registers the texts
from mingwu.edge import errors as _errors  # noqa: F401 — registers the texts
from mingwu.edge.device import Device
from mingwu.kernel.causes import told
from mingwu.kernel.errors import (
    Denied,
    InvalidInput,
    MingwuError,
    NotFound,
    PeerError,
    Unavailable,
)
from mingwu.kernel.plant import TagSpec, ValueType

log = logging.getLogger(__name__)

Value = float | str | bool


class WriteCommand(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for ``value`` (in engineering units) to be written to tag number ``tag``."""

    tag: int
    value: bool | float | str
    # Who asked, for the record.
    by: str = ""


class WriteReply(msgspec.Struct, frozen=True, kw_only=True):
    """``reason`` and ``reason_zh`` are for people, empty when ``ok``."""

    ok: bool
    code: str = ""
    reason: str = ""
    reason_zh: str = ""

    @classmethod
    def of(cls, error: MingwuError | None) -> "WriteReply":
        """The answer for an outcome."""
        if error is None:
            return cls(ok=True)
        return cls(ok=False, code=error.code, reason=str(error), reason_zh=error.text("zh"))


_decode = msgspec.json.Decoder(WriteCommand).decode


def checked(device: str, tag: TagSpec | None, command: WriteCommand) -> tuple[TagSpec, Value]:
    """The tag and the value as its type; raises MingwuError."""
    if tag is None:
        raise NotFound("edge.no-such-tag", device=device, tag=command.tag)
    if not tag.writable:
        raise Denied("edge.not-writable", tag=tag.name)
    value = command.value
    if tag.type is ValueType.TEXT:
        if isinstance(value, str):
            return tag, value
        raise _bad_value(tag, command, "a text is wanted")
    if tag.type is ValueType.BOOL:
        if isinstance(value, bool) or value in (0, 1):
            return tag, bool(value)
        raise _bad_value(tag, command, "true or false is wanted")
    if isinstance(value, str | bool) or not math.isfinite(value):
        raise _bad_value(tag, command, "a number is wanted")
    if tag.type is ValueType.INT and value != int(value):
        raise _bad_value(tag, command, "a whole number is wanted")
    if (tag.low is not None and value < tag.low) or (tag.high is not None and value > tag.high):
        raise _bad_value(tag, command, f"outside {tag.low} … {tag.high}")
    return tag, value


def _bad_value(tag: TagSpec, command: WriteCommand, fault: str) -> InvalidInput:
    return InvalidInput("edge.bad-value", value=command.value, tag=tag.name, fault=fault)


async def carry_out(
    device: Device | None, name: str, body: bytes
) -> tuple[WriteCommand | None, MingwuError | None]:
    """The command, if it could be read, and what went wrong, if anything. Never raises."""
    command: WriteCommand | None = None
    try:
        command = _read(name, body)
        await _write(device, name, command)
    except MingwuError as error:
        log.info("device=%s write refused: %s", name, error)
        return command, error
    log.info("device=%s tag=%d written by=%s", name, command.tag, command.by)
    return command, None


async def _write(device: Device | None, name: str, command: WriteCommand) -> None:
    if device is None:
        raise NotFound("edge.no-such-device", device=name)
    tag, value = checked(name, device.tag(command.tag), command)
    result = await device.write(tag, value)
    if not result.ok:
        raise Unavailable("edge.write-failed", device=name, fault=result.reason)


def _read(name: str, body: bytes) -> WriteCommand:
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise PeerError("bus.malformed-message", subject=name, fault=told(error)) from error
