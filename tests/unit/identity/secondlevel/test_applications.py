"""Prefix applications: real names, the queue, quotas, and what the record store then answers."""

import msgspec
import pytest

from mingwu.identity.secondlevel.model import (
    HostedItem,
    Kind,
    Mode,
    Quota,
    Reason,
    SiteForm,
    State,
)
from mingwu.identity.secondlevel.uscc import check_digit, is_citizen_number, is_uscc
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded
from mingwu.wire.handle.site import read_site


def test_check_digits():
    assert is_uscc("91350100M000100Y43")
    assert not is_uscc("91350100M000100Y44")
    assert not is_uscc("91350100M000100I43")
    assert is_citizen_number("11010519491231002X")
    assert not is_citizen_number("110105194912310021")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uscc": "91350100M000100Y44"}, "organisation.uscc"),
        ({"citizen": "110105194912310021"}, "legal_person.number"),
        ({"phone": "call me"}, "contact.phone"),
        ({"mode": Mode.OWN, "site": None}, "site"),
        ({"mode": Mode.OWN, "site": SiteForm(host="node.example")}, "site.host"),
    ],
)
def test_a_form_with_faults_is_refused_with_the_field(node, make_form, change, field):
    with pytest.raises(InvalidInput) as caught:
        node.applications.submit(make_form(**change), "a")
    assert field in str(caught.value)
    assert node.applications.queue() == ([], 0)


@pytest.mark.parametrize("prefix", ["88.102.1", "88.101", "88.101.x", "88.1010", "88.101.1.2"])
def test_only_numbers_under_the_node(node, make_form, prefix):
    with pytest.raises(InvalidInput, match="cannot be given"):
        node.applications.submit(make_form(prefix=prefix), "a")


def test_returned_with_reasons_then_accepted(node, records, make_form):
    made = node.applications.submit(make_form(), "tenant")
    with pytest.raises(InvalidInput, match="needs a reason"):
        node.applications.send_back(made.id, "clerk", [])
    back = node.applications.send_back(made.id, "clerk", [Reason("licence", "不清晰")])
    assert (back.state, back.reasons[0].field) == (State.RETURNED, "licence")
    with pytest.raises(Conflict):
        node.applications.accept(made.id, "clerk")
    node.applications.submit(make_form(), "tenant", id_=made.id)
    given = node.applications.accept(made.id, "clerk")
    assert given.mode == Mode.HOSTED
    assert records.is_homed("88.101.1")
    steps = [step["state"] for step in node.applications.steps(made.id)]
    assert steps == ["submitted", "returned", "submitted", "accepted"]


def test_a_prefix_is_given_once(node, make_form, accepted):
    accepted(1)
    with pytest.raises(Conflict, match="taken"):
        node.applications.submit(make_form(2, prefix="88.101.1"), "a")
    node.applications.submit(make_form(3), "a")
    with pytest.raises(Conflict, match="taken"):
        node.applications.submit(make_form(4, prefix="88.101.3"), "a")


def test_rejected_is_final(node, make_form):
    made = node.applications.submit(make_form(), "a")
    node.applications.send_back(made.id, "clerk", [Reason("", "not real")], final=True)
    with pytest.raises(Conflict):
        node.applications.submit(make_form(), "a", id_=made.id)


def test_change_to_own_node_and_exit(node, records, make_form, accepted):
    accepted(1)
    own = SiteForm(host="127.0.0.9", port=3333)
    accepted(1, kind=Kind.CHANGE, mode=Mode.OWN, site=own)
    assert not records.is_homed("88.101.1")
    value = records.get("0.NA/88.101.1").value(1)
    assert read_site(value.data).servers[0].host == "127.0.0.9"
    accepted(1, kind=Kind.EXIT)
    assert records.get("0.NA/88.101.1") is None
    with pytest.raises(NotFound):
        node.applications.submit(make_form(1, kind=Kind.EXIT), "a")


def test_somebody_elses_prefix_cannot_be_changed(node, make_form, accepted):
    accepted(1)
    with pytest.raises(Conflict):
        node.applications.submit(make_form(2, kind=Kind.EXIT, prefix="88.101.1"), "a")


def test_quota_of_prefixes(node, make_form, accepted):
    owner = accepted(1).uscc
    node.tenants.set_quota(owner, Quota(prefixes=1, identifiers=1, daily_requests=1))
    with pytest.raises(Overloaded, match="1 prefixes"):
        node.applications.submit(make_form(1, prefix="88.101.77"), "a")


def test_quota_holds_when_two_were_submitted_at_once(node, make_form, accepted):
    owner = accepted(1).uscc
    node.tenants.set_quota(owner, Quota(prefixes=2, identifiers=1, daily_requests=1))
    both = [node.applications.submit(make_form(1, prefix=f"88.101.7{n}"), "a").id for n in range(2)]
    node.applications.accept(both[0], "r")
    with pytest.raises(Overloaded, match="2 prefixes"):
        node.applications.accept(both[1], "r")


