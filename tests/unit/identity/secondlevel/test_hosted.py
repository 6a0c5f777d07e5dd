"""Hosted identifiers: registration item by item, quotas, groups, queries, repair, statistics."""

import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode, Quota, beijing_day
from mingwu.identity.secondlevel.usagecounts import AskedOf
from mingwu.kernel.errors import Denied, InvalidInput, NotFound
from mingwu.wire.handle.codes import Rc

PREFIX = "88.101.1"


def item(n, template="T/1", **values):
    return HostedItem(name=f"{PREFIX}/PRT.{n:04d}", template=template, values=values)


def codes(outcomes):
    return [one.code for one in outcomes]


def test_each_item_has_its_outcome(node, records, accepted):
    accepted(1)
    node.hosted.register(PREFIX, [item(1)])
    outcomes = node.hosted.register(
        PREFIX,
        [
            item(1),
            item(2, NAME="a"),
            item(2),
            HostedItem(name="88.101.2/PRT.0001"),
            HostedItem(name=f"{PREFIX}/lower case"),
            HostedItem(name="no-slash"),
        ],
    )
    bad = Rc.INVALID_HANDLE
    assert codes(outcomes) == [Rc.HANDLE_EXISTS, Rc.SUCCESS, bad, bad, bad, bad]
    assert "EDU.2026-000123" in outcomes[4].text("zh")
    assert records.get(f"{PREFIX}/prt.0002").value(2000).text() == "a"


def test_change_and_remove(node, records, accepted):
    accepted(1)
    node.hosted.register(PREFIX, [item(1, NAME="a")])
    assert codes(node.hosted.change(PREFIX, [item(1, NAME="b"), item(9)])) == [1, 100]
    assert records.get(item(1).name).value(2000).text() == "b"
    assert codes(node.hosted.remove(PREFIX, [item(1).name])) == [1]
    assert records.get(item(1).name) is None
    assert node.lookup.query("", "T/1", {}) == []
    assert codes(node.hosted.register(PREFIX, [item(1)])) == [1]


def test_aliases_outlive_a_change_and_its_repair_but_not_the_name(node, records, accepted):
    accepted(1)
    node.hosted.register(PREFIX, [item(1, NAME="a")])
    book, code = AliasBook(records), "https://id.gs1.org/01/09506000134352/21/1"
    book.add(item(1).name, code)
    node.hosted.change(PREFIX, [item(1, NAME="b")])
    assert book.names(code) == [item(1).name]
    assert node.hosted.replay() == 1, "nothing was marked as projected yet"
    assert book.names(code) == [item(1).name]
    assert records.get(item(1).name).value(2000).text() == "b"
    node.hosted.remove(PREFIX, [item(1).name])
    node.hosted.register(PREFIX, [item(1, NAME="c")])
    assert book.names(code) == []


@pytest.mark.parametrize("kind", ["HS_ADMIN", "hs_pubkey", "MW.LIVE.x", "ALIAS.GS1"])
def test_types_that_hand_out_rights_are_refused(node, accepted, kind):
    accepted(1)
    (outcome,) = node.hosted.register(PREFIX, [item(1, **{kind: "x"})])
    assert (outcome.code, outcome.error) == (102, "secondlevel.name-bad")
    assert kind in outcome.params["fault"]


def test_marks_of_what_is_projected_come_with_the_next_call(node, records, accepted):
    accepted(1)
    node.hosted.register(PREFIX, [item(1)])
    records.delete_many([item(1).name])  # as after a crash before the mark
    assert node.hosted.replay() == 1
    assert records.get(item(1).name) is not None
    node.hosted.register(PREFIX, [item(2)])
    node.hosted.register(PREFIX, [item(3)])
    node.hosted.close()
    assert node.hosted.replay() == 0


def test_register_quota_604(node, accepted):
    owner = accepted(1).uscc
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=3, daily_requests=9))
    outcomes = node.hosted.register(PREFIX, [item(n) for n in range(5)])
    assert codes(outcomes) == [1, 1, 1, 604, 604]
    node.hosted.remove(PREFIX, [item(0).name])
    assert codes(node.hosted.register(PREFIX, [item(7)])) == [1]


def test_daily_quota_is_told_to_the_resolver_until_midnight(node, records, clock, accepted):
    owner = accepted(1).uscc
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=3, daily_requests=2))
    node.usage.count(f"{PREFIX}/X", "192.0.2.1", ok=True)
    node.count()
    records.follow_refused()
    assert records.refused == set()
    node.usage.count(f"{PREFIX}/Y", "192.0.2.2", ok=False)
    node.usage.count("88.101.99/Y", "192.0.2.2", ok=True)
    node.count()
    records.follow_refused()
    assert records.refused == {PREFIX}
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=3, daily_requests=3))
    node.count()
    records.follow_refused()
    assert records.refused == set()
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=3, daily_requests=2))
    node.count()
    clock.ms += 3 * 3_600_000  # past midnight in Beijing
    node.count()
    records.follow_refused()
    assert records.refused == set()


def test_days_are_counted_from_the_log_where_there_is_one(node, clock, accepted):
    owner = accepted(1).uscc
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=3, daily_requests=7))
    asked = []

    def source(day):
        asked.append(day)
        row = AskedOf(prefix=PREFIX, source="192.0.2.0/24", requests=7, successes=5)
        return [row] if day == today else []

    today = beijing_day(clock.ms)
    node.day_source = source
    node.peak_source = lambda day: (12, clock.ms) if day == today else None
    node.count()
    node.count()
    (row,) = node.monitoring.latencies(today, today)
    assert (row["node"], row["what"], row["peak_qps"]) == ("88.101", "resolve", 12)
    assert len(asked) == 5  # the days before only once
    assert node.tenants.over_quota(today) == {PREFIX}
    assert [row["requests"] for row in node.usage.tenants() if row["uscc"] == owner] == [7]
    node.day_source = lambda _day: None
    node.count()
    assert node.tenants.over_quota(today) == {PREFIX}


