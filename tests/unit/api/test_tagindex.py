"""The plant in memory: searching, filtering by live state, sorting, paging."""

import asyncio

import numpy as np
import pytest

from mingwu.api.ports import PlantState, TagRow, ThingRow
from mingwu.api.tagindex import PlantCache, PlantIndex, TagQuery, stale_after_s, within
from mingwu.bus.lastvalue import LastValues
from mingwu.kernel.batch import Columns
from mingwu.kernel.errors import NotFound
from mingwu.kernel.plant import Kind
from mingwu.kernel.quality import GOOD, UNCERTAIN

NOW = 1_000_000 * 1_000_000_000


def thing(suffix: str, zh: str, place: str) -> ThingRow:
    return ThingRow(id=f"88.1/{suffix}", kind=Kind.MACHINE, type="T", name_en=suffix.lower(),
                    name_zh=zh, place=place)  # fmt: skip


@pytest.fixture
def index() -> PlantIndex:
    things = [thing("DEV.A", "压铸", "p/cast"), thing("DEV.B", "机加", "p/mill")]
    tags = [
        TagRow(number=1, thing="88.1/DEV.A", name="die_temperature", name_zh="模具温度",
               heartbeat_s=60, period_ms=1000),
        TagRow(number=2, thing="88.1/DEV.A", name="cycle", heartbeat_s=60, period_ms=100),
        TagRow(number=3, thing="88.1/DEV.B", name="load", heartbeat_s=60),
        TagRow(number=4, thing="88.1/DEV.B", name="temperature", heartbeat_s=60),
        TagRow(number=5, thing="88.1/DEV.B", name="zz", heartbeat_s=60),
    ]  # fmt: skip
    return PlantIndex(PlantState(revision=1, things=things, tags=tags))


@pytest.fixture
def live() -> LastValues:
    live = LastValues()
    rows = [(1, 0.0, GOOD), (2, 2.0, UNCERTAIN), (3, 1.0, 0x01), (4, 500.0, GOOD)]
    live.seed(
        Columns(
            np.array([row[0] for row in rows], np.uint32),
            np.array([NOW - int(row[1] * 1e9) for row in rows], np.int64),
            np.ones(4),
            np.array([row[2] for row in rows], np.uint8),
        )
    )
    return live


def names(found) -> list[str]:
    return [row.name for row in found[0]]


def test_all_words_must_occur_anywhere(index, live) -> None:
    assert names(index.find_tags(TagQuery(text="DEV.a TEMPER"), live, NOW)) == ["die_temperature"]
    assert names(index.find_tags(TagQuery(text="压铸 温度"), live, NOW)) == ["die_temperature"]
    assert names(index.find_tags(TagQuery(text="nothing"), live, NOW)) == []


def test_states_are_disjoint_and_counted_before_the_state_filter(index, live) -> None:
    rows, total, counts = index.find_tags(TagQuery(quality="bad"), live, NOW)
    assert [row.name for row in rows] == ["load"]
    assert total == 1
    assert counts == {"good": 1, "uncertain": 1, "bad": 1, "stale": 1, "never": 1}
    assert index.states_of(list(index.tags.values()), live, NOW) == [
        "good", "uncertain", "bad", "stale", "never",
    ]  # fmt: skip


def test_place_and_thing_filters(index, live) -> None:
    assert names(index.find_tags(TagQuery(place="p/mill"), live, NOW)) == [
        "load", "temperature", "zz",
    ]  # fmt: skip
    assert len(index.find_tags(TagQuery(thing="88.1/dev.a"), live, NOW)[0]) == 2
    assert not within("p/millhouse", "p/mill")


def test_sorting_and_paging(index, live) -> None:
    page = index.find_tags(TagQuery(sort="tag", offset=1, limit=2), live, NOW)
    assert names(page) == ["die_temperature", "load"]
    assert page[1] == 5
    assert names(index.find_tags(TagQuery(sort="tag", descending=True), live, NOW))[0] == "zz"
    youngest = names(index.find_tags(TagQuery(sort="age"), live, NOW))
    assert youngest == ["die_temperature", "load", "cycle", "temperature", "zz"]


def test_lookups_fold_case_and_name_what_is_missing(index) -> None:
    assert index.thing("88.1/dev.a").id == "88.1/DEV.A"
    assert index.tag_named("88.1/DEV.A", "cycle").number == 2
    with pytest.raises(NotFound):
        index.thing("88.1/X")
    with pytest.raises(NotFound):
        index.tag(99)
    with pytest.raises(NotFound):
        index.tag_named("88.1/DEV.A", "load")


def test_a_tag_may_be_silent_for_its_heartbeat() -> None:
    assert stale_after_s(TagRow(number=1, thing="t", name="n", heartbeat_s=60)) == 90
    slow = TagRow(number=1, thing="t", name="n", heartbeat_s=60, period_ms=60_000)
    assert stale_after_s(slow) == 660


@pytest.mark.anyio
async def test_cache_reads_the_plant_once_per_revision() -> None:
    class Plant:
        loads = 0
        now = 1

        def revision(self) -> int:
            return self.now

        def state(self) -> PlantState:
            self.loads += 1
            return PlantState(revision=self.now)

    plant = Plant()
    cache = PlantCache(plant)  # type: ignore[arg-type]
    await asyncio.gather(*(cache.get() for _ in range(10)))
    assert plant.loads == 1
    cache.forget()
    await cache.get()
    assert plant.loads == 1
    plant.now = 2
    cache.forget()
    assert (await cache.get()).state.revision == 2
