"""Shapes of queries, bodies and replies: msgspec structs, the source of the OpenAPI document.

Times are milliseconds since the epoch, UTC (browsers count so); ages are seconds. Columns of a
series are parallel lists. ``state`` of a tag is ``good``, ``uncertain``, ``bad``, ``stale`` or
``never``; ``simulated`` is the mark that data carries from the driver on.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mingwu.api.ports import (
    AccountRow,
    CompletenessRow,
    JournalRow,
    PlaceRow,
    RelationRow,
    TagRow,
    ThingRow,
)
from mingwu.api.runstate import StateRule

Method = Literal["minmax", "avg", "lttb"]
Millis = Annotated[int, Meta(ge=0, le=253_402_300_799_000, description="ms since the epoch, UTC")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Offset = Annotated[int, Meta(ge=0)]
Numbers = Annotated[tuple[int, ...], Meta(max_length=5000, description="comma-separated")]
State = Literal["", "good", "uncertain", "bad", "stale", "never"]


# ---------------------------------------------------------------- session
class LoginBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    account: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=256)]


class SessionReply(msgspec.Struct, kw_only=True):
    """``token`` is given once, at login, for clients that send it as a bearer token.

    With ``must_change`` every other route is closed until a new password is set.
    """

    account: str
    role: str
    language: str
    must_change: bool = False
    token: str = ""


class LanguageBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    language: Literal["zh", "en"]


class PasswordBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    old: Annotated[str, Meta(max_length=256)]
    new: Annotated[str, Meta(max_length=256)]


class NewAccountBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(max_length=256)]
    role: Literal["viewer", "operator", "engineer", "admin"] = "viewer"


class AccountChangeBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    role: Literal["viewer", "operator", "engineer", "admin"] | None = None
    disabled: bool | None = None


class AccountsReply(msgspec.Struct, kw_only=True):
    accounts: list[AccountRow]


class JournalQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """``before``: the ``seq`` to go on from. ``action`` may be an area, ``actor`` an enterprise."""

    limit: Limit = 100
    before: Annotated[int, Meta(ge=0, le=2**53)] = 0
    actor: Annotated[str, Meta(max_length=255)] = ""
    action: Annotated[str, Meta(max_length=255)] = ""
    subject: Annotated[str, Meta(max_length=500)] = ""
    since_ms: Annotated[int, Meta(ge=0, le=2**42)] = 0
    until_ms: Annotated[int, Meta(ge=0, le=2**42)] = 0


class JournalReply(msgspec.Struct, kw_only=True):
    lines: list[JournalRow]


# ---------------------------------------------------------------- plant
class LiveTag(msgspec.Struct, kw_only=True):
    """A tag with what it last said. ``value`` is null when there is none.

    A value older than ``stale_s`` no longer counts as current.
    """

    number: int
    thing: str
    thing_en: str
    thing_zh: str
    name: str
    name_en: str
    name_zh: str
    type: str
    unit: str
    unit_shown: str
    low: float | None
    high: float | None
    period_ms: int
    exposed: bool
    writable: bool
    value: float | str | None
    time_ms: int
    quality: int
    state: str
    reason: str
    simulated: bool
    age_s: float | None
    stale_s: float


class PlacesReply(msgspec.Struct, kw_only=True):
    """``counts`` of things below each place, by path."""

    places: list[PlaceRow]
    counts: dict[str, int]


class ThingsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    q: Annotated[str, Meta(max_length=200)] = ""
    kind: Annotated[str, Meta(max_length=40)] = ""
    place: Annotated[str, Meta(max_length=250)] = ""
    offset: Offset = 0
    limit: Limit = 50


class ThingsReply(msgspec.Struct, kw_only=True):
    total: int
    things: list[ThingRow]


class ThingReply(msgspec.Struct, kw_only=True):
    thing: ThingRow
    places: list[PlaceRow]
    relations: list[RelationRow]
    tags: list[LiveTag]
    rule: StateRule | None


class TagsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Words of ``q`` must all occur in identifier, tag or names."""

    q: Annotated[str, Meta(max_length=200)] = ""
    thing: Annotated[str, Meta(max_length=255)] = ""
    place: Annotated[str, Meta(max_length=250)] = ""
    quality: State = ""
    sort: Literal["name", "tag", "unit", "number", "period", "age"] = "name"
    order: Literal["asc", "desc"] = "asc"
    offset: Offset = 0
    limit: Limit = 50


