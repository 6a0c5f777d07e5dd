"""What the HTTP face needs from the rest of the house, as Protocols.

``node`` passes the engines in (``api.services``); tests pass in-memory ones. Methods of
:class:`Plant` and :class:`Accounts` may block (SQL, scrypt): the API calls them in worker threads.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from mingwu.kernel.batch import F64, I64, U8, U32, Columns
from mingwu.kernel.plant import Kind, ValueType
from mingwu.kernel.ports import LiveValues


class LiveSource(LiveValues, Protocol):
    """Last values that know when each tag changed last (``bus.lastvalue`` implements it)."""

    @property
    def revision(self) -> int:
        """Moves with every change of any tag."""

    def changed(self, numbers: U32, since: int) -> npt.NDArray[np.bool_]:
        """Which of the tags changed after revision ``since``."""


# ---------------------------------------------------------------- the plant
class PlaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the IEC 62264 hierarchy; ``path`` joins the names from the top with ``/``."""

    path: str
    level: str
    name_en: str
    name_zh: str


class RelationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A relation seen from one thing: it is ``kind`` the thing ``id``, or ``inverse`` of that."""

    kind: str
    inverse: bool
    id: str
    name_en: str
    name_zh: str


class ThingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A named thing as lists show it."""

    id: str
    kind: Kind
    type: str
    name_en: str
    name_zh: str
    type_en: str = ""
    type_zh: str = ""
    place: str = ""
    documentation: str = ""
    gateway: str = ""
    device: str = ""
    simulated: bool = False


class TagRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tag as lists show it. ``unit`` is a UCUM code; ``exposed`` ones describe the thing best."""

    number: int
    thing: str
    name: str
    name_en: str = ""
    name_zh: str = ""
    type: ValueType = ValueType.FLOAT
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    period_ms: int = 1000
    heartbeat_s: float = 1800.0
    address: str = ""
    exposed: bool = False
    writable: bool = False


class PlantState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole registry at one revision."""

    revision: int
    name_en: str = ""
    name_zh: str = ""
    places: Sequence[PlaceRow] = ()
    things: Sequence[ThingRow] = ()
    tags: Sequence[TagRow] = ()


class Plant(Protocol):
    """The registry (blocking)."""

    def revision(self) -> int:
        """Moves with every change; cheap."""

    def state(self) -> PlantState:
        """Everything that lists show."""

    def relations(self, identifier: str) -> list[RelationRow]:
        """What a thing has to do with others. Raises NotFound."""

    def thing_description(self, identifier: str) -> dict[str, Any]:
        """W3C Thing Description of a thing. Raises NotFound ``name.unknown``."""

    def import_text(self, text: str, actor: str) -> dict[str, int]:
        """Import a plant file (TOML); counts of what was done. Raises ConfigError with faults."""

    def export_text(self) -> str:
        """The plant as a plant file (TOML). Raises NotFound when nothing was imported."""


# ---------------------------------------------------------------- history
class SeriesColumns(msgspec.Struct, kw_only=True):
    """A thinned series: one row per kept point, in time order.

    ``low``/``high`` are the extremes of a bucket where the method gives them, else empty.
    ``count`` raw points stand behind the rows; ``engine`` says what answered (raw or rollup).
    """

    time_ns: I64
    value: F64
    quality: U8
    low: F64
    high: F64
    count: int
    source: str = "raw"


class CompletenessRow(msgspec.Struct, frozen=True, kw_only=True):
    """Received ÷ expected of one tag in a window, from the tag's own schedule."""

    tag: int
    received: int
    expected: int
    good: int
    longest_gap_s: float = 0.0

    @property
    def ratio(self) -> float:
        """Received ÷ expected, at most 1; 1 when nothing was expected."""
        return min(1.0, self.received / self.expected) if self.expected else 1.0


class HistoryReader(Protocol):
    """Queries of the history that screens need."""

    async def series(
        self, tag: TagRow, start_ns: int, end_ns: int, *, points: int, method: str
    ) -> SeriesColumns:
        """At most about ``points`` rows of one tag. Method ``minmax``, ``avg`` or ``lttb``.

        The first row is the value that held at ``start_ns``, if there was one: tags report by
        exception, so a steady one may have no point in the window at all.
        """

    def raw(self, tag: TagRow, start_ns: int, end_ns: int, *, limit: int) -> AsyncIterator[Columns]:
        """Raw points in time order, in chunks, at most ``limit`` rows."""

    async def completeness(
        self, tags: Sequence[TagRow], start_ns: int, end_ns: int
    ) -> list[CompletenessRow]:
        """One row per tag."""

    async def statistics(self) -> dict[str, Any]:
        """Rows, bytes on disk and the like, for the health page."""


# ---------------------------------------------------------------- people
class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. ``role`` is viewer, operator, engineer or admin, in rising order.

    ``must_change``: nothing but a new password is allowed. ``expires_ms`` since the epoch, 0 if
    the session does not end by itself.
    """

    account: str
    role: str
    language: str = ""
    must_change: bool = False
    expires_ms: int = 0


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account as administrators see it."""

    name: str
    role: str
    language: str = ""
    disabled: bool = False
    must_change: bool = False


class People(Protocol):
    """Accounts and their sessions (blocking)."""

    def login(self, account: str, password: str, address: str) -> tuple[str, Principal]:
        """A session token for good credentials. Raises NotAuthenticated, or Overloaded with
        ``wait_s`` after too many failures of the account or the address.
        """

    def verify(self, token: str) -> Principal | None:
        """Whose token this is, or None."""

    def logout(self, token: str) -> None:
        """End the session."""

    def set_language(self, account: str, language: str) -> None:
        """Remember the language of the account."""

    def change_password(self, account: str, old: str, new: str, address: str) -> None:
        """Raises NotAuthenticated for a wrong old one, InvalidInput for a weak new one."""

    def accounts(self) -> list[AccountRow]:
        """All accounts."""

    def create(self, name: str, password: str, role: str) -> None:
        """Raises Conflict for a taken name."""

    def update(self, name: str, *, role: str | None, disabled: bool | None) -> None:
        """Change role or state; ends the account's sessions. Raises NotFound."""


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the append-only journal."""

    seq: int
    time_ns: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = {}
    outcome: str = "ok"
    address: str = ""


class JournalVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the chain of hashes holds; ``head`` is to be written down elsewhere."""

    sound: bool
    entries: int
    head: str
    first_bad: int = 0
    reason: str = ""


class Journal(Protocol):
    """The append-only journal (blocking)."""

    def append(
        self, actor: str, action: str, subject: str, detail: dict[str, Any], address: str
    ) -> None:
        """Add a line; ``action`` is ``area.verb``."""

    def tail(
        self,
        limit: int,
        *,
        before: int = 0,
        actor: str = "",
        action: str = "",
        subject: str = "",
        since_ms: int = 0,
        until_ms: int = 0,
    ) -> list[JournalRow]:
        """The last lines that match, newest first; see ``trust.journal``."""

    def verify(self) -> JournalVerdict:
        """Walk the whole journal."""


# ---------------------------------------------------------------- names
class ResolveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer of the resolver, passed on as it is."""

    status: int
    body: bytes
    media_type: str = "application/json"


Resolve = Callable[[str, dict[str, list[str]]], Awaitable[ResolveAnswer]]


class TagWrite(Protocol):
    """Sends a value to the device behind a tag, through its gateway."""

    async def __call__(self, tag: TagRow, thing: ThingRow, value: float | str | bool) -> str:
        """Empty on success, else the device's reason. Raises Unavailable."""
