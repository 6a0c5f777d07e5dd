"""When tables are made, what they hold, and that the outbox delivers in order and for good."""

import json
import threading

import msgspec
import pytest

from mingwu.identity.secondlevel import outbox
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode
from mingwu.identity.secondlevel.monitoring import NETWORK, Probe
from mingwu.identity.secondlevel.synctables import TABLES
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import NotFound, PeerError, Unavailable
from mingwu.store.engine import writing

HOUR, DAY = 3_600_000, 86_400_000


def bodies(node, table):
    return [entry.body for entry in node.outbox.entries(limit=1000) if entry.subject == table]


def test_eleven_sync_tables_and_two_of_monitoring():
    assert [name for name in TABLES if name.startswith("T")] == [f"T{n}" for n in range(1, 12)]
    assert [name for name in TABLES if name.startswith("M")] == ["M1", "M2"]


def test_every_row_converts_back_into_its_table(node, clock, accepted):
    accepted(1)
    accepted(2, mode=Mode.OWN)
    values = {"t9.brand": "江", "t9.terminal_serial": "86001", "NAME": "x"}
    node.hosted.register(
        "88.101.1", [HostedItem(name="88.101.1/PRT.0001", template="T", values=values)]
    )
    node.put_template("88.101.1/T", "88.101.1", {"items": []})
    node.put_template("88.101/T", "88.101", {"items": []})
    node.put_software("app", "88.101.1", "MES", "追溯")
    node.put_software("own", "88.101", "SNMS", "")
    node.monitoring.note([Probe("88.101.2", ok=True, latency_us=900)])
    node.monitoring.report_event("88.101", "maintenance", 4, zh="升级", en="upgrade")
    clock.ms += DAY
    made = node.duties.make()
    assert set(made) == set(TABLES) - {"A3"}
    for entry in node.outbox.entries(limit=1000):
        if entry.subject in TABLES:
            assert entry.body["period"] == TABLES[entry.subject].period.value
            for row in entry.body["rows"]:
                msgspec.convert(row, TABLES[entry.subject].row)
    (change,) = bodies(node, "T9")[0]["rows"]
    assert (change["brand"], change["terminal_serial"], change["operation"]) == ("江", "86001", 1)
    routes = {row["prefix"]: row for row in bodies(node, "T7")[0]["rows"]}
    assert routes["88.101.1"]["hosted"]
    assert routes["88.101.2"]["tcp_port"] == 2641
    assert json.dumps(bodies(node, "T6")).count("13800000000") == 2


def test_citizen_numbers_stay_here(node, clock, accepted):
    accepted(1, citizen="11010519491231002X")
    clock.ms += HOUR
    node.duties.make()
    assert "11010519491231002X" not in json.dumps(bodies(node, "T6"))


def test_periods(node, clock, accepted):
    clock.ms += 1
    node.duties.make()
    assert node.duties.make() == {}
    accepted(1)
    clock.ms += 10
    assert node.duties.make() == {}, "enterprise tables wait for the next hour"
    clock.ms += HOUR
    assert node.duties.make() == {"T6": 1, "T7": 1}
    clock.ms += DAY
    assert node.duties.make() == {"T3": 1, "T8": 1}
    clock.ms += 3 * DAY
    assert node.duties.make() == {"T3": 3, "T8": 3}, "missed days are made up"
    assert [body["rows"][0]["day"] for body in bodies(node, "T3")][:2] == [
        "2026-09-24",
        "2026-09-23",
    ]


def test_statistics_of_a_day_with_sources(node, clock, accepted):
    accepted(1)
    node.duties.make()
    for source, number in (("192.0.2.1", 3), ("192.0.2.2", 1)):
        for at in range(number):
            node.usage.count("88.101.1/X", source, ok=at == 0)
    node.usage.flush()
    clock.ms += DAY
    node.duties.make()
    row = bodies(node, "T3")[0]["rows"][0]
    assert (row["requests"], row["successes"], row["prefixes_new"]) == (4, 2, 1)
    assert row["sources"][0] == {"source": "192.0.2.1", "requests": 3}


