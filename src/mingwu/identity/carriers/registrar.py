"""Who registers a carrier's identifier: the enterprise node, through the second-level node.

:class:`Registrar` is the contract; the composition root gives the enterprise node's. Its calls are
repeated after a crash, so each must be idempotent. :class:`RecordRegistrar` writes straight into
the resolver's records and serves one plant without an enterprise node.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from mingwu.identity.cards import prefix_admin
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import Conflict, NotFound
from mingwu.wire.handle.values import HandleValue

SERIAL_INDEX = 1020
STATE_INDEX = 1021
_FIRST_INDEX = 2000
SERIAL_TYPE = "MW.CARRIER.SERIAL"
STATE_TYPE = "MW.CARRIER.STATE"


class Registrar(Protocol):
    """Registers and deregisters identifiers of carriers; may block; idempotent."""

    def register(self, name: str, serial: str, values: Mapping[str, str]) -> None:
        """Make ``name`` resolvable; raises Conflict ``carriers.name-taken``."""
        ...

    def note_state(self, name: str, state: str) -> None:
        """Show the carrier's state in its record."""
        ...

    def deregister(self, name: str) -> None:
        """Take the name out of resolution."""
        ...


class RecordRegistrar:
    """See the module."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def register(self, name: str, serial: str, values: Mapping[str, str]) -> None:
        known = self._store.get(name)
        if known is not None:
            held = known.value(SERIAL_INDEX)
            if held is None or held.data != serial.encode():
                raise Conflict("carriers.name-taken", name=name)
        now = int(time.time())
        made = [
            HandleValue(SERIAL_INDEX, SERIAL_TYPE, serial.encode(), timestamp=now),
            HandleValue(STATE_INDEX, STATE_TYPE, b"registered", timestamp=now),
        ]
        made += [
            HandleValue(_FIRST_INDEX + at, kind, text.encode(), timestamp=now)
            for at, (kind, text) in enumerate(sorted(values.items()))
            if text
        ]
        self._store.put(Record(name, (*made, prefix_admin(name.partition("/")[0]))))

    def note_state(self, name: str, state: str) -> None:
        def edit(record: Record) -> Record:
            fresh = HandleValue(STATE_INDEX, STATE_TYPE, state.encode(), timestamp=int(time.time()))
            others = tuple(item for item in record.values if item.index != STATE_INDEX)
            return Record(record.name, (*others, fresh), record.live)

        try:
            self._store.change(name, edit)
        except NotFound:
            return  # deregistered meanwhile: there is no record to show it in

    def deregister(self, name: str) -> None:
        self._store.delete_many([name])
