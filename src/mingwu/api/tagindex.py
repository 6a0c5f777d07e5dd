"""The plant in memory: every list, search and page of the API is answered from here.

Built whole from the registry at one revision and replaced whole when the revision moves, so a
reader always sees one consistent plant. Searching is over one folded text per row; filters on
live quality are numpy masks over the last values, which no database could give.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mingwu.api.ports import Plant, PlantState, TagRow, ThingRow
from mingwu.kernel.batch import I64, U8, U32
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.ports import LiveValues
from mingwu.kernel.quality import BAD, GOOD, STATUS_MASK, UNCERTAIN

log = logging.getLogger(__name__)

CHECK_S = 2.0
STALE_PERIODS = 10
STALE_MIN_S = 30.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TagQuery:
    """What a tag list asks for; empty fields do not filter."""

    text: str = ""
    thing: str = ""
    place: str = ""
    quality: str = ""
    sort: str = "name"
    descending: bool = False
    offset: int = 0
    limit: int = 50


class PlantIndex:
    """One revision of the plant, with its lookups."""

    def __init__(self, state: PlantState) -> None:
        self.state = state
        self.things: dict[str, ThingRow] = {fold(row.id): row for row in state.things}
        self.tags: dict[int, TagRow] = {row.number: row for row in state.tags}
        self.tags_of: dict[str, list[TagRow]] = {}
        for row in state.tags:
            self.tags_of.setdefault(fold(row.thing), []).append(row)
        self._rows = list(state.tags)
        self._numbers: U32 = np.array([row.number for row in self._rows], np.uint32)
        # A point reports at the latest each heartbeat; a stale one missed ten periods beyond it.
        self._stale_ns: I64 = np.array([int(stale_after_s(r) * 1e9) for r in self._rows], np.int64)
        self._texts = [self._text(row) for row in self._rows]
        self._thing_texts = {
            key: fold(f"{row.id} {row.name_en} {row.name_zh} {row.type} {row.kind} {row.place}")
            for key, row in self.things.items()
        }
        self._orders: dict[str, npt.NDArray[np.intp]] = {}
        self.simulated = any(row.simulated for row in state.things)

    def _text(self, row: TagRow) -> str:
        thing = self.things.get(fold(row.thing))
        names = (thing.name_en, thing.name_zh, thing.place) if thing else ()
        return fold(" ".join((row.thing, row.name, row.name_en, row.name_zh, *names)))

    # ------------------------------------------------------------ things
    def thing(self, identifier: str) -> ThingRow:
        """The thing of that name. Raises NotFound ``name.unknown``."""
        row = self.things.get(fold(identifier))
        if row is None:
            raise NotFound("name.unknown", name=identifier)
        return row

    def tag(self, number: int) -> TagRow:
        """The tag of that number. Raises NotFound ``api.tag-unknown``."""
        row = self.tags.get(number)
        if row is None:
            raise NotFound("api.tag-unknown", tag=number)
        return row

    def tag_named(self, identifier: str, name: str) -> TagRow:
        """The property ``name`` of a thing. Raises NotFound."""
        for row in self.tags_of.get(fold(self.thing(identifier).id), ()):
            if row.name == name:
                return row
        raise NotFound("api.tag-unknown", tag=f"{identifier} {name}")

    def find_things(
        self, text: str, kind: str, place: str, offset: int, limit: int
    ) -> tuple[list[ThingRow], int]:
        """Things matching all words of ``text``, by identifier."""
        words = fold(text).split()
        found = [
            row
            for key, row in self.things.items()
            if (not kind or row.kind == kind)
            and (not place or within(row.place, place))
            and all(word in self._thing_texts[key] for word in words)
        ]
        found.sort(key=lambda row: row.id)
        return found[offset : offset + limit], len(found)

    # ------------------------------------------------------------ tags
    def find_tags(
        self, query: TagQuery, live: LiveValues, now_ns: int
    ) -> tuple[list[TagRow], int, dict[str, int]]:
        """A page of tags, how many match, and how many of these are in each state."""
        mask = self._mask(query)
        _, times, qualities = live.columns(self._numbers)
        states = live_states(times, qualities, self._stale_ns, now_ns)
        counts = {name: int((mask & chosen).sum()) for name, chosen in states.items()}
        if query.quality in states:
            mask &= states[query.quality]
        order = self._order(query.sort, times)
        rows = order[mask[order]]
        if query.descending:
            rows = rows[::-1]
        page = rows[query.offset : query.offset + query.limit].tolist()
        return [self._rows[i] for i in page], len(rows), counts

    def _mask(self, query: TagQuery) -> Mask:
        words = fold(query.text).split()
        thing = fold(query.thing)
        mask = np.ones(len(self._rows), np.bool_)
        if words:
            mask &= np.fromiter(
                (all(word in text for word in words) for text in self._texts),
                np.bool_,
                len(self._rows),
            )
        if thing:
            mask &= np.fromiter(
                (fold(row.thing) == thing for row in self._rows), np.bool_, len(self._rows)
            )
        if query.place:
            inside = {key for key, row in self.things.items() if within(row.place, query.place)}
            mask &= np.fromiter(
                (fold(row.thing) in inside for row in self._rows), np.bool_, len(self._rows)
            )
        return mask

    def _order(self, sort: str, times: I64) -> npt.NDArray[np.intp]:
        if sort == "age":
            return np.argsort(-times, kind="stable")
        if sort not in self._orders:
            key = _SORTS.get(sort, _SORTS["name"])
            ranked = sorted(range(len(self._rows)), key=lambda i: key(self._rows[i]))
            self._orders[sort] = np.array(ranked, np.intp)
        return self._orders[sort]

    def plant_counts(self, live: LiveValues, now_ns: int) -> dict[str, int]:
        """How many tags are in each state."""
        _, times, qualities = live.columns(self._numbers)
        states = live_states(times, qualities, self._stale_ns, now_ns)
        return {name: int(mask.sum()) for name, mask in states.items()}

    def states_of(self, rows: Sequence[TagRow], live: LiveValues, now_ns: int) -> list[str]:
        """The state of each tag: ``good``, ``uncertain``, ``bad``, ``stale`` or ``never``."""
        numbers = np.array([row.number for row in rows], np.uint32)
        limits = np.array([int(stale_after_s(row) * 1e9) for row in rows], np.int64)
        _, times, qualities = live.columns(numbers)
        names = np.full(len(rows), "never", dtype="<U9")
        for name, mask in live_states(times, qualities, limits, now_ns).items():
            names[mask] = name
        return [str(name) for name in names]


_SORTS: dict[str, Callable[[TagRow], tuple[str | int, ...]]] = {
    "name": lambda row: (row.thing, row.name),
    "tag": lambda row: (row.name, row.thing),
    "unit": lambda row: (row.unit, row.thing, row.name),
    "number": lambda row: (row.number,),
    "period": lambda row: (row.period_ms, row.thing, row.name),
}


def within(place: str, parent: str) -> bool:
    """Whether ``place`` is ``parent`` or below it."""
    return place == parent or place.startswith(parent + "/")


def stale_after_s(row: TagRow) -> float:
    """Age beyond which a value no longer counts as current, seconds."""
    return row.heartbeat_s + max(STALE_MIN_S, STALE_PERIODS * row.period_ms / 1000)


def live_states(times: I64, qualities: U8, stale_ns: I64, now_ns: int) -> dict[str, Mask]:
    """Disjoint masks by state. Stale wins over good and uncertain, never over bad."""
    never = times == 0
    status = qualities & STATUS_MASK
    bad = ~never & (status == BAD)
    stale = ~never & ~bad & (now_ns - times > stale_ns)
    rest = ~never & ~bad & ~stale
    return {
        "good": rest & (status == GOOD),
        "uncertain": rest & (status == UNCERTAIN),
        "bad": bad,
        "stale": stale,
        "never": never,
    }


class PlantCache:
    """Keeps the index current: asks for the revision at most every ``CHECK_S`` seconds."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._index: PlantIndex | None = None
        self._checked = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> PlantIndex:
        """The index, at most ``CHECK_S`` behind the registry."""
        index = self._index
        if index is not None and time.monotonic() - self._checked < CHECK_S:
            return index
        async with self._lock:
            if self._index is not None and time.monotonic() - self._checked < CHECK_S:
                return self._index
            revision = await asyncio.to_thread(self._plant.revision)
            if self._index is None or self._index.state.revision != revision:
                self._index = await asyncio.to_thread(self._load)
            self._checked = time.monotonic()
            return self._index

    def _load(self) -> PlantIndex:
        index = PlantIndex(self._plant.state())
        log.info(
            "plant revision=%d things=%d tags=%d",
            index.state.revision,
            len(index.things),
            len(index.tags),
        )
        return index

    def forget(self) -> None:
        """Look again at the next request (after an import through this process)."""
        self._checked = 0.0
