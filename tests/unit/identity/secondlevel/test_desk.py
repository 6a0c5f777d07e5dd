"""What the operator's desk sees: masked numbers, checks, enterprises in pages, deposits."""

import msgspec
import pytest

from mingwu.identity.secondlevel.desk import (
    LITTLE_SHARE,
    MANY_IDENTIFIERS,
    PrefixUse,
)
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode, Reason, State
from mingwu.identity.secondlevel.reviewing import masked
from mingwu.kernel.errors import InvalidInput
from mingwu.trust import sm2

CITIZEN = "11010519491231002X"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(CITIZEN, "110*************2X"), ("", ""), ("12345", "*****"), ("123456", "123*56")],
)
def test_a_masked_number_shows_its_ends_only(number, shown):
    assert masked(number) == shown


def states(node, application):
    return {one.name: one.state for one in node.reviewing.checks(application)}


def test_checks_say_what_is_right_wrong_and_not_given(node, make_form, accepted):
    first = node.applications.submit(make_form(1, citizen=CITIZEN), "a")
    found = states(node, first)
    assert {found[name] for name in ("uscc", "citizen", "phone", "prefix", "quota")} == {"passed"}
    assert found["licence"] == "absent"
    assert "site" not in found
    own = node.applications.submit(make_form(2, mode=Mode.OWN), "a")
    assert states(node, own)["site"] == "passed"
    # a second application while the enterprise already holds as many as it may
    for number in (11, 12, 13):
        accepted(number, uscc=make_form(3).organisation.uscc)
    limits = node.tenants.get(make_form(3).organisation.uscc).quota
    assert limits.prefixes == 3
    held = msgspec.structs.replace(
        own, form=msgspec.structs.replace(make_form(3), prefix="88.101.11", kind=Kind.APPLY)
    )
    found = states(node, held)
    assert (found["quota"], found["prefix"]) == ("failed", "failed")
    leave = msgspec.structs.replace(held, form=make_form(3, kind=Kind.EXIT, prefix="88.101.11"))
    assert states(node, leave)["prefix"] == "passed"


def test_taking_a_prefix_over_from_its_holder_passes_the_checks(node, make_form, accepted):
    holder = accepted(1).uscc
    form = msgspec.structs.replace(
        make_form(2, kind=Kind.CHANGE, prefix="88.101.1"), holder=holder, consent_sha256="0" * 64
    )
    asked = node.applications.submit(form, "a")
    found = states(node, asked)
    assert (found["prefix"], found["quota"]) == ("passed", "passed")
    # the new holder meanwhile got as many prefixes as it may have: the reviewer sees it
    for number in (11, 12, 13):
        accepted(number, uscc=form.organisation.uscc)
    assert states(node, asked)["quota"] == "failed"
    stranger = msgspec.structs.replace(asked, form=msgspec.structs.replace(form, holder="9" * 18))
    assert states(node, stranger)["prefix"] == "failed"


def test_a_change_is_seen_beside_what_is_registered(node, make_form, accepted):
    accepted(1, citizen=CITIZEN)
    (first,), _ = node.applications.queue(limit=1)
    assert node.reviewing.present(first) is None, "decided, and no change"
    asked = node.applications.submit(make_form(1, kind=Kind.CHANGE, mode=Mode.OWN), "a")
    present = node.reviewing.present(asked)
    assert (present.mode, present.site) == (Mode.HOSTED, None)
    assert asked.form.mode is Mode.OWN
    assert present.legal_person.number == masked(CITIZEN)


def test_the_queue_in_pages_by_state_and_by_words(node, make_form, clock):
    for number in range(1, 8):
        clock.ms += 1000
        node.applications.submit(make_form(number, citizen=CITIZEN), "a")
    rows = node.desk.applications()["rows"]
    node.applications.send_back(rows[0]["id"], "r", [Reason("purpose", "why")])
    found = node.desk.applications(state=State.SUBMITTED, offset=4, limit=4)
    assert (found["total"], len(found["rows"])) == (6, 2)
    assert found["counts"] == {"submitted": 6, "returned": 1}
    assert [row["name"] for row in node.desk.applications(q="企业3")["rows"]] == ["企业3"]
    assert node.desk.applications(q="88.101.4")["total"] == 1
    # nobody finds a person by number, nor a form by its JSON
    assert node.desk.applications(q=CITIZEN)["total"] == 0
    assert node.desk.applications(q="legal_person")["total"] == 0
    assert node.desk.applications(q="%")["total"] == 0