class TagsReply(msgspec.Struct, kw_only=True):
    """``counts`` of the matching tags by state, whatever state is filtered for."""

    total: int
    counts: dict[str, int]
    tags: list[LiveTag]


class WriteBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    value: float | bool | str


class OverviewMachine(msgspec.Struct, kw_only=True):
    """A card of the overview: a thing with its most telling tags."""

    thing: ThingRow
    tags: list[LiveTag]
    states: dict[str, int]
    rule: StateRule | None


class OverviewQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Machines below ``place`` only; ``total`` in the reply counts what ``limit`` cut off."""

    place: Annotated[str, Meta(max_length=250)] = ""
    limit: Limit = 200


class OverviewReply(msgspec.Struct, kw_only=True):
    name_en: str
    name_zh: str
    kinds: dict[str, int]
    tags: dict[str, int]
    simulated: bool
    total: int
    machines: list[OverviewMachine]


class ImportBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """``text`` is a plant file (TOML)."""

    text: str


class ImportReply(msgspec.Struct, kw_only=True):
    counts: dict[str, int]


# ---------------------------------------------------------------- values and history
class ValuesQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tags: Numbers


class ValuesReply(msgspec.Struct, kw_only=True):
    values: list[LiveTag]


class Window(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """``end`` defaults to now, ``start`` to an hour before ``end``."""

    tags: Annotated[tuple[int, ...], Meta(min_length=1, max_length=16)]
    start: Millis | None = None
    end: Millis | None = None


class SeriesQuery(Window, forbid_unknown_fields=True, kw_only=True):
    """``width`` is the pixels there are to draw on; the server thins to it."""

    width: Annotated[int, Meta(ge=10, le=10_000)] = 800
    method: Method = "minmax"


class Series(msgspec.Struct, kw_only=True):
    """``v`` is null where the quality is bad, so that a line breaks there."""

    tag: int
    ms: list[int]
    v: list[float | None]
    q: list[int]
    low: list[float | None]
    high: list[float | None]
    count: int
    source: str
    simulated: bool


class Lineage(msgspec.Struct, kw_only=True):
    """How the figures were made: window, method, points asked for."""

    start_ms: int
    end_ms: int
    method: str
    points: int
    made_ms: int


class SeriesReply(msgspec.Struct, kw_only=True):
    lineage: Lineage
    series: list[Series]


class CompletenessQuery(Window, forbid_unknown_fields=True, kw_only=True):
    pass


class CompletenessItem(msgspec.Struct, kw_only=True):
    row: CompletenessRow
    ratio: float


class CompletenessReply(msgspec.Struct, kw_only=True):
    lineage: Lineage
    rows: list[CompletenessItem]


# ---------------------------------------------------------------- parts and health
class StatusReply(msgspec.Struct, kw_only=True):
    parts: list[dict[str, Any]]


class HealthReply(msgspec.Struct, kw_only=True):
    """``status`` is ``ok`` or ``degraded``; it says nothing that needs a login."""

    status: str
    product: dict[str, str]
    things: int
    tags: int


class ErrorReply(msgspec.Struct, kw_only=True):
    """What happened and what to do, in the language of the session or the browser."""

    code: str
    message: str
    next: str


__all__ = [
    "AccountRow",
    "CompletenessRow",
    "JournalRow",
    "PlaceRow",
    "RelationRow",
    "TagRow",
    "ThingRow",
]
