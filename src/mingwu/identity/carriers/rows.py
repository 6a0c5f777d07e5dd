"""Rows of the carriers' tables to records and back; one place for what is JSON or base64."""

from base64 import b64decode, b64encode
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.model import Event, Evidence, Fence, OrderRow, Unit

_JSON = ("attributes", "fence", "content", "measured", "detail")


def text(value: object) -> str:
    """Compact JSON."""
    return msgspec.json.encode(value).decode()


def base64_of(data: bytes) -> str:
    """Bytes as they stand in a text column."""
    return b64encode(data).decode()


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {
        str(key): msgspec.json.decode(value) if key in _JSON else value
        for key, value in row._asdict().items()
    }


def unit_of(row: Row[Any]) -> Unit:
    """A carrier."""
    plain = _plain(row)
    del plain["identifier_key"]
    fence = plain["fence"]
    plain["fence"] = msgspec.convert(fence, Fence) if fence else None
    return msgspec.convert(plain, Unit)


def event_of(row: Row[Any]) -> Event:
    """An event."""
    return msgspec.convert(_plain(row), Event)


def order_of(row: Row[Any]) -> OrderRow:
    """An order."""
    return msgspec.convert(_plain(row), OrderRow)


def evidence_of(row: Row[Any]) -> Evidence:
    """A signed report."""
    return Evidence(
        serial=row.serial,
        digest=row.digest,
        at_ms=row.at_ms,
        frame=b64decode(row.frame),
        certificate=b64decode(row.certificate),
    )


def find(connection: Connection, serial: str) -> Unit | None:
    """The carrier with this serial number."""
    row = connection.execute(select(schema.unit).where(schema.unit.c.serial == serial)).first()
    return unit_of(row) if row is not None else None


def next_number(connection: Connection, table: Any) -> int:
    """The next number of a table; inside a write transaction that holds the carriers' lock."""
    return int(connection.execute(select(func.max(table.c.number))).scalar() or 0) + 1