def test_names_under_a_prefix_that_was_left_are_not_reported(node, clock, accepted):
    accepted(1)
    accepted(2)
    for prefix in ("88.101.1", "88.101.2"):
        node.hosted.register(prefix, [HostedItem(name=f"{prefix}/PRT.{n}001") for n in range(2)])
    accepted(1, kind=Kind.EXIT)
    accepted(2, kind=Kind.CHANGE, mode=Mode.OWN)
    accepted(3)
    node.hosted.register("88.101.3", [HostedItem(name="88.101.3/PRT.0001")])
    clock.ms += DAY
    node.duties.make()
    (day,) = bodies(node, "T3")[0]["rows"]
    assert (day["prefixes"], day["identifiers"]) == (2, 1)
    rows = bodies(node, "T8")[0]["rows"]
    assert [(row["prefix"], row["identifiers"]) for row in rows] == [
        ("88.101.2", 0), ("88.101.3", 1),
    ]  # fmt: skip


def test_nodes_go_down_after_failures_and_events_close(node, clock):
    bad = Probe("88.101.2", ok=False, cause=NETWORK, detail=Phrase("no route", "没有路由"))
    good = Probe("88.101.2", ok=True, latency_us=500)
    node.monitoring.note([good])
    for at in range(3):
        assert node.monitoring.states()[0]["state"] == "up", at
        clock.ms += 1000
        node.monitoring.note([bad])
    assert node.monitoring.states()[0]["state"] == "down"
    clock.ms += HOUR
    node.monitoring.note([good])
    (event,) = node.monitoring.events()
    assert (event["kind"], event["cause"]) == ("outage", NETWORK)
    assert event["text_zh"] == "节点 88.101.2 探测失败：没有路由"
    assert event["text_en"] == "Node 88.101.2 failed its probes: no route"
    assert event["ended_ms"] - event["began_ms"] == HOUR
    clock.ms += 1
    node.duties.make()
    assert [row["event"] for row in bodies(node, "M2")[0]["rows"]] == ["abnormal", "recovered"]
    (row,) = node.monitoring.latencies("2026-09-21", "2026-09-21")
    assert (row["count"], row["failures"], row["mean_us"]) == (2, 3, 500)


@pytest.mark.anyio
async def test_the_outbox_keeps_order_and_tries_again(node, clock):
    with writing(node._engine) as connection:
        for n in range(3):
            outbox.put(connection, "sync", f"T{n}", {"n": n}, clock.ms)
    sent, fail = [], [Unavailable("secondlevel.upstream-down", detail="x")]

    async def send(entry):
        if entry.body["n"] == 1 and fail:
            raise fail.pop()
        sent.append(entry.body["n"])

    assert await node.outbox.deliver("sync", send) == 1
    assert await node.outbox.deliver("sync", send) == 0, "it pauses"
    clock.ms += 1000
    assert await node.outbox.deliver("sync", send) == 2
    assert sent == [0, 1, 2]
    assert all(row["waiting"] == 0 for row in node.outbox.lag())


@pytest.mark.anyio
async def test_a_refused_entry_stays_visible_and_holds_up_nothing(node, clock):
    with writing(node._engine) as connection:
        for n in range(2):
            outbox.put(connection, "sync", "T1", {"n": n}, clock.ms)

    async def send(entry):
        if entry.body["n"] == 0:
            raise PeerError("secondlevel.upstream-refused", what="T1", detail="row 0")

    assert await node.outbox.deliver("sync", send) == 1
    (refused,) = node.outbox.entries(state="refused")
    assert "row 0" in refused.error
    node.outbox.again(refused.number)
    assert node.outbox.lag()[0]["waiting"] == 1
    with pytest.raises(NotFound, match="No refused message has the number"):
        node.outbox.again(refused.number)


