"""The one place that touches asyncua's internals: a request body goes out as bytes, the reply
comes back as bytes.

asyncua builds a Python object per node and per value, 20-40 µs each; a plant's requests are
constant and its replies regular, so that price buys nothing. This module appends our bytes to a
request header (OPC 10000-4, 7.33), hands them to asyncua's secure channel, which chunks, signs
and encrypts them as any other message, and registers a future for the reply as asyncua itself
does. Used of asyncua 2.1 (pinned below 2.2): ``UaClient.protocol``, ``UASocketProtocol``'s
``_connection``, ``_callbackmap``, ``_request_id``, ``_request_handle``, ``transport``,
``authentication_token``, ``revolve_security_token``, and ``SecureConnection._limits``.
"""
# ruff: noqa: SLF001 — see above

import asyncio
import struct
import time
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, nodeid_to_binary, struct_from_binary
from asyncua.ua.uaerrors import UaError

from mingwu.field.opcua.layout import TICKS_1970
from mingwu.field.opcua.scan import Malformed

READ, READ_REPLY = 631, 634
PUBLISH, PUBLISH_REPLY = 826, 829
REPUBLISH, REPUBLISH_REPLY = 832, 835
CREATE_MONITORED_ITEMS, CREATE_MONITORED_ITEMS_REPLY = 751, 754
CREATE_SUBSCRIPTION, CREATE_SUBSCRIPTION_REPLY = 787, 790
DELETE_SUBSCRIPTIONS, DELETE_SUBSCRIPTIONS_REPLY = 847, 850
_SERVICE_FAULT = 397

MAX_REPLY_BYTES = 64 << 20

# time, handle, diagnostics wanted, audit entry (null), timeout hint, additional header (none)
_REQUEST_HEADER = struct.Struct("<qIIiI3s")
# type id in four bytes; time, handle, result; no diagnostics; then a string table length
_PLAIN_REPLY = struct.Struct("<BBHqIIBi3s")
_NO_OBJECT = b"\0\0\0"


class ServiceFailed(Exception):
    """The server answered a request with a bad service result; ``code`` is its status code."""

    def __init__(self, code: int) -> None:
        super().__init__(status_name(code))
        self.code = code


def status_name(code: int) -> str:
    """The name of a status code, e.g. ``BadNodeIdUnknown``."""
    return str(ua.StatusCode(ua.UInt32(code & 0xFFFF_0000)).name)


def limit_replies(client: Client) -> None:
    """Bound the size of a reply where the server did not (asyncua's default is no limit)."""
    protocol: Any = client.uaclient.protocol
    limits = protocol._connection._limits
    limits.max_message_size = min(limits.max_message_size or MAX_REPLY_BYTES, MAX_REPLY_BYTES)


async def call(
    client: Client, kind: int, body: bytes, *, reply: int, timeout_s: float | None
) -> tuple[bytes, int]:
    """Send request type ``kind``; the reply's bytes and the position after its header.

    Raises ServiceFailed, Malformed, TimeoutError, ConnectionError or OSError.
    """
    future = _send(client.uaclient.protocol, kind, body, timeout_s or 0.0)
    async with asyncio.timeout(timeout_s):
        buffer = await future
    data = bytes(buffer)
    found, result, pos = _reply_header(data)
    if result >> 31:
        raise ServiceFailed(result)
    if found != reply:
        raise Malformed(f"reply of type {found} to a request of type {kind}")
    return data, pos


def _send(protocol: Any, kind: int, body: bytes, timeout_s: float) -> asyncio.Future[Any]:
    if protocol is None or protocol.transport is None:
        raise ConnectionError("not connected")
    protocol._request_handle = (protocol._request_handle + 1) & 0xFFFF_FFFF
    header = _REQUEST_HEADER.pack(
        time.time_ns() // 100 + TICKS_1970,
        protocol._request_handle, 0, -1, int(timeout_s * 1000), _NO_OBJECT,
    )  # fmt: skip
    token = nodeid_to_binary(protocol.authentication_token)
    protocol.revolve_security_token()
    request_id = protocol._request_id + 1
    message = protocol._connection.message_to_binary(
        struct.pack("<BBH", 1, 0, kind) + token + header + body, request_id=request_id
    )
    protocol._request_id = request_id
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    protocol._callbackmap[request_id] = future
    protocol.transport.write(message)
    return future


def _reply_header(data: bytes) -> tuple[int, int, int]:
    """(type id, service result, position after the header) of any reply. Raises Malformed."""
    try:
        form, space, kind, _, _, result, diagnostics, strings, extra = _PLAIN_REPLY.unpack_from(
            data
        )
        plain = (form, space, diagnostics, extra) == (1, 0, 0, _NO_OBJECT) and strings <= 0
        if plain:
            return kind, result, _PLAIN_REPLY.size
        buffer = Buffer(data)
        kind = int(str(nodeid_from_binary(buffer).Identifier))
        header = struct_from_binary(ua.ResponseHeader, buffer)
    except (struct.error, ValueError, TypeError, AttributeError, UaError) as error:
        raise Malformed("reply header") from error
    return kind, int(header.ServiceResult.value), buffer.cur_pos
