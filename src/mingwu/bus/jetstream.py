"""Requests to the JetStream API: streams and consumers as the house declares them.

The API is JSON over request/reply (``$JS.API.…``); spelling the few requests out keeps the declared
configuration in one place and complete. Telemetry is kept until every declared consumer has
acknowledged it and refuses new messages when it is full (retention ``interest``, discard ``new``):
the gateway then holds them and says so. The other streams keep a window and forget their oldest.
"""

from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg

from mingwu.bus import subjects
from mingwu.bus.errors import from_api_error
from mingwu.bus.link import LIBRARY_ERRORS, Link
from mingwu.bus.settings import MIB, BusSettings, StreamLimits
from mingwu.kernel.catalogue import Phrase
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


class _StreamState(msgspec.Struct):
    first_seq: int = 0
    last_seq: int = 0


class _Floor(msgspec.Struct):
    stream_seq: int = 0


class ApiReply(msgspec.Struct):
    """What the house reads of the API's answers; fields an answer lacks keep their defaults."""

    error: _ApiError | None = None
    state: _StreamState = msgspec.field(default_factory=_StreamState)
    ack_floor: _Floor = msgspec.field(default_factory=_Floor)

    @property
    def refused(self) -> bool:
        return self.error is not None


_decode_reply = msgspec.json.Decoder(ApiReply).decode


async def call(link: Link, api: str, body: Any, *, tolerate: int = 0) -> ApiReply:
    """One API request; a refusal with code ``tolerate`` is returned, others raise Unavailable."""
    subject = f"$JS.API.{api}"
    try:
        message = await link.client.request(subject, msgspec.json.encode(body), timeout=_TIMEOUT_S)
        reply = _decode_reply(message.data)
    except nats.errors.NoRespondersError:
        raise Unavailable(
            "bus.rejected",
            fault=Phrase("JetStream is off or its disk failed", "JetStream 未启用或磁盘故障"),
        ) from None
    except LIBRARY_ERRORS as cause:
        raise Unavailable(
            "bus.rejected", fault=Phrase(f"no answer to {api}: {cause}", f"{api} 无应答：{cause}")
        ) from cause
    except msgspec.DecodeError as cause:
        raise Unavailable(
            "bus.rejected", fault=Phrase(f"answer to {api}: {cause}", f"{api} 的应答有误：{cause}")
        ) from cause
    error = reply.error
    if error is None or error.err_code == tolerate:
        return reply
    raise from_api_error(error.err_code, error.description)


async def stored(link: Link, stream: str, sequence: int) -> Msg | None:
    """A message by its sequence, None if the stream does not have it; raises Unavailable."""
    subject = f"$JS.API.DIRECT.GET.{stream}"
    try:
        message = await link.client.request(
            subject, msgspec.json.encode({"seq": sequence}), timeout=_TIMEOUT_S
        )
    except LIBRARY_ERRORS as cause:
        raise Unavailable(
            "bus.rejected",
            fault=Phrase(f"no message {sequence}: {cause}", f"没有消息 {sequence}：{cause}"),
        ) from cause
    headers = message.headers or {}
    if "Status" in headers:
        return None
    message.subject = headers.get("Nats-Subject", stream)
    return message


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


async def ensure_consumer(link: Link, stream: str, durable: str) -> int:
    """Create the durable consumer or bring it up to date; raises Unavailable.

    Returns the stream sequence up to which everything is acknowledged.
    """
    body = {"stream_name": stream, "config": consumer_configuration(durable)}
    reply = await call(link, f"CONSUMER.DURABLE.CREATE.{stream}.{durable}", body)
    return reply.ack_floor.stream_seq


async def ensure_streams(link: Link) -> None:
    """Create the streams or bring their limits up to date; raises Unavailable.

    A stream that keeps messages for its consumers would drop what comes before they exist. So it
    is made without its subject, small, then its consumers, and only then it listens. Whoever runs
    this beside us keeps the same order.
    """
    settings = link.settings
    limits = settings.streams
    for name, subject, own, consumers in (
        (
            subjects.TELEMETRY,
            subjects.ALL_TELEMETRY,
            limits.telemetry,
            settings.telemetry_consumers,
        ),
        (subjects.EVENT, subjects.ALL_EVENTS, limits.event, ()),
        (subjects.COMMAND, subjects.ALL_COMMANDS, limits.command, ()),
        (subjects.AUDIT, subjects.ALL_AUDIT, limits.audit, ()),
    ):
        body = stream_configuration(name, subject, own, settings)
        if (await call(link, f"STREAM.INFO.{name}", {}, tolerate=_NOT_THERE)).refused:
            deaf = {**body, "subjects": [subjects.nothing(name)], "max_bytes": MIB}
            await call(link, f"STREAM.CREATE.{name}", deaf, tolerate=_THERE_ALREADY)
        for durable in consumers:
            await ensure_consumer(link, name, durable)
        await call(link, f"STREAM.UPDATE.{name}", body)
