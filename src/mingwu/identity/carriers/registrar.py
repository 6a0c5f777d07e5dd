"""Who registers a carrier's identifier: the contract, what it is told, and the plainest way.

:class:`Registrar` is the contract; ``registrars`` fulfils it with the enterprise node and the
second-level node. Its calls are repeated after a crash, so each must be idempotent.
:class:`RecordRegistrar` writes straight into the resolver's records, for a plant that runs neither.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from mingwu.identity.cards import prefix_admin
from mingwu.identity.carriers.model import ReadingName, Unit
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import Conflict, NotFound
from mingwu.wire.handle.values import HandleValue

SERIAL_INDEX = 1020
STATE_INDEX = 1021
_FIRST_INDEX = 2000
SERIAL_TYPE = "MW.CARRIER.SERIAL"  # one of carrierlive.SERIAL_TYPES
STATE_TYPE = "MW.CARRIER.STATE"
SIMULATED_INDEX = 8  # where a thing's card has it too
SIMULATED_TYPE = "MW.SIMULATED"
OWNER_TYPE = "OWNER"
RENAMED_FROM = "renamed-from"
UNIT_OF = "unit."
"""Attributes ``unit.<reading>`` give the unit that a reading is told with (UCUM)."""
NAME_OF = {"zh": "name.zh.", "en": "name.en."}
"""Attributes ``name.zh.<reading>`` and ``name.en.<reading>`` say what people call a reading."""
_OF_READINGS = (UNIT_OF, *NAME_OF.values())


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

    def is_registered(self, name: str) -> bool:
        """Whether the name resolves now, whoever may have taken it away."""
        ...


def reading_names(attributes: Mapping[str, str]) -> dict[str, ReadingName]:
    """What the readings are called, by reading."""
    found: dict[str, dict[str, str]] = {}
    for lang, prefix in NAME_OF.items():
        for key, words in attributes.items():
            if key.startswith(prefix):
                found.setdefault(key.removeprefix(prefix), {})[f"name_{lang}"] = words
    return {reading: ReadingName(**words) for reading, words in found.items()}


def record_values(unit: Unit) -> dict[str, str]:
    """What the registrar is told: attributes, owner, and the fields of sync table T9.

    The carrier's own T9 fields are filled from what was provisioned; attributes named
    ``t9.<field>`` (brand, product, terminal_use, access_licence …) give the others. Units
    and names of readings stand beside their readings, not here.
    """
    values = {
        key: value
        for key, value in unit.attributes.items()
        if key != RENAMED_FROM and not key.startswith(_OF_READINGS)
    }
    known = {
        OWNER_TYPE: unit.owner,
        "t9.terminal_type": unit.form,
        "t9.terminal_owner": unit.owner,
        "t9.terminal_serial": unit.serial,
    }
    return {key: value for key, value in (known | values).items() if value}


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
        self._put(name, STATE_INDEX, STATE_TYPE, state)

    def mark_simulated(self, name: str) -> None:
        """Put the name service's mark into a record that a node registered."""
        self._put(name, SIMULATED_INDEX, SIMULATED_TYPE, "true")

    def _put(self, name: str, index: int, kind: str, text: str) -> None:
        known = self._store.get(name)
        held = known.value(index) if known is not None else None
        if held is not None and held.data == text.encode():
            return

        def edit(record: Record) -> Record:
            fresh = HandleValue(index, kind, text.encode(), timestamp=int(time.time()))
            others = [item for item in record.values if item.index != index]
            values = sorted((*others, fresh), key=lambda item: item.index)
            return Record(record.name, tuple(values), record.live)

        try:
            self._store.change(name, edit)
        except NotFound:
            return  # deregistered meanwhile: there is no record to show it in

    def deregister(self, name: str) -> None:
        self._store.delete_many([name])

    def is_registered(self, name: str) -> bool:
        return self._store.get(name) is not None
