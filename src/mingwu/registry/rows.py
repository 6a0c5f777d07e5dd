"""What the registry answers with, and what can be asked of its tables."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mingwu.kernel.plant import Deadband, Kind, ValueType
from mingwu.registry.model import Level, RelationKind

MAX_PAGE = 5000


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What rows are wanted; an empty field does not restrict.

    ``text``: every word must occur somewhere in names, identifier, titles or address, ASCII case
    ignored. ``place`` includes what lies below it. ``type`` is the thing's type. ``gateway`` and
    ``device`` restrict things to those with tags there. ``numbers`` are tag numbers.
    """

    text: Annotated[str, Meta(max_length=200)] = ""
    place: str = ""
    thing: str = ""
    kind: Kind | None = None
    type: str = ""
    plant: str = ""
    gateway: str = ""
    device: str = ""
    unit: str = ""
    value_type: ValueType | None = None
    numbers: tuple[int, ...] = ()
    exposed: bool | None = None
    simulated: bool | None = None
    retired: bool = False


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of the rows, in which order. ``sort`` is a column name of the row."""

    sort: str = ""
    descending: bool = False
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0, le=MAX_PAGE)] = 100


class ThingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A thing in a list. Times are ms since the epoch."""

    id: str
    kind: Kind
    type: str
    en: str
    zh: str
    place: str
    documentation: str
    simulated: bool
    state: str
    plant: str
    tags: int
    added_at_ms: int
    changed_at_ms: int


class TagRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tag in a list, with what a person needs of its thing."""

    number: int
    thing: str
    name: str
    en: str
    zh: str
    thing_en: str
    thing_zh: str
    kind: Kind
    place: str
    property: str
    type: ValueType
    unit: str
    low: float | None
    high: float | None
    period_ms: int
    gateway: str
    device: str
    address: str
    scale: float
    offset: float
    deadband: Deadband
    writable: bool
    exposed: bool
    simulated: bool
    state: str


class PlaceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A place with what is in it: ``things`` directly, ``all_things``/``all_tags`` below too."""

    path: str
    level: Level
    en: str
    zh: str
    things: int
    all_things: int
    all_tags: int
    children: tuple["PlaceNode", ...] = ()


class RelationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A relation seen from one thing: ``outward`` if it is the source.

    ``en``/``zh`` are the other thing's names; ``label_en``/``label_zh`` read from this thing.
    """

    kind: RelationKind
    outward: bool
    id: str
    en: str
    zh: str
    thing_kind: Kind
    label_en: str
    label_zh: str


class RelationEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A relation between two active things, by their identifiers."""

    source: str
    kind: RelationKind
    target: str


class GatewayRow(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway with the size of its work."""

    name: str
    en: str
    zh: str
    place: str
    plant: str
    devices: int
    tags: int


class PlantRow(msgspec.Struct, frozen=True, kw_only=True):
    """A plant whose file was imported. Time in ms since the epoch."""

    name: str
    prefix: str
    en: str
    zh: str
    imported_at_ms: int


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the change history of types and things; ``declaration`` is JSON."""

    generation: int
    at_ms: int
    actor: str
    plant: str
    subject: str
    name: str
    change: str
    declaration: str


# From the source, and from the target: (en, zh) each.
RELATION_LABELS: dict[RelationKind, tuple[tuple[str, str], tuple[str, str]]] = {
    RelationKind.PART_OF: (("part of", "属于"), ("has part", "包含")),
    RelationKind.MOUNTED_ON: (("mounted on", "安装于"), ("carries", "装有")),
    RelationKind.METERS: (("meters", "计量"), ("metered by", "由…计量")),
    RelationKind.FEEDS: (("feeds", "供给"), ("fed by", "来自")),
    RelationKind.MAKES: (("makes", "生产"), ("made on", "生产于")),
    RelationKind.MADE_BY: (("made by", "制造者"), ("has made", "已制造")),
    RelationKind.MADE_FROM: (("made from", "原料"), ("used in", "用于")),
    RelationKind.BELONGS_TO: (("belongs to", "归属"), ("has", "拥有")),
    RelationKind.INSPECTS: (("inspects", "检测"), ("inspected by", "由…检测")),
    RelationKind.CONTROLS: (("controls", "控制"), ("controlled by", "受控于")),
    RelationKind.USES: (("uses", "使用"), ("used by", "被…使用")),
    RelationKind.DESCRIBES: (("describes", "描述"), ("described by", "见文档")),
    RelationKind.FOLLOWS: (("follows", "后继于"), ("followed by", "后继")),
}
