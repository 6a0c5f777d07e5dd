"""The enterprise node on every database (fixture ``url``)."""

import threading
import time

import msgspec
import pytest

from mingwu.identity.enterprise.granting.grants import Grant, Group, Scope
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.imports.importing import Outcome
from mingwu.identity.enterprise.imports.jobs import ImportOrder, JobState
from mingwu.identity.enterprise.imports.uploads import PART_BYTES, Uploading
from mingwu.identity.enterprise.mappings import Mapping
from mingwu.identity.enterprise.model import (
    Actor,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.queries import Search
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.enterprise.templates import effect as templateeffect
from mingwu.identity.enterprise.templates import uniques
from mingwu.identity.enterprise.templates.effect import effect
from mingwu.identity.enterprise.templates.keeping import TemplateSearch
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Conflict
from mingwu.store.settings import StoreSettings

PREFIX = "88.888.101"
REF = TemplateRef(PREFIX, "1")
BOSS = Actor(name="boss", may_all=True)


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**28, durable=False)
    yield store
    store.close()


def open_node(url, store):
    return EnterpriseNode.open(EnterpriseSettings(store=StoreSettings(url=url, pool=3)), store)


@pytest.fixture
def node(url, store):
    node = open_node(url, store)
    items = (Item(type="name", required=True, unique=True), Item(type="secret", restricted=True))
    industry = Industry(category="C", division="36")
    definition = TemplateDef(prefix=PREFIX, version="1", industry=industry, items=items)
    node.templates.create(definition, actor="boss", publish=True)
    yield node
    node.close()


def item(suffix, **values):
    values = {"name": suffix} | values
    return Registration(name=f"{PREFIX}/{suffix}", template=REF, values=values)


def test_the_whole_life_and_the_lists(node, store):
    do = node.registrations
    results = do.register([item(f"N.{n}", secret="s") for n in range(10)], actor=BOSS)
    assert all(result.ok for result in results)
    taken = do.register([item("X", name="N.1")], actor=BOSS)
    assert taken[0].fault.code == "enterprise.value-taken"
    assert do.change([item("N.1", name="new")], actor=BOSS)[0].version == 2
    assert do.file([f"{PREFIX}/N.1", f"{PREFIX}/N.2"], actor=BOSS, note="R")[1].ok
    assert do.deregister([f"{PREFIX}/N.3"], actor=BOSS)[0].ok
    assert node.register.counts()["state"] == {"registered": 7, "filed": 2, "deregistered": 1}
    rows, total = node.register.search(Search(text="n.", sort="name", limit=3))
    assert (len(rows), total) == (3, 10)
    assert [row.version for row in node.register.history(f"{PREFIX}/n.1")] == [3, 2, 1]
    assert len(node.register.changes(10)) == 4
    assert store.get(f"{PREFIX}/N.3") is None
    assert store.get(f"{PREFIX}/N.1").value(2000).text() == "new"


def test_grants_and_imports(node):
    node.registrations.register([item("G", secret="s")], actor=BOSS)
    node.grants.put_group(Group(name="g", members=("li",)))
    node.grants.grant([Grant(grantee="group:g", scope=Scope.TEMPLATE, target="1")], actor="boss")
    assert node.readable(f"{PREFIX}/G", ("Li",)) == {2001}
    mapping = Mapping(
        name="m", prefix=PREFIX, version="1", identifier=PREFIX + "/{a}", values={"name": "{a}"}
    )
    node.mappings.put(mapping, actor="boss")
    uploading = Uploading(node, "table.csv", actor="boss")
    uploading.add(b"a\nI1\nI2\nI 3\x07\n" + b"I1\n" * (PART_BYTES // 3))
    upload = uploading.close()
    desk = ImportDesk(node)
    try:
        wanted = ImportOrder(mapping=node.mappings.get("m"), dry=False, upload=upload.id)
        job = desk.start(wanted, actor=BOSS)
        while (job := desk.jobs.get(job.id)).alive:
            time.sleep(0.05)
    finally:
        desk.close()
    assert (job.state, job.report.registered, job.report.refused) == (JobState.DONE, 2, 1)
    assert job.report.duplicates == PART_BYTES // 3
    assert [row.row for row in desk.jobs.rows(job.id, Outcome.REFUSED)] == [4]
    node.mappings.remove("m")
    assert node.mappings.list() == []


def test_registrars_in_parallel_lose_nothing(node, url, store):
    """Two nodes over one database and one record store, as two web processes are."""
    other = open_node(url, store)
    faults = []

    def work(registrar, mark):
        for batch in range(8):
            items = [item(f"{mark}{batch}.{n}") for n in range(25)]
            results = registrar.registrations.register(items, actor=BOSS)
            faults.extend(result for result in results if not result.ok)
            contested = registrar.registrations.register([item(f"C{batch}")], actor=BOSS)
            won.append(contested[0].ok)

    won = []
    threads = [threading.Thread(target=work, args=pair) for pair in ((node, "A"), (other, "B"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert faults == []
    assert sorted(won) == [False] * 8 + [True] * 8
    names = store.names(PREFIX)
    assert len(names) == 2 * 8 * 25 + 8
    assert node.recover() == 0
    sequences = [row.sequence for row in node.register.changes(0, 10_000)]
    assert sequences == list(range(1, 409))


def test_a_template_changes_with_its_names(node, monkeypatch):
    for module in (templateeffect, uniques):  # rows come in pieces, as with many names
        monkeypatch.setattr(module, "_CHUNK", 1)
    node.registrations.register([item("A", secret="1"), item("B", secret="1")], actor=BOSS)
    old = node.templates.get(REF)
    secret = msgspec.structs.replace(old.definition.items[1], unique=True)
    items = (old.definition.items[0], secret, Item(type="kind", choices=("x", "y")))
    new = msgspec.structs.replace(old.definition, items=items)
    means = effect(node.engine, old, old.definition, new)
    assert (means.names, means.judged, means.invalid) == (2, 2, 1)
    assert node.change_template(REF, new, actor="boss", base=1).revision == 2
    with pytest.raises(Conflict):
        node.change_template(REF, new, actor="other", base=1)
    [taken] = node.registrations.register([item("C", secret="1", kind="z")], actor=BOSS)
    assert [fault.params["item"] for fault in taken.faults] == ["kind", "secret"]
    found, total = node.templates.search(TemplateSearch(text="META_", industry="36"))
    assert (total, found[0].revision, node.templates.names(found[0].number)) == (1, 2, 2)
    assert node.industries.search("361")[0].code == "361"