def test_numbers_of_pruned_messages_are_not_given_again(node, clock):
    with writing(node._engine) as connection:
        numbers = [outbox.put(connection, "sync", "T1", {}, clock.ms) for _ in range(3)]
    for number in numbers:
        node.outbox._settle(number, outbox.SENT, "")
    clock.ms += 61 * DAY
    assert node.outbox.prune(60) == 2
    with writing(node._engine) as connection:
        assert outbox.put(connection, "sync", "T1", {}, clock.ms) == numbers[-1] + 1


class SlowClock:
    """A clock whose reader is overtaken: another thread makes the tables meanwhile."""

    def __init__(self, clock, node):
        self._clock = clock
        self._node = node
        self.thread = None

    def time_ns(self):
        told = self._clock.time_ns()
        self._clock.ms += 50
        self.thread = threading.Thread(target=self._node.duties.make)
        self.thread.start()
        self.thread.join(0.3)  # it waits when the change holds the store already
        return told


@pytest.mark.parametrize("what", ["event", "template"])
def test_a_change_that_is_overtaken_by_a_table_is_told_in_the_next(node, clock, what):
    clock.ms += 1
    node.duties.make()
    slow = SlowClock(clock, node)
    if what == "event":
        node.monitoring._clock = slow
        node.monitoring.note([Probe("88.101.2", ok=False, cause=NETWORK)] * 3)
    else:
        node.clock = slow
        node.put_template("88.101.1/T", "88.101.1", {})
    slow.thread.join()
    clock.ms += 1
    node.duties.make()
    table = "M2" if what == "event" else "T11"
    assert sum(len(body["rows"]) for body in bodies(node, table)) == 1


def test_a_clock_set_back_hides_no_change(node, clock):
    node.put_template("88.101.1/A", "88.101.1", {})
    clock.ms += HOUR
    node.duties.make()
    clock.ms -= HOUR // 2
    node.put_template("88.101.1/B", "88.101.1", {})
    assert node.duties.make() == {}
    clock.ms += HOUR
    assert node.duties.make()["T11"] == 1
    assert [row["handle"] for body in bodies(node, "T11") for row in body["rows"]] == [
        "88.101.1/B",
        "88.101.1/A",
    ]


def test_a_node_that_is_down_from_the_start_is_told(node, clock):
    bad = Probe("88.101.2", ok=False, cause=NETWORK, detail="no route")
    settings = msgspec.structs.replace(node.settings, probe_failures=1)
    node.monitoring._settings = settings
    node.monitoring.note([bad])
    assert [event["kind"] for event in node.monitoring.events()] == ["outage"]


def test_the_sla_report_of_a_month_is_made_once_and_not_for_the_first(node, clock):
    assert node.duties.make_report(node.report) == ""
    for _ in range(61):
        node.monitoring.note([Probe("88.101", ok=True, latency_us=1500)])
        clock.ms += 60_000
    clock.ms += 12 * DAY
    assert node.duties.make_report(node.report) == "2026-09"
    assert node.duties.make_report(node.report) == ""
    (row,) = bodies(node, "A3")[0]["rows"]
    assert (row["sla_percent"], row["resolve_rtt_ms"], row["register_rtt_ms"]) == (100, 1.5, None)
    assert row["up_hours"] == 1.0  # what was probed of the month
    msgspec.convert(row, TABLES["A3"].row)


def test_many_changes_are_reported_in_bounded_rounds(node, accepted, monkeypatch):
    monkeypatch.setattr("mingwu.identity.secondlevel.duties.CHANGES_PER_ROUND", 4)
    accepted(1)
    node.hosted.register("88.101.1", [HostedItem(name=f"88.101.1/PRT.{n:04d}") for n in range(10)])
    assert [node.duties.make().get("T9", 0) for _ in range(4)] == [4, 4, 2, 0]
    names = [row["code"] for body in reversed(bodies(node, "T9")) for row in body["rows"]]
    assert names == [f"88.101.1/PRT.{n:04d}" for n in range(10)]
