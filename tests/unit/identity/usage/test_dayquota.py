"""Daily limits held by the process that answers, while its log is written."""

import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.usage.dayquota import FEWEST, DayQuota
from mingwu.identity.usage.log import UsageLog

from .conftest import KEY, START_MS, Feeder, ManualClock

FIRST, SECOND, OTHER = "88.888.101", "88.888.102", "88.888.103"
DAY_MS = 86_400_000


class Answering:
    """A resolver that refuses what the store says; its log is written only when it must be."""

    def __init__(self, store, settings, clock):
        self.store, self.clock = store, clock
        self.quota = DayQuota(store, settings, lambda: clock.ms / 1000)
        self.log = UsageLog(
            settings, KEY, bytes(32), clock=clock, ticks=clock.time_ns, quota=self.quota
        )
        self.feeder = Feeder(self.log, clock)
        self.log.start()

    def pause(self):
        """What happens by itself within two seconds."""
        self.log.flush()
        self.quota.follow()
        self.log.flush()

    def ask(self, times, prefix=FIRST, source="198.51.100.7", name="A"):
        """How many of so many questions are answered."""
        answered = 0
        for _ in range(times):
            is_refused = prefix in self.store.refused
            self.feeder.ask(f"{prefix}/{name}", source, rc=603 if is_refused else 1)
            answered += not is_refused
        return answered


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "records", map_bytes=2**24, durable=False)
    yield store
    store.close()


@pytest.fixture
def answering(store, settings):
    made = []

    def make(clock=None, **limits):
        store.limit({prefix: ("tenant", limit) for prefix, limit in limits.get("of", {}).items()})
        made.append(Answering(store, settings, clock or ManualClock()))
        return made[-1]

    yield make
    for one in made:
        one.log.close()


@pytest.mark.parametrize("limit", [FEWEST, 300, 5000])
def test_a_limit_is_held_to_the_question(answering, limit):
    one = answering(of={FIRST: limit})
    assert one.ask(limit + 900) == limit
    assert one.ask(9) == 0
    assert one.ask(9, OTHER) == 9


@pytest.mark.parametrize("limit", [0, 1, 100, FEWEST + 1])
def test_it_is_passed_by_a_few_at_most(answering, limit):
    one = answering(of={FIRST: limit})
    assert limit <= one.ask(limit + 900) <= limit + FEWEST


def test_the_prefixes_of_a_tenant_share_its_limit(answering):
    one = answering(of={FIRST: 1000, SECOND: 1000})
    assert one.ask(600, FIRST) + one.ask(600, SECOND) == 1000
    assert one.ask(1, FIRST) == 0


def test_probes_and_the_operators_own_questions_do_not_count(answering):
    one = answering(of={FIRST: 300})
    assert one.ask(500, source="192.0.2.3") == one.ask(500, source="127.0.0.1") == 500
    assert one.ask(500, name="PROBE") == 500
    assert one.ask(100, source="203.0.113.9") + one.ask(500) == 300, "its owner's do"


def test_a_larger_limit_and_midnight_let_it_go_on(answering, store):
    one = answering(of={FIRST: 300})
    assert one.ask(400) == 300
    store.limit({FIRST: ("tenant", 700)})
    one.pause()
    # the refused questions stand in the log, too, and count there as they do in the statistics
    assert one.ask(900) == 300
    one.pause()
    one.clock.ms = START_MS - START_MS % DAY_MS + DAY_MS - 8 * 3_600_000  # midnight in Beijing
    one.pause()
    assert one.ask(900) == 700
    store.limit({})
    one.pause()
    assert one.ask(9) == 9


def test_what_was_asked_before_a_restart_counts_on_the_same_day_only(answering, store, settings):
    day_before = answering(ManualClock(START_MS - DAY_MS), of={FIRST: 1000})
    assert day_before.ask(900) == 900
    day_before.log.close()
    earlier = answering(of={FIRST: 1000})
    assert earlier.ask(400) == 400
    earlier.log.close()
    now = answering(of={FIRST: 1000})
    now.quota.count_earlier(now.log.number)
    now.log.flush()
    assert now.ask(900) == 600


def test_what_the_second_level_node_tells_is_refused_beside(answering, store):
    one = answering(of={FIRST: 300})
    store.refuse([SECOND])
    one.ask(400)
    one.quota.follow()
    assert store.refused == {FIRST, SECOND}
    store.refuse([])
    one.quota.follow()
    assert store.refused == {FIRST}
