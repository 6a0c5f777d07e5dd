"""Which readings of a carrier somebody with an account is not shown.

The rule is that of resolution: unpublished readings are for those the enterprise node granted them,
and for engineers, who run the node. A signed report shows all its readings or it proves nothing, so
it is withheld as a whole.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from mingwu.identity.carrierlive import FIRST_READING_INDEX
from mingwu.identity.carriers.model import Unit
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.routing import Asked
from mingwu.kernel.errors import Denied
from mingwu.trust.roles import Permission

T = TypeVar("T")
Readable = Callable[[str, str], frozenset[int]]
"""(name, account) → indexes of values granted to the account; may block."""
Withheld = Callable[[Unit], frozenset[str]]
"""Names of a carrier's readings that one asker is not shown."""


def withheld_from(asked: Asked, settings: CarrierSettings, readable: Readable | None) -> Withheld:
    """What is withheld from who asks."""
    unpublished = frozenset(settings.unpublished_readings)
    if not unpublished or asked.may(Permission.REGISTER):
        return _nothing

    def withheld(unit: Unit) -> frozenset[str]:
        granted = frozenset[int]()
        if readable is not None and unit.identifier:
            granted = readable(unit.identifier, asked.account)
        shown = {
            name
            for place, name in enumerate(unit.content)
            if FIRST_READING_INDEX + place in granted
        }
        return unpublished - shown

    return withheld


def _nothing(unit: Unit) -> frozenset[str]:
    del unit
    return frozenset()


def without(readings: Mapping[str, T], withheld: frozenset[str]) -> dict[str, T]:
    """The readings that are shown."""
    return {name: value for name, value in readings.items() if name not in withheld}


def require_whole(unit: Unit, withheld: Withheld) -> None:
    """Raise Denied ``carriers.report-withheld`` when a report would show what is withheld."""
    hidden = withheld(unit) & set(unit.content)
    if hidden:
        raise Denied("carriers.report-withheld", readings=", ".join(sorted(hidden)))
