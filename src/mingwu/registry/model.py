"""What a plant file says: the declared records, before templates are expanded.

One :class:`PlantFile` holds the places, gateways, types and things of a plant. The registry
stores these declarations and derives everything else (tags with numbers, device lists, cards,
Thing Descriptions) from them, so export gives back what was imported. Sources of the terms:
levels from OPC 10030 table 36 (IEC 62264), types from W3C WoT Thing Models (properties, actions,
events = 属性/服务/事件), units UCUM.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mingwu.kernel.plant import Deadband, Kind, Start, ValueType

Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
TypeName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
TagName = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_.{}-]+$")]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Path = Annotated[str, Meta(min_length=1, max_length=250, pattern=r"^[^/\s][^/]*(/[^/\s][^/]*)*$")]
PeriodMs = Annotated[int, Meta(ge=10, le=86_400_000)]


class Level(StrEnum):
    """Equipment levels of OPC 10030 (ISA95EquipmentElementLevelEnum), in the order 0..14."""

    ENTERPRISE = "enterprise"
    SITE = "site"
    AREA = "area"
    PROCESS_CELL = "process_cell"
    UNIT = "unit"
    PRODUCTION_LINE = "production_line"
    WORK_CELL = "work_cell"
    PRODUCTION_UNIT = "production_unit"
    STORAGE_ZONE = "storage_zone"
    STORAGE_UNIT = "storage_unit"
    WORK_CENTER = "work_center"
    WORK_UNIT = "work_unit"
    EQUIPMENT_MODULE = "equipment_module"
    CONTROL_MODULE = "control_module"
    OTHER = "other"


_CENTRES = (
    Level.PROCESS_CELL,
    Level.PRODUCTION_LINE,
    Level.PRODUCTION_UNIT,
    Level.STORAGE_ZONE,
    Level.WORK_CENTER,
)
_UNITS = (Level.UNIT, Level.WORK_CELL, Level.STORAGE_UNIT, Level.WORK_UNIT)

# IEC 62264-1 5.3: enterprise > site > area > work centre > work unit. A place may skip ranks but
# not climb; areas may nest, and OTHER may stand anywhere.
RANK: dict[Level, int] = (
    {Level.ENTERPRISE: 0, Level.SITE: 1, Level.AREA: 2}
    | dict.fromkeys(_CENTRES, 3)
    | dict.fromkeys(_UNITS, 4)
    | {Level.EQUIPMENT_MODULE: 5, Level.CONTROL_MODULE: 6}
)


class RelationKind(StrEnum):
    """What a thing can be to another: the thing is … target."""

    PART_OF = "part_of"
    MOUNTED_ON = "mounted_on"
    METERS = "meters"
    FEEDS = "feeds"
    MAKES = "makes"
    MADE_BY = "made_by"
    MADE_FROM = "made_from"
    BELONGS_TO = "belongs_to"
    INSPECTS = "inspects"
    CONTROLS = "controls"
    USES = "uses"
    DESCRIBES = "describes"
    FOLLOWS = "follows"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all declarations: immutable, unknown keys are faults, defaults are not written."""


class PlaceDef(_Part, frozen=True, kw_only=True):
    """A place. ``path`` joins names from the enterprise down with ``/``; its parent is declared.

    ``en`` and ``zh`` are shown to people; one of them suffices.
    """

    path: Path
    level: Level
    en: str = ""
    zh: str = ""


class GatewayDef(_Part, frozen=True, kw_only=True):
    """An edge gateway by name; ``place`` is where it stands."""

    name: Word
    en: str = ""
    zh: str = ""
    place: str = ""


class Repeat(_Part, frozen=True, kw_only=True):
    """The property stands for several: ``{i}`` in name, titles and address runs first..last."""

    first: int = 1
    last: Annotated[int, Meta(le=10_000)]


class PropertyDef(_Part, frozen=True, kw_only=True):
    """A property of a type (WoT property affordance) and how its tag is acquired by default.

    ``address`` is a template (see ``registry.expand``); without one the property has a tag only in
    things that give an address. ``unit`` UCUM; ``low``/``high`` in that unit; ``period_ms`` the
    acquisition period; value = raw x ``scale`` + ``offset``. ``exposed``: the resolver may answer
    with its live value. ``writable`` is WoT's ``readOnly`` turned round. ``nanoseconds``: the
    history keeps source times to the nanosecond instead of the millisecond.
    """

    name: TagName
    en: str = ""
    zh: str = ""
    type: ValueType = ValueType.FLOAT
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    address: str = ""
    period_ms: PeriodMs = 1000
    deadband: Deadband = Deadband()
    scale: float = 1.0
    offset: float = 0.0
    writable: bool = False
    exposed: bool = False
    nanoseconds: bool = False
    repeat: Repeat | None = None


