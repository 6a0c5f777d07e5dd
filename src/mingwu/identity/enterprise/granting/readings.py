"""Readings of active carriers that can be granted: those that their node does not publish.

They stand beside the restricted items of the carrier's template, under the type that their value
has in an answer (``MW.LIVE.<reading>``), and are granted, explained and read by the same rules.
"""

from mingwu.identity.enterprise.model import ACTIVE_CARRIER, Item, TemplateDef
from mingwu.identity.live import TYPE_PREFIX
from mingwu.identity.records import RecordStore


def reading_items(store: RecordStore, name: str) -> tuple[Item, ...]:
    """The unpublished readings that a name's carrier has sent, as items at their indexes."""
    return tuple(_item(kind, index) for kind, index in store.unpublished(name).items())


def grantable(definition: TemplateDef, unpublished: tuple[str, ...]) -> tuple[Item, ...]:
    """What can be granted of readings for all names of a template."""
    if definition.type != ACTIVE_CARRIER:
        return ()
    return tuple(_item(TYPE_PREFIX + name, 0) for name in unpublished)


def _item(kind: str, index: int) -> Item:
    name = kind.removeprefix(TYPE_PREFIX)
    return Item(
        type=kind, index=index, name_zh=f"实时读数 {name}", name_en=f"live reading {name}",
        restricted=True,
    )  # fmt: skip
