"""The filing queue and questions of access on every database (fixture ``url``)."""

import pytest

from mingwu.identity.enterprise.filing import Asked, Wanted
from mingwu.identity.enterprise.granting.explaining import Because
from mingwu.identity.enterprise.granting.grants import Grant, Group, Scope
from mingwu.identity.enterprise.granting.search import GrantSearch, Who
from mingwu.identity.enterprise.lifecycle import Action, State
from mingwu.identity.enterprise.model import (
    Actor,
    Industry,
    Item,
    Move,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import NotAuthenticated
from mingwu.store.settings import StoreSettings

PREFIX = "88.888.101"
APP = f"{PREFIX}/App_mes"
BOSS = Actor(name="boss", may_all=True)


def named(number):
    return f"{PREFIX}/N.{number:02}"


@pytest.fixture
def node(url, tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**28, durable=False)
    node = EnterpriseNode.open(EnterpriseSettings(store=StoreSettings(url=url, pool=3)), store)
    items = (Item(type="name", required=True), Item(type="secret", restricted=True))
    industry = Industry(category="C", division="36")
    definition = TemplateDef(prefix=PREFIX, version="1", industry=industry, items=items)
    node.templates.create(definition, actor="boss", publish=True)
    values = {"name": "n", "secret": "s"}
    ref = TemplateRef(PREFIX, "1")
    new = [Registration(name=named(n), template=ref, values=values) for n in range(12)]
    assert all(one.ok for one in node.registrations.register(new, actor=BOSS))
    yield node
    node.close()
    store.close()


def test_the_filing_queue(node):
    queue = node.filing
    first = queue.page(Asked(limit=5, text="n."))
    assert [row.name for row in first.names] == [named(n) for n in range(5)]
    rest = queue.page(Asked(limit=50, after=first.next))
    assert [row.name for row in rest.names] == [named(n) for n in range(5, 12)]
    latest = queue.page(Asked(limit=2, newest=True))
    assert [row.name for row in latest.names] == [named(11), named(10)]
    [back] = queue.decide(Action.RETURN, [Move(name=named(3), version=1)], actor=BOSS, note="why")
    assert back.state is State.RETURNED
    change = Registration(name=named(4), template=TemplateRef(), values={"name": "other"})
    node.registrations.change([change], actor=BOSS, merge=True)
    after, done = 0, 0
    while True:
        step = queue.decide_matching(
            Action.FILE, Wanted(), upto=first.upto, after=after, limit=4, actor=BOSS, note="R"
        )
        done += sum(result.ok for result in step.results)
        after = step.next
        if not after:
            break
    assert done == 10
    page = queue.page(Asked())
    assert page.states == {State.REGISTERED: 1, State.RETURNED: 1}
    assert [row.name for row in page.names] == [named(4)]
    assert queue.counts(Wanted(state=State.RETURNED))["owner"] == {"boss": 1}
    assert queue.page(Asked(state=State.RETURNED)).names[0].note == "why"


def test_access_is_found_and_explained(node):
    node.applications.create(APP, login="mes", account="boss", title="MES")
    node.grants.put_group(Group(name="g", en="Group", members=("li",)))
    node.grants.grant(
        [
            Grant(grantee="group:g", scope=Scope.TEMPLATE, target="1"),
            Grant(grantee=APP, scope=Scope.IDENTIFIER, target=named(1), item="secret"),
            Grant(grantee="300:0.NA/88.2", scope=Scope.IDENTIFIER, target=named(2)),
        ],
        actor="boss",
    )
    for kind, who in (
        (Who.GROUP, "GROUP:G"),
        (Who.APPLICATION, APP),
        (Who.ENTERPRISE, "300:0.NA/88.2"),
    ):
        [row], total = node.access.search(GrantSearch(kind=kind))
        assert (row.grantee, total) == (who, 1)
    assert node.access.search(GrantSearch(kind=Who.ACCOUNT))[1] == 0
    assert node.access.search(GrantSearch(name=named(1)))[1] == 2
    assert node.access.search(GrantSearch(text="n.02"))[1] == 1
    identifier = node.register.get(named(1))
    template = node.register.template_of(named(1))
    said = node.access.explain(identifier, template, node.access.asker("Li"))
    [reason] = said.items[1].read
    assert (reason.because, reason.via, reason.grant.label_en) == (
        Because.GRANT,
        "GROUP:G",
        "Group",
    )


def test_tokens_end_with_a_new_secret(node):
    secret = node.applications.create(APP, login="mes", account="boss")
    until = node.now_ms() + 60_000
    proven = node.applications.check_secret("mes", secret, "::1")
    node.applications.remember("s1", proven, until)
    assert node.applications.of_session("s1").handle == APP
    assert node.applications.get(APP).last_used_at_ms > 0
    again = node.applications.reset_secret(APP)
    with pytest.raises(NotAuthenticated):
        node.applications.of_session("s1")
    with pytest.raises(NotAuthenticated):  # who proved the old secret before it was replaced
        node.applications.remember("s0", proven, until)
    with pytest.raises(NotAuthenticated):
        node.applications.of_session("s0")
    proven = node.applications.check_secret("mes", again, "::1")
    node.applications.remember("s2", proven, until)
    assert node.applications.of_session("s2").handle == APP
    node.applications.remove(APP.upper())
    with pytest.raises(NotAuthenticated):
        node.applications.of_session("s2")
    assert node.applications.of_session("somebody's own") is None
