"""Keeps what the records say in step with what the platform decided about its carriers.

A decision (suspended, revoked, renamed, written back …) is durable first and told to the registrar
second; ``unit.shown`` remembers what was told. So a crash or a registrar that is away leaves a
difference, and :meth:`Showing.catch_up` removes it. Telling twice changes nothing.
"""

import logging
import threading

from sqlalchemy import Engine, case, or_, select, update

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.model import Blocked, Unit
from mingwu.identity.carriers.registrar import RENAMED_FROM, Registrar
from mingwu.identity.carriers.rows import find, text
from mingwu.kernel.errors import MingwuError
from mingwu.store.engine import reading, writing

log = logging.getLogger(__name__)
_U = schema.unit


class Showing:
    """See the module; thread-safe."""

    def __init__(self, engine: Engine, registrar: Registrar) -> None:
        self._engine, self._registrar = engine, registrar
        self._lock = threading.Lock()

    def bring(self, serial: str) -> bool:
        """Tell what is due for one carrier; False when it could not be told now."""
        with self._lock:
            with reading(self._engine) as connection:
                unit = find(connection, serial)
            if unit is None or not unit.identifier:
                return True
            before = unit.attributes.get(RENAMED_FROM, "")
            if unit.shown == unit.to_show and not before:
                return True
            try:
                self._tell(unit, before)
            except MingwuError as error:
                log.warning("record behind serial=%s code=%s %s", serial, error.code, error)
                return False
            self._told(unit, before)
            return True

    def catch_up(self) -> int:
        """Tell whatever is due; how many carriers could be told of."""
        due = case((_U.c.blocked != "", _U.c.blocked), else_=_U.c.state)
        behind = or_(_U.c.shown != due, _U.c.attributes.contains(f'"{RENAMED_FROM}"'))
        query = select(_U.c.serial).where(_U.c.identifier != "", behind)
        with reading(self._engine) as connection:
            serials = connection.execute(query).scalars().all()
        return sum(self.bring(serial) for serial in serials)

    def _tell(self, unit: Unit, before: str) -> None:
        if before and before != unit.identifier:
            self._registrar.deregister(before)
        if unit.blocked is Blocked.REVOKED:
            self._registrar.deregister(unit.identifier)
        else:
            self._registrar.note_state(unit.identifier, unit.to_show)

    def _told(self, unit: Unit, before: str) -> None:
        """Note it, unless somebody decided anew meanwhile."""
        changes = {"shown": unit.to_show}
        if before and unit.written_ms:  # the carrier holds the new name: nobody shows the old one
            kept = {key: value for key, value in unit.attributes.items() if key != RENAMED_FROM}
            changes["attributes"] = text(kept)
        mine = (_U.c.serial == unit.serial) & (_U.c.identifier == unit.identifier)
        same = (_U.c.blocked == unit.blocked.value) & (_U.c.state == unit.state.value)
        with writing(self._engine) as connection:
            connection.execute(update(_U).where(mine, same).values(changes))