def test_permission_groups(node, accepted):
    owner, other = accepted(1).uscc, accepted(2).uscc
    node.hosted.register(PREFIX, [item(1, NAME="a")])
    node.tenants.set_group(owner, "reader")
    with pytest.raises(Denied):
        node.hosted.register(PREFIX, [item(2)])
    assert node.lookup.query(other, "T/1", {}) == []
    node.tenants.set_group(other, "regulator")
    assert len(node.lookup.query(other, "T/1", {})) == 1
    node.tenants.set_group(owner, "suspended")
    with pytest.raises(Denied):
        node.lookup.query(owner, "T/1", {})
    with pytest.raises(NotFound):
        node.tenants.set_group(owner, "nobody")


def test_query_over_a_template(node, accepted):
    accepted(1)
    node.hosted.register(
        PREFIX, [item(n, "T/1" if n < 8 else "T/2", NAME=f"n{n % 2}", LOT="L7") for n in range(10)]
    )
    found = node.lookup.query("", "T/1", {"NAME": "n1", "LOT": "L*"}, limit=3)
    assert [row["name"][-1] for row in found] == ["1", "3", "5"]
    rest = node.lookup.query("", "T/1", {"NAME": "n1"}, after=found[-1]["name"])
    assert [row["name"][-1] for row in rest] == ["7"]
    assert node.lookup.query("", "T/1", {"NAME": "n"}) == []
    assert node.lookup.query("", "T/1", {"NAME' OR 1=1 --": "n1"}) == []


def test_query_over_the_templates_of_one_name(node, accepted):
    accepted(1)
    accepted(2)
    for prefix, template in (("88.101.1", "88.101.1/T.1"), ("88.101.2", "88.101.2/T.1"),
                             ("88.101.2", "88.101.2/T.11")):  # fmt: skip
        number = "0001" if template.endswith("/T.1") else "0011"
        name = f"{prefix}/PRT.{number}"
        node.hosted.register(
            prefix, [HostedItem(name=name, template=template, values={"LOT": "L7"})]
        )
    assert node.lookup.templates() == ["88.101.1/T.1", "88.101.2/T.1", "88.101.2/T.11"]
    found = node.lookup.query("", "*/T.1", {"LOT": "L*"})
    assert [row["name"] for row in found] == ["88.101.1/PRT.0001", "88.101.2/PRT.0001"]
    assert node.lookup.query("", "*/T", {}) == []


def test_only_hosted_prefixes_and_limited_calls(node, accepted):
    accepted(1, mode=Mode.OWN)
    with pytest.raises(NotFound):
        node.hosted.register(PREFIX, [item(1)])
    with pytest.raises(InvalidInput):
        node.hosted.register(PREFIX, [item(n) for n in range(2001)])


def test_rows_without_records_are_repaired(node, records, accepted):
    accepted(1)
    node.hosted.register(PREFIX, [item(1, NAME="a"), item(2)])
    node.hosted.remove(PREFIX, [item(2).name])
    records.delete_many([item(1).name])
    records.put(records.get("0.NA/" + PREFIX).__class__(item(2).name, ()))
    with node._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE secondlevel_identifier SET projected = 0")
    assert node.hosted.replay() == 2
    assert records.get(item(1).name).value(2000).text() == "a"
    assert records.get(item(2).name) is None


def test_a_tenant_that_registers_but_is_never_asked_shows(node, accepted):
    accepted(1)
    accepted(2)
    node.hosted.register(PREFIX, [item(n) for n in range(50)])
    node.hosted.register("88.101.2", [HostedItem(name="88.101.2/PRT.0001")])
    node.usage.count("88.101.2/PRT.0001", "192.0.2.1", ok=True)
    node.usage.count(item(1).name, "192.0.2.1", ok=True, foreign=False)
    node.usage.count(item(99).name, "192.0.2.1", ok=False)
    assert node.usage.flush() == 3
    one, two = sorted(node.usage.tenants(), key=lambda row: row["prefixes"])
    assert (one["identifiers"], one["requests"], one["foreign_share"]) == (50, 2, 0.0)
    assert one["resolved_30d"] == 1
    assert two["foreign_share"] == 1.0


@pytest.mark.parametrize("change", [{"kind": Kind.EXIT}, {"kind": Kind.CHANGE, "mode": Mode.OWN}])
def test_names_not_served_here_any_more_are_neither_found_nor_counted(node, accepted, change):
    owner = accepted(1).uscc
    accepted(2, prefix="88.101.2", uscc=owner)
    node.tenants.set_quota(owner, Quota(prefixes=3, identifiers=2, daily_requests=9))
    node.hosted.register(PREFIX, [item(1), item(2)])
    other = HostedItem(name="88.101.2/PRT.0001", template="T/1")
    assert codes(node.hosted.register("88.101.2", [other])) == [604]
    accepted(1, **change)
    assert node.lookup.query("", "T/1", {}) == []
    assert node.lookup.query(owner, "T/1", {}) == []
    assert node.lookup.get(item(1).name) is None
    assert node.lookup.counts() == {}
    assert codes(node.hosted.register("88.101.2", [other])) == [1]
    assert [row["identifiers"] for row in node.usage.tenants()] == [1]
    # whoever comes back finds what it left
    accepted(1, kind=Kind.APPLY if change["kind"] == Kind.EXIT else Kind.CHANGE)
    assert len(node.lookup.query(owner, "T/1", {})) == 3