def register(node, prefix, count):
    names = [HostedItem(name=f"{prefix}/VEH.{at:04d}") for at in range(count)]
    assert all(one.code == 1 for one in node.hosted.register(prefix, names))


def test_who_registers_and_is_never_asked_stands_out(node, accepted):
    for number in (1, 2, 3):
        accepted(number)
    accepted(4, mode=Mode.OWN)
    register(node, "88.101.1", MANY_IDENTIFIERS)
    register(node, "88.101.2", MANY_IDENTIFIERS)
    register(node, "88.101.3", MANY_IDENTIFIERS - 1)
    for at in range(int(MANY_IDENTIFIERS * LITTLE_SHARE)):
        node.usage.count(f"88.101.2/VEH.{at:04d}", "198.51.100.1", ok=True)
    node.usage.count("88.101.1/VEH.0001", "10.0.0.1", ok=True, foreign=False)
    found = node.desk.enterprises()
    assert {row["prefix"]: row["is_unused"] for row in found["rows"]} == {
        "88.101.1": True, "88.101.2": False, "88.101.3": False, "88.101.4": False,
    }  # fmt: skip
    assert found["figures"]["unused"] == 1
    assert found["figures"]["identifiers"] == 3 * MANY_IDENTIFIERS - 1
    assert [row["prefix"] for row in node.desk.enterprises(only="unused")["rows"]] == ["88.101.1"]
    assert [row["prefix"] for row in node.desk.enterprises(only="own")["rows"]] == ["88.101.4"]
    page = node.desk.enterprises(sort="identifiers", order="desc", limit=2, offset=2)
    assert (page["total"], [row["prefix"] for row in page["rows"]]) == (4, ["88.101.3", "88.101.4"])
    # without identifiers there is no share; such rows stand last in either order
    for order in ("asc", "desc"):
        rows = node.desk.enterprises(sort="foreign_share", order=order)["rows"]
        assert rows[-1]["prefix"] == "88.101.4"
    with pytest.raises(InvalidInput):
        node.desk.enterprises(sort="secret")


def test_deposits_tell_what_became_of_them(node, accepted):
    accepted(1)
    made = node.escrow.make("FULL", sm2.public_point(sm2.generate()))
    found = node.desk.deposits()
    assert (found["total"], found["sealed"]) == (1, False)
    assert (found["rows"][0]["id"], found["rows"][0]["delivery"]) == (made.id, "waiting")


def test_the_next_free_prefix_is_above_all(node, accepted, make_form):
    accepted(7)
    node.applications.submit(make_form(1002), "a")
    assert node.desk.about()["free_prefix"] == "88.101.1003"


def test_duties_with_what_waits_is_refused_and_late(node, accepted, clock):
    accepted(1)
    node.duties.make()
    found = {row["id"]: row for row in node.desk.duties()["tables"]}
    assert len(found) == 14
    assert (found["T1"]["state"], found["T1"]["waiting"]) == ("waiting", 1)
    assert found["T10"]["state"] == "nothing"
    assert found["T3"]["upto"] == "2026-09-20"
    clock.ms += 301_000
    late = {row["id"]: row["state"] for row in node.desk.duties()["tables"]}
    assert (late["T1"], late["T3"]) == ("late", "waiting")
    number = node.desk.messages(state="waiting")["rows"][-1]["number"]
    node.outbox._settle(number, "refused", "why")
    told = node.desk.messages(state="refused")
    assert [row["error"] for row in told["rows"]] == ["why"]
    assert "body" not in told["rows"][0]
    assert told["counts"]["refused"] == 1
    assert node.desk.duties()["channels"]["epp"]["waiting"] + told["counts"]["refused"] >= 1


def test_the_signed_log_counts_where_there_is_one(node, accepted):
    accepted(1)
    register(node, "88.101.1", 10)
    node.usage.count("88.101.1/VEH.0001", "198.51.100.1", ok=True)
    assert node.desk.enterprises()["source"] == "counters"
    assert node.desk.enterprises()["rows"][0]["foreign_30d"] == 1
    node.desk.use_source = lambda: {"88.101.1": PrefixUse(requests=9, foreign=4, today=2)}
    found = node.desk.enterprises()
    row = found["rows"][0]
    assert (found["source"], row["foreign_share"], row["requests"]) == ("log", 0.4, 9)
    assert row["requests_today"] == 2
    told = {one["uscc"]: one for one in node.desk.tenant_use()}[row["uscc"]]
    assert (told["requests"], told["foreign_30d"], told["resolved_30d"]) == (9, 4, None)
    node.desk.use_source = lambda: None  # the resolver has not begun its log yet
    assert node.desk.enterprises()["source"] == "counters"
