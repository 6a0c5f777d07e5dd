"""Requests to the JetStream API: streams and consumers as the house declares them.

The API is JSON over request/reply (``$JS.API.…``); spelling the few requests out keeps the declared
configuration in one place and complete. Telemetry is kept until every declared consumer has
acknowledged it and refuses new messages when it is full (retention ``interest``, discard ``new``):
the gateway then holds them and says so. The other streams keep a window and forget their oldest.
"""

from typing import Any

import msgspec
import nats.errors

from mingwu.bus import subjects
from mingwu.bus.errors import from_api_error
from mingwu.bus.link import LIBRARY_ERRORS, Link
from mingwu.bus.settings import MIB, BusSettings, StreamLimits
from mingwu.kernel.errors import Unavailable

_NS = 1_000_000_000
_TIMEOUT_S = 5.0
_NOT_THERE = 10059
_THERE_ALREADY = 10058

ACK_WAIT_S = 60.0
MAX_ACK_PENDING = 50_000


class _ApiError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Reply(msgspec.Struct):
    error: _ApiError | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


async def call(link: Link, api: str, body: Any, *, tolerate: int = 0) -> bool:
    """One API request; False if it was refused with code ``tolerate``; raises Unavailable."""
    subject = f"$JS.API.{api}"
    try:
        message = await link.client.request(subject, msgspec.json.encode(body), timeout=_TIMEOUT_S)
        error = _decode_reply(message.data).error
    except nats.errors.NoRespondersError:
        raise Unavailable("bus.rejected", fault="JetStream is off or its disk failed") from None
    except LIBRARY_ERRORS as cause:
        raise Unavailable("bus.rejected", fault=f"no answer to {api}: {cause}") from cause
    except msgspec.DecodeError as cause:
        raise Unavailable("bus.rejected", fault=f"answer to {api}: {cause}") from cause
    if error is None:
        return True
    if error.err_code == tolerate:
        return False
    raise from_api_error(error.err_code, error.description)


def stream_configuration(
    name: str, subject: str, limits: StreamLimits, settings: BusSettings
) -> dict[str, Any]:
    """The complete declaration of a stream."""
    keep_until_read = name == subjects.TELEMETRY and bool(settings.telemetry_consumers)
    return {
        "name": name,
        "subjects": [subject],
        "storage": "file",
        "retention": "interest" if keep_until_read else "limits",
        "discard": "new" if keep_until_read else "old",
        "max_bytes": limits.max_mib * MIB,
        "max_age": int(limits.max_age_s * _NS),
        "num_replicas": limits.replicas,
        "duplicate_window": int(min(settings.duplicate_window_s, limits.max_age_s) * _NS),
        "max_msgs": -1,
        "max_consumers": -1,
        "max_msg_size": -1,
        # A write request is answered by the gateway; an acknowledgement of the stream on the
        # same reply subject would be taken for that answer.
        "no_ack": name == subjects.COMMAND,
        "allow_direct": True,
    }


def consumer_configuration(durable: str) -> dict[str, Any]:
    """The declaration of a durable pull consumer; acknowledging a message acknowledges all
    before it.
    """
    return {
        "durable_name": durable,
        "name": durable,
        "deliver_policy": "all",
        "ack_policy": "all",
        "ack_wait": int(ACK_WAIT_S * _NS),
        "max_ack_pending": MAX_ACK_PENDING,
        "max_deliver": -1,
        "replay_policy": "instant",
    }


async def ensure_consumer(link: Link, stream: str, durable: str) -> None:
    """Create the durable consumer or bring it up to date; raises Unavailable."""
    body = {"stream_name": stream, "config": consumer_configuration(durable)}
    await call(link, f"CONSUMER.DURABLE.CREATE.{stream}.{durable}", body)


async def ensure_streams(link: Link) -> None:
    """Create the streams or bring their limits up to date; raises Unavailable."""
    settings = link.settings
    limits = settings.streams
    for name, subject, own in (
        (subjects.TELEMETRY, subjects.ALL_TELEMETRY, limits.telemetry),
        (subjects.EVENT, subjects.ALL_EVENTS, limits.event),
        (subjects.COMMAND, subjects.ALL_COMMANDS, limits.command),
        (subjects.AUDIT, subjects.ALL_AUDIT, limits.audit),
    ):
        body = stream_configuration(name, subject, own, settings)
        # Update first: creating a stream that exists counts its space twice against the limit.
        if not await call(link, f"STREAM.UPDATE.{name}", body, tolerate=_NOT_THERE):
            await call(link, f"STREAM.CREATE.{name}", body, tolerate=_THERE_ALREADY)
    for durable in settings.telemetry_consumers:
        await ensure_consumer(link, subjects.TELEMETRY, durable)