class FieldDef(_Part, frozen=True, kw_only=True):
    """A named field of an action's input or output or of an event's data."""

    name: TagName
    en: str = ""
    zh: str = ""
    type: ValueType = ValueType.FLOAT
    unit: str = "1"
    low: float | None = None
    high: float | None = None


class ActionDef(_Part, frozen=True, kw_only=True):
    """An action of a type (WoT action affordance, 服务)."""

    name: TagName
    en: str = ""
    zh: str = ""
    input: tuple[FieldDef, ...] = ()
    output: tuple[FieldDef, ...] = ()
    safe: bool = False
    idempotent: bool = False


class EventDef(_Part, frozen=True, kw_only=True):
    """An event of a type (WoT event affordance, 事件)."""

    name: TagName
    en: str = ""
    zh: str = ""
    data: tuple[FieldDef, ...] = ()


class TypeDef(_Part, frozen=True, kw_only=True):
    """A thing type: a WoT Thing Model, with address templates.

    ``variables`` are defaults for the templates; a thing's own variables win.
    """

    name: TypeName
    kind: Kind
    en: str = ""
    zh: str = ""
    version: str = "1.0.0"
    variables: dict[str, int | str] = {}
    property: tuple[PropertyDef, ...] = ()
    action: tuple[ActionDef, ...] = ()
    event: tuple[EventDef, ...] = ()


class ConnectionDef(_Part, frozen=True, kw_only=True):
    """How a thing's tags are reached: a device of a gateway.

    Exactly one thing gives a device its ``driver`` (with ``settings``, ``line``, ``start``);
    other things may ride on it by naming gateway and device only.
    """

    gateway: Word
    device: Word
    driver: str = ""
    settings: dict[str, Any] = {}
    line: str = ""
    start: Start = Start.RETRY


class TagDef(_Part, frozen=True, kw_only=True):
    """A tag of one thing: an override of a ``property`` of its type, or an own tag by ``name``.

    What is left out comes from the property. ``skip`` drops the property's tag in this thing.
    """

    property: str = ""
    name: TagName | None = None
    address: str | None = None
    en: str | None = None
    zh: str | None = None
    type: ValueType | None = None
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    period_ms: PeriodMs | None = None
    deadband: Deadband | None = None
    scale: float | None = None
    offset: float | None = None
    writable: bool | None = None
    exposed: bool | None = None
    nanoseconds: bool | None = None
    skip: bool = False


class RelationDef(_Part, frozen=True, kw_only=True):
    """``kind`` relation from the thing to ``target`` (an identifier, with or without prefix)."""

    kind: RelationKind
    target: Label


class ThingDef(_Part, frozen=True, kw_only=True):
    """A thing. ``id`` without ``/`` gets the plant's prefix. ``kind`` defaults to the type's.

    ``documentation`` is an http(s) URL. ``simulated`` marks every value of its device. ``codes``
    name the same thing in other systems (a GS1 key, an OID …), as they are written there.
    """

    id: Label
    type: str = ""
    kind: Kind | None = None
    en: str = ""
    zh: str = ""
    place: str = ""
    documentation: str = ""
    simulated: bool = False
    codes: tuple[Label, ...] = ()
    variables: dict[str, int | str] = {}
    connection: ConnectionDef | None = None
    relation: tuple[RelationDef, ...] = ()
    tag: tuple[TagDef, ...] = ()


class PlantFile(_Part, frozen=True, kw_only=True):
    """A whole plant. ``name`` owns what the file declares: a later import of the same name is
    the new truth for it and retires what is gone; other plants are not touched.
    """

    name: Word
    prefix: str
    en: str = ""
    zh: str = ""
    place: tuple[PlaceDef, ...] = ()
    gateway: tuple[GatewayDef, ...] = ()
    type: tuple[TypeDef, ...] = ()
    thing: tuple[ThingDef, ...] = ()

    def full_id(self, name: str) -> str:
        """``name`` with the plant's prefix when it has none of its own."""
        return name if "/" in name else f"{self.prefix}/{name}"
