"""Names under a prefix follow where it is served: they resolve here while it is hosted here.

Rows of a prefix that was left, or that its enterprise serves itself now, are kept for its return;
their records are taken away, so that nobody gets a stale answer as an authoritative one. Records
are written in key order and taken away against it: a crash leaves a beginning of the rows, so the
last row's record tells that all are there, the first one's absence that none is.
"""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import ColumnElement, Engine, Row, Select, select

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.hosted import hosted_record
from mingwu.identity.secondlevel.model import Mode, PrefixRow
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.store.engine import reading

_I = schema.identifier
_PIECE = 2000
_Order = ColumnElement[str]


class HostedNames:
    """What of the hosted names stands in the record store. Synchronous, for use in threads."""

    def __init__(self, engine: Engine, records: RecordStore) -> None:
        self._engine, self._records = engine, records

    def follow(self, prefix: PrefixRow) -> int:
        """Show or hide the names of a prefix as it says; returns how many changed."""
        if prefix.state == ACTIVE and prefix.mode is Mode.HOSTED:
            return self._show(prefix.prefix)
        return self._hide(prefix.prefix)

    def _show(self, prefix: str) -> int:
        if not self._differs(prefix, _I.c.key.desc(), there=False):
            return 0
        count = 0
        for rows in self._pieces(prefix, _I.c.key):
            self._records.put_many(
                hosted_record(row.name, prefix, row.template, msgspec.json.decode(row.content))
                for row in rows
            )
            count += len(rows)
        return count

    def _hide(self, prefix: str) -> int:
        if not self._differs(prefix, _I.c.key, there=True):
            return 0
        count = 0
        for rows in self._pieces(prefix, _I.c.key.desc()):
            self._records.delete_many(row.name for row in rows)
            count += len(rows)
        return count

    def _differs(self, prefix: str, order: _Order, *, there: bool) -> bool:
        """Whether the first row in this order has a record (``there``) or has none."""
        with reading(self._engine) as connection:
            row = connection.execute(_rows(prefix).order_by(order).limit(1)).first()
        return row is not None and (self._records.get(row.name) is not None) is there

    def _pieces(self, prefix: str, order: _Order) -> Iterator[Sequence[Row[tuple[object, ...]]]]:
        with reading(self._engine) as connection:
            streamed = connection.execution_options(yield_per=_PIECE)
            yield from streamed.execute(_rows(prefix).order_by(order)).partitions()


def _rows(prefix: str) -> Select[tuple[object, ...]]:
    return select(_I).where(_I.c.prefix == prefix, ~_I.c.deleted)
