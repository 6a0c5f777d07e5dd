"""The JSON form of records, as the HTTP interface of deployed servers speaks it.

``{"responseCode": 1, "handle": …, "values": [{"index", "type", "data": {"format", "value"},
"ttl", "timestamp", "permissions"?, "references"?}]}``. Data formats: ``string``, ``base64``,
``hex`` (accepted), ``admin``, ``vlist``, ``site``, ``key``. ``permissions`` (four binary digits)
stands only where it is not the default 1110; an absolute ttl is an ISO time.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from mingwu.wire.handle import admin, keys, site
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import (
    DEFAULT_TTL_S,
    MAX_INDEX,
    HandleValue,
    Reference,
    read_references,
    references,
)

Json = dict[str, Any]
_TRANSPORTS = {0: "UDP", 1: "TCP", 2: "HTTP", 3: "HTTPS"}
_MOST_DIGITS = 10
_KEPT_CONTROLS = str.maketrans("", "", "\t\n\r")


@lru_cache(4096)
def iso_time(seconds: int) -> str:
    """Seconds since the epoch as ISO 8601 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def small_int(text: str) -> int | None:
    """A decimal number of at most ten ASCII digits; None for anything else."""
    usable = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if usable else None


def from_iso(text: str) -> int:
    """ISO 8601 time as seconds since the epoch."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise ProtocolError(f"{str(text)[:40]!r} is not an ISO time") from error


def value_to_json(value: HandleValue) -> Json:
    """One value in JSON form."""
    result: Json = {
        "index": value.index,
        "type": value.type,
        "data": data_to_json(value.type, value.data),
    }
    if value.permissions != DEFAULT_PERMISSIONS:
        result["permissions"] = format(value.permissions, "04b")
    result["ttl"] = iso_time(value.ttl) if value.ttl_absolute else value.ttl
    result["timestamp"] = iso_time(value.timestamp)
    if value.references:
        result["references"] = [_reference(item) for item in value.references]
    return result


def data_to_json(kind: str, data: bytes) -> Json:
    """Data with its format; typed data that does not parse falls back to string or base64."""
    typed = _TYPED.get(kind.upper())
    if typed:
        try:
            return {"format": typed[0], "value": typed[1](data)}
        except ProtocolError:
            return {"format": "base64", "value": base64.b64encode(data).decode()}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"format": "base64", "value": base64.b64encode(data).decode()}
    if text.translate(_KEPT_CONTROLS).isprintable():
        return {"format": "string", "value": text}
    return {"format": "base64", "value": base64.b64encode(data).decode()}


def value_from_json(data: Mapping[str, Any], now: int) -> HandleValue:
    """A value from its JSON form; ``now`` (seconds) stands in for a missing timestamp."""
    try:
        index, kind, content = data["index"], data["type"], data["data"]
    except (KeyError, TypeError) as error:
        raise ProtocolError(f"value without {error}") from error
    if not isinstance(index, int) or not 0 < index <= MAX_INDEX or not isinstance(kind, str):
        raise ProtocolError(f"index {index!r} or type {kind!r} is not usable")
    ttl = data.get("ttl", DEFAULT_TTL_S)
    permissions = data.get("permissions", format(DEFAULT_PERMISSIONS, "04b"))
    stamp = data.get("timestamp")
    try:
        return HandleValue(
            index=index,
            type=kind,
            data=data_from_json(content),
            ttl=from_iso(ttl) if isinstance(ttl, str) else int(ttl),
            ttl_absolute=isinstance(ttl, str),
            timestamp=from_iso(stamp) if stamp else now,
            permissions=int(permissions, 2) if isinstance(permissions, str) else int(permissions),
            references=tuple(
                Reference(str(item["handle"]), int(item["index"]))
                for item in data.get("references") or ()
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"value {index}: {error}") from error


def data_from_json(content: object) -> bytes:
    """Data bytes from ``{"format", "value"}`` or a bare string."""
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, Mapping):
        raise ProtocolError("data is neither a string nor an object")
    parse = _PARSERS.get(str(content.get("format", "string")))
    if parse is None:
        raise ProtocolError(f"data format {content.get('format')!r} is not known")
    try:
        return parse(content.get("value"))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise ProtocolError(f"data of format {content.get('format')}: {error}") from error


def _reference(item: Reference) -> Json:
    return {"handle": item.handle, "index": item.index}


def _admin_json(data: bytes) -> Json:
    handle, index, permissions = _admin_parts(bytes(data))
    return {"handle": handle, "index": index, "permissions": permissions}


@lru_cache(1024)  # most records of a prefix have the same administrator
def _admin_parts(data: bytes) -> tuple[str, int, str]:
    record = admin.read_admin(data)
    return record.handle, record.index, admin.rights_text(record.rights)


def _vlist_json(data: bytes) -> list[Json]:
    reader = Reader(data)
    items = read_references(reader)
    if reader.left:
        raise ProtocolError(f"{reader.left} bytes after a value list")
    return [_reference(item) for item in items]


def _key_json(data: bytes) -> Json:
    return dict(keys.to_jwk(keys.read_key(data)))


def _key_object(data: bytes) -> Json:
    try:
        return {"format": "key", "value": _key_json(data)}
    except ProtocolError:
        return {"format": "base64", "value": base64.b64encode(data).decode()}


def _interface_json(item: site.Interface) -> Json:
    return {
        "query": bool(item.service & site.Service.QUERY),
        "admin": bool(item.service & site.Service.ADMIN),
        "protocol": _TRANSPORTS.get(item.transport, str(item.transport)),
        "port": item.port,
    }


def _site_json(data: bytes) -> Json:
    record = site.read_site(data)
    return {
        "version": record.format,
        "protocolVersion": f"{record.version[0]}.{record.version[1]}",
        "serialNumber": record.serial,
        "primarySite": record.primary,
        "multiPrimary": record.multi_primary,
        "attributes": [{"name": name, "value": value} for name, value in record.attributes],
        "servers": [
            {
                "serverId": server.id,
                "address": server.host,
                "publicKey": _key_object(server.public_key),
                "interfaces": [_interface_json(item) for item in server.interfaces],
            }
            for server in record.servers
        ],
    }


def _admin_bytes(value: Any) -> bytes:
    rights = value.get("permissions", "1" * admin.RIGHTS_BITS)
    return admin.encode_admin(admin.Admin(value["handle"], int(value["index"]), int(rights, 2)))


def _vlist_bytes(value: Any) -> bytes:
    return references(Reference(item["handle"], int(item["index"])) for item in value)


def _key_bytes(value: Any) -> bytes:
    return keys.encode_key(keys.from_jwk(value))


def _server_from_json(value: Any) -> site.Server:
    names = {name: number for number, name in _TRANSPORTS.items()}
    key = value.get("publicKey")
    return site.Server(
        id=int(value["serverId"]),
        address=site.pack_address(value["address"]),
        public_key=data_from_json(key) if key else b"",
        interfaces=tuple(
            site.Interface(
                (site.Service.QUERY if item["query"] else 0)
                | (site.Service.ADMIN if item["admin"] else 0),
                names[item["protocol"]],
                int(item["port"]),
            )
            for item in value["interfaces"]
        ),
    )


def _site_bytes(value: Any) -> bytes:
    major, minor = value.get("protocolVersion", "2.11").split(".")
    return site.encode_site(
        site.Site(
            servers=tuple(_server_from_json(item) for item in value["servers"]),
            serial=int(value.get("serialNumber", 1)),
            version=(int(major), int(minor)),
            primary=bool(value.get("primarySite", True)),
            multi_primary=bool(value.get("multiPrimary", False)),
            attributes=tuple(
                (item["name"], item["value"]) for item in value.get("attributes") or ()
            ),
            format=int(value.get("version", 1)),
        )
    )


def _base64_bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ProtocolError(f"base64: {error}") from error


def _string_bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ProtocolError("format string without a string")
    return value.encode()


_TYPED: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "HS_ADMIN": ("admin", _admin_json),
    "HS_VLIST": ("vlist", _vlist_json),
    "HS_SITE": ("site", _site_json),
    "HS_PUBKEY": ("key", _key_json),
}

TYPED = frozenset(_TYPED)
"""Types (upper-cased) whose data has a form of its own; such a form is one of several encodings."""

_PARSERS: dict[str, Callable[[Any], bytes]] = {
    "string": _string_bytes,
    "base64": _base64_bytes,
    "hex": bytes.fromhex,
    "admin": _admin_bytes,
    "vlist": _vlist_bytes,
    "key": _key_bytes,
    "site": _site_bytes,
}