def test_who_left_may_come_back_and_nobody_else_gets_the_number(node, make_form, accepted):
    accepted(1)
    accepted(1, kind=Kind.EXIT)
    with pytest.raises(Conflict):
        node.applications.submit(make_form(2, prefix="88.101.1"), "a")
    assert accepted(1).state == "active"


def uscc(number):
    return (first := f"91330000MA{number:07d}") + check_digit(first)


def passing(make_form, **more):
    """Enterprise 2 takes over the prefix of enterprise 1."""
    made = make_form(2, kind=Kind.CHANGE, prefix="88.101.1")
    holder = make_form(1).organisation.uscc
    return msgspec.structs.replace(made, **({"holder": holder, "consent_sha256": "0" * 64} | more))


def owner(records, prefix):
    values = records.get(f"0.NA/{prefix}").values
    return [value.text() for value in values if value.type == "OWNER"]


def test_a_prefix_record_names_the_holder_hosted_or_not(records, make_form, accepted):
    accepted(1)
    accepted(2, mode=Mode.OWN, site=SiteForm(host="127.0.0.1", port=2700))
    accepted(3, mode=Mode.OWN, site=SiteForm(service="0.SERV/own"))
    for number in (1, 2, 3):
        name = make_form(number).organisation.name
        assert owner(records, f"88.101.{number}") == [name]


def test_a_prefix_passes_to_another_enterprise(node, records, make_form, accepted):
    accepted(1)
    node.hosted.register("88.101.1", [HostedItem(name="88.101.1/EDU.2026-00000001")])
    row = node.applications.accept(node.applications.submit(passing(make_form), "a").id, "r")
    assert row.uscc == make_form(2).organisation.uscc
    assert owner(records, "88.101.1") == [make_form(2).organisation.name]
    assert node.outbox.entries()[0].body["verb"] == "transfer"
    assert node.lookup.counts() == {"88.101.1": 1}
    assert node.usage.tenants()[1]["identifiers"] == 1, "names go with their prefix"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"consent_sha256": ""}, InvalidInput),
        ({"kind": Kind.EXIT}, InvalidInput),
        ({"holder": uscc(9)}, Conflict),
        ({"prefix": "88.101.5"}, NotFound),
    ],
)
def test_passing_on_needs_the_holder_and_its_consent(node, make_form, accepted, more, error):
    accepted(1)
    with pytest.raises(error):
        node.applications.submit(passing(make_form, **more), "a")


def test_passing_on_counts_against_the_new_holders_quota(node, make_form, accepted):
    accepted(1)
    owner = accepted(2).uscc
    node.tenants.set_quota(owner, Quota(prefixes=1, identifiers=1, daily_requests=1))
    with pytest.raises(Overloaded):
        node.applications.submit(passing(make_form), "a")


def test_service_record_instead_of_a_site(records, accepted):
    accepted(1, mode=Mode.OWN, site=SiteForm(service="0.SERV/own"))
    assert records.get("0.NA/88.101.1").value(1).type == "HS_SERV"


def test_a_crash_between_row_and_record_is_repaired(node, records, accepted):
    accepted(1)
    records.unhome("88.101.1")
    records.delete_many(["0.NA/88.101.1"])
    with node._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE secondlevel_prefix SET projected = 0")
    assert node.prefixes.replay() == 1
    assert records.is_homed("88.101.1")


def names_here(records):
    return set(records.names("88.101.1", limit=100))


def test_names_follow_where_their_prefix_is_served(node, records, make_form, accepted):
    accepted(1)
    names = {f"88.101.1/PRT.{n:04d}" for n in range(30)}
    node.hosted.register("88.101.1", [HostedItem(name=name) for name in sorted(names)])
    site = SiteForm(host="127.0.0.1", port=9)
    accepted(1, kind=Kind.CHANGE, mode=Mode.OWN, site=site)
    assert names_here(records) == set(), "nobody gets a stale answer from here"
    accepted(1, kind=Kind.CHANGE)
    assert names_here(records) == names
    accepted(1, kind=Kind.EXIT)
    assert names_here(records) == set()
    accepted(1)
    assert names_here(records) == names


@pytest.mark.parametrize("mode", list(Mode))
def test_names_half_moved_by_a_crash_are_moved_at_the_next_start(node, records, accepted, mode):
    accepted(1)
    names = [f"88.101.1/PRT.{n:04d}" for n in range(30)]
    node.hosted.register("88.101.1", [HostedItem(name=name) for name in names])
    node.hosted.close()
    records.delete_many(names[10:])
    with node._engine.begin() as connection:
        site = '{"host": "127.0.0.1", "port": 9}'
        moved = f"UPDATE secondlevel_prefix SET projected = 0, mode = '{mode.value}', site = '"
        connection.exec_driver_sql(moved + site + "'")
    assert node.prefixes.replay() == 1
    assert names_here(records) == (set(names) if mode is Mode.HOSTED else set())
