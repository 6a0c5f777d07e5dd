"""Records of the enterprise node: data templates (元数据), registrations, results, rows.

A template says what an identifier's record must hold: items with an index from 2000 on (1000,
1001 and 1999 are reserved by the national systems), a type (idType), limits, and whether anybody
or only the granted may read them. Field names follow the deployed business systems' documents.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.lifecycle import State
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind

# Batches make these records by the thousand; they hold no cycles, so the collector need not see
# them (``gc=False``).
FIRST_INDEX = 2000
LAST_INDEX = 99_999
TEMPLATE_ID_INDEX = 1000
TEMPLATE_INDEX = 1001
KIND_INDEX = 1011
ACTIVE_CARRIER, OTHER = 1, 2
MAX_VALUE_CHARS = 4000

ItemType = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class DataType(StrEnum):
    """What an item's values are; all travel as text."""

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    IDENTIFIER = "identifier"
    URL = "url"


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item (属性). ``index`` 0 takes the next free one from 2000 on.

    ``default`` is what forms begin with; the node itself fills nothing in. Lengths count
    characters; ``low`` and ``high`` bound numbers, ``decimals`` their digits behind the point;
    ``date_format`` is made of YYYY, MM, DD, HH, mm, ss. ``restricted`` items are answered to those
    who were granted them only; ``unique`` values occur once per template.
    """

    type: ItemType
    index: Annotated[int, Meta(ge=0, le=LAST_INDEX)] = 0
    name_zh: Annotated[str, Meta(max_length=200)] = ""
    name_en: Annotated[str, Meta(max_length=200)] = ""
    code: Annotated[str, Meta(max_length=50)] = ""
    data_type: DataType = DataType.STRING
    required: bool = False
    unique: bool = False
    restricted: bool = False
    enabled: bool = True
    min_length: Annotated[int, Meta(ge=0, le=MAX_VALUE_CHARS)] = 0
    max_length: Annotated[int, Meta(ge=1, le=MAX_VALUE_CHARS)] = 255
    low: float | None = None
    high: float | None = None
    decimals: Annotated[int, Meta(ge=0, le=12)] | None = None
    date_format: Annotated[str, Meta(max_length=40)] = "YYYY-MM-DD"
    choices: tuple[str, ...] = ()
    default: Annotated[str, Meta(max_length=MAX_VALUE_CHARS)] = ""
    unit: str = ""
    comment: Annotated[str, Meta(max_length=1000)] = ""


class Industry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GB/T 4754: category (门类), division (大类), group (中类), class (小类)."""

    category: str
    division: str
    group: str = ""
    class_: str = msgspec.field(default="", name="class")


class TemplateDef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data template as people and programs write it. ``handle`` empty: made from the version."""

    prefix: Annotated[str, Meta(min_length=1, max_length=64)]
    version: Annotated[str, Meta(min_length=1, max_length=128)]
    industry: Industry
    items: Annotated[tuple[Item, ...], Meta(max_length=500)]
    handle: Annotated[str, Meta(max_length=255)] = ""
    name_zh: Annotated[str, Meta(max_length=200)] = ""
    name_en: Annotated[str, Meta(max_length=200)] = ""
    type: Annotated[int, Meta(ge=ACTIVE_CARRIER, le=OTHER)] = OTHER
    kind: Kind = Kind.PRODUCT
    description: Annotated[str, Meta(max_length=1000)] = ""
    standard: Annotated[str, Meta(max_length=200)] = ""
    classify: Annotated[str, Meta(max_length=100)] = ""


class TemplateState(StrEnum):
    """Whether names can be registered with a template."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A stored template. ``revision`` counts its changes."""

    number: int
    state: TemplateState
    revision: int
    created_by: str
    created_at_ms: int
    changed_at_ms: int
    definition: TemplateDef

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.definition.prefix} {self.definition.version}"


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a template, and what it said afterwards."""

    revision: int
    at_ms: int
    actor: str
    action: str
    definition: TemplateDef


class TemplateRef(msgspec.Struct, frozen=True, gc=False):
    """Names a template: by handle, or by prefix and version."""

    prefix: str = ""
    version: str = ""
    handle: str = ""

    def __str__(self) -> str:
        return self.handle or f"{self.prefix} {self.version}".strip()


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: an account, or an application identity (by its handle) on behalf of one.

    An application is not its account: what the account registered is not the application's own.
    ``may_all``: acts for the enterprise and may change every identifier of it.
    """

    name: str
    account: str = ""
    may_all: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Folded names that ownership and grants may name."""
        return (fold(self.name),) if self.name else ()


class Registration(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is asked for one name: its template and values by item type.

    ``kind`` None takes the template's. ``version`` is the version a change is based on; 0 does
    not compare. ``fault`` was found by whoever read the request; ``indexes`` are those it
    gave to the item types, to be compared with the template's.
    """

    name: str
    template: TemplateRef
    values: Mapping[str, str]
    kind: Kind | None = None
    version: int = 0
    fault: Fault | None = None
    indexes: Mapping[str, int] = {}


class Move(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A name to file, return or deregister, as somebody saw it: ``version`` 0 does not compare."""

    name: str
    version: Annotated[int, Meta(ge=0)] = 0


class ItemResult(msgspec.Struct, frozen=True, gc=False):
    """How it went for one name of a call; without fault it is durable.

    ``fault`` is the first one found, ``more`` are the others of the same name.
    """

    name: str
    fault: Fault | None = None
    state: State | None = None
    version: int = 0
    more: tuple[Fault, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that is wrong with the name."""
        return () if self.fault is None else (self.fault, *self.more)

    @property
    def ok(self) -> bool:
        return self.fault is None


class IdentifierRow(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier as lists show it. Times in ms since the epoch."""

    name: str
    prefix: str
    kind: Kind
    template: int
    state: State
    version: int
    owner: str
    registered_at_ms: int
    changed_at_ms: int


class Value(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One stored value: index and type of its item, and the text."""

    index: int
    type: str
    value: str


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an identifier. ``previous`` is the sequence of the one before, 0 for none."""

    sequence: int
    previous: int
    name: str
    version: int
    kind: Kind
    template: int
    state: State
    action: str
    actor: str
    at_ms: int
    values: tuple[Value, ...]
    note: str = ""


class Identifier(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier with its values."""

    row: IdentifierRow
    values: tuple[Value, ...]
