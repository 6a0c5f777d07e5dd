"""The filing queue: pages by sequence, filters, decisions about some and about all that match."""

import pytest
from msgspec.structs import replace

from mingwu.identity.enterprise.filing import Asked, Wanted
from mingwu.identity.enterprise.lifecycle import Action, State
from mingwu.identity.enterprise.model import Actor, Move
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.plant import Kind

PREFIX = "88.888.101"
NAMES = 23


def named(number):
    return f"{PREFIX}/Q.{number:02}"


@pytest.fixture
def queue(node, part, boss):
    """23 parts, two of them by somebody else, the last one a machine."""
    li = Actor(name="li", account="li", may_all=True)
    do = node.registrations
    do.register([part(f"Q.{n:02}") for n in range(20)], actor=boss)
    do.register([part("Q.20"), part("Q.21")], actor=li)
    do.register([replace(part("Q.22"), kind=Kind.MACHINE)], actor=boss)
    return node.filing


def walked(queue, **asked):
    """All names by following the pages."""
    names, after = [], 0
    while True:
        page = queue.page(Asked(after=after, **asked))
        names += [row.name for row in page.names]
        after = page.next
        if not after:
            return names


def test_pages_follow_the_sequence_while_others_work(queue, node, boss):
    first = queue.page(Asked(limit=10))
    assert [row.name for row in first.names] == [named(n) for n in range(10)]
    assert (first.total, first.upto) == (NAMES, NAMES)
    node.registrations.file([named(2), named(15)], actor=boss)
    second = queue.page(Asked(limit=10, after=first.next))
    assert [row.name for row in second.names] == [named(n) for n in range(10, 21) if n != 15]
    assert second.total == NAMES - 2
    assert walked(queue, limit=5) == [named(n) for n in range(NAMES) if n not in {2, 15}]
    assert walked(queue, limit=5, newest=True) == walked(queue, limit=1000)[::-1]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"owner": "li"}, 2),
        ({"kind": Kind.MACHINE}, 1),
        ({"template": 1}, NAMES),
        ({"template": 7}, 0),
        ({"prefix": PREFIX, "text": "q.1 Q"}, 10),
        ({"text": "%"}, 0),
        ({"state": State.CHANGED}, 0),
        ({"state": State.REGISTERED}, NAMES),
        ({"age_h": 1}, 0),
    ],
)
def test_filters(queue, wanted, count):
    page = queue.page(Asked(**wanted))
    assert (page.total, len(page.names)) == (count, count)
    assert sum(queue.counts(Wanted(**wanted))["owner"].values()) == count


def test_age_is_that_of_the_last_change(store, settings, part_template, boss, part):
    from mingwu.identity.enterprise.service import EnterpriseNode

    node = EnterpriseNode.open(settings, store)
    try:
        old = EnterpriseNode(node.engine, store, settings, now_ms=lambda: node.now_ms() - 7_200_000)
        old.templates.create(part_template, actor="boss", publish=True)
        old.registrations.register([part("Q.01"), part("Q.02")], actor=boss)
        node.registrations.change([part("Q.02", mass="2")], actor=boss)
        assert walked(node.filing, age_h=1) == [named(1)]
        assert walked(node.filing, age_h=3) == []
    finally:
        node.close()


def test_a_returned_name_resolves_and_waits_for_its_change(queue, node, store, part, boss):
    before = store.get(named(3))
    [result] = queue.decide(Action.RETURN, [Move(name=named(3))], actor=boss, note=" mass lacks ")
    assert result.state is State.RETURNED
    assert store.get(named(3)) == before
    assert named(3) not in walked(queue)
    [row] = queue.page(Asked(state=State.RETURNED)).names
    assert (row.name, row.action, row.note, row.actor) == (named(3), "return", "mass lacks", "boss")
    assert queue.page(Asked()).states == {"registered": NAMES - 1, "returned": 1}
    [again] = queue.decide(Action.RETURN, [Move(name=named(3))], actor=boss, note="x")
    assert again.fault.code == "enterprise.not-allowed"
    node.registrations.change([part("Q.03", mass="2")], actor=boss)
    assert walked(queue)[-1] == named(3)
    assert node.register.get(named(3)).row.state is State.CHANGED
    queue.decide(Action.RETURN, [Move(name=named(3))], actor=boss, note="x")
    [filed] = queue.decide(Action.FILE, [Move(name=named(3))], actor=boss, note="R-1")
    assert filed.state is State.FILED
    with pytest.raises(InvalidInput):
        queue.decide(Action.RETURN, [Move(name=named(4))], actor=boss, note="  ")


def test_what_was_changed_since_it_was_seen_is_refused(queue, node, part, boss):
    node.registrations.change([part("Q.05", mass="2")], actor=boss)
    moves = [Move(name=named(4), version=1), Move(name=named(5), version=1), Move(name=named(5))]
    results = queue.decide(Action.FILE, [*moves, Move(name=f"{PREFIX}/no")], actor=boss, note="R")
    assert [result.fault and result.fault.code for result in results] == [
        None, "enterprise.changed-meanwhile", "enterprise.name-twice", "enterprise.name-unknown",
    ]  # fmt: skip


def test_all_that_match_go_in_steps_and_no_further_than_was_seen(queue, node, part, boss):
    upto = queue.page(Asked(limit=1)).upto
    node.registrations.register([part("Q.90")], actor=boss)
    node.registrations.change([part("Q.07", mass="2")], actor=boss)
    wanted, after, lefts, done = Wanted(text="Q."), 0, [], []
    while True:
        step = queue.decide_matching(
            Action.FILE, wanted, upto=upto, after=after, limit=10, actor=boss, note="R-2"
        )
        done += [result.name for result in step.results if result.ok]
        lefts.append(step.left)
        after = step.next
        if not after:
            break
    assert lefts == [12, 2, 0]
    assert done == [named(n) for n in range(NAMES) if n != 7]
    assert walked(queue) == [named(90), named(7)], "both came after what was seen"


def test_one_who_may_nothing_files_nothing(queue):
    guest = Actor(name="guest")
    results = queue.decide(Action.FILE, [Move(name=named(1))], actor=guest, note="R")
    assert results[0].fault.code == "enterprise.no-access"


def test_steps_are_no_larger_than_a_call_may_be(queue, node, part, boss):
    node.registrations.register([part(f"Q.{n}") for n in range(100, 140)], actor=boss)
    page = queue.page(Asked(limit=1))
    assert page.step == 50, "what the node takes in one call"
    step = queue.decide_matching(
        Action.FILE, Wanted(), upto=page.upto, after=0, limit=2000, actor=boss, note="R"
    )
    assert (len(step.results), step.left) == (50, NAMES + 40 - 50)
