"""Lets the resolvers of the node know how carriers stand and what they measured.

The database decides, the carriers' table beside the record store repeats it (see
``identity.carriertable``): after every change of a carrier its row is read and written anew, so
the next question anywhere is answered by it. A block is taken the other way round: the row goes
first, then the decision is stored, so no crash in between leaves readings to be told.
"""

import logging

from sqlalchemy import Engine, select

from mingwu.identity.carrierlive import MOST_READINGS, CarrierReading, CarrierRow
from mingwu.identity.carriers import schema
from mingwu.identity.carriers.model import State, Unit
from mingwu.identity.carriers.registrar import UNIT_OF
from mingwu.identity.carriers.rows import find, unit_of
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriertable import CarrierTable
from mingwu.identity.recordkeys import key_of
from mingwu.kernel.errors import Overloaded
from mingwu.store.engine import reading

log = logging.getLogger(__name__)


def row_of(unit: Unit, settings: CarrierSettings) -> CarrierRow:
    """What the trust rule looks at, and the readings with their origins."""
    hidden = set(settings.unpublished_readings)
    newest = max(unit.measured.values(), key=lambda origin: origin.counter, default=None)
    return CarrierRow(
        serial=unit.serial,
        state=unit.to_show,
        is_active=unit.state is State.ACTIVE,
        blocked=unit.blocked.value,
        simulated=unit.simulated,
        registered_ms=unit.registered_ms,
        reported_ms=unit.reported_ms,
        sampled_ms=unit.sampled_ms,
        expires_ms=unit.expires_ms,
        fresh_ms=int(settings.fresh_s * 1000),
        counter=newest.counter if newest else 0,
        digest=newest.digest if newest else "",
        readings=tuple(
            CarrierReading(
                place=place,
                name=name,
                value=value,
                unit=unit.attributes.get(UNIT_OF + name, ""),
                time_ns=unit.measured[name].time_ns,
                counter=unit.measured[name].counter,
                digest=unit.measured[name].digest,
                is_public=name not in hidden,
            )
            for place, (name, value) in enumerate(unit.content.items())
            if name in unit.measured and place < MOST_READINGS
        ),
    )


class Telling:
    """See the module; thread-safe. Without a table nobody is told."""

    def __init__(
        self, engine: Engine, settings: CarrierSettings, table: CarrierTable | None
    ) -> None:
        self._engine, self._settings, self._table = engine, settings, table

    def tell(self, serial: str) -> None:
        """Repeat what is stored of a carrier."""
        if self._table is None:
            return

        def read() -> tuple[bytes, CarrierRow] | None:
            with reading(self._engine) as connection:
                unit = find(connection, serial)
            if unit is None or not unit.identifier:
                return None
            return key_of(unit.identifier), row_of(unit, self._settings)

        try:
            self._table.bring(read)
        except Overloaded as error:  # resolvers go on with what they know, until it is too old
            log.warning("carrier not told serial=%s code=%s %s", serial, error.code, error)

    def withdraw(self, unit: Unit) -> None:
        """Let nobody tell readings under the name a carrier has now."""
        if self._table is not None and unit.identifier:
            self._table.withdraw(unit.serial, key_of(unit.identifier))

    def tell_all(self) -> int:
        """Make the table anew; how many carriers have a name."""
        if self._table is None:
            return 0

        def read() -> list[tuple[bytes, CarrierRow]]:
            query = select(schema.unit).where(schema.unit.c.identifier != "")
            with reading(self._engine) as connection:
                units = [unit_of(row) for row in connection.execute(query)]
            return [(key_of(unit.identifier), row_of(unit, self._settings)) for unit in units]

        try:
            return self._table.replace(read)
        except Overloaded as error:
            log.warning("carriers not told code=%s %s", error.code, error)
            return 0
