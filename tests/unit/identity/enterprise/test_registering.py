"""Registering, changing, filing, deregistering; per-item results; what resolution answers."""

import pytest
from msgspec.structs import replace

from mingwu.identity.cards import sync_cards
from mingwu.identity.codes.recognition import recognise
from mingwu.identity.enterprise.filing import Asked
from mingwu.identity.enterprise.lifecycle import TRANSITIONS, Action, State, after, possible
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
from mingwu.identity.enterprise.validation import MOST_FAULTS
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import encode_record
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.plant import CardTag, Kind, ThingCard
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"


def codes(results):
    return [result.fault.code if result.fault else None for result in results]


def values(record):
    return {value.type: value.text() for value in record.values if value.index >= 1000}


def test_a_registered_name_resolves_with_its_template(node, store, boss, part):
    [result] = node.registrations.register([part("P.1", mass="1.25", grade="A")], actor=boss)
    assert (result.state, result.version) == (State.REGISTERED, 1)
    record = store.get(f"{PREFIX}/p.1")
    assert values(record) == {
        "TEMPLATE_ID": f"{PREFIX}/META_PART-1",
        "TEMPLATE": "PART-1",
        "name": "零件P.1",
        "mass": "1.25",
        "grade": "A",
    }
    assert record.value(100).type == "HS_ADMIN"


def test_a_kind_of_its_own_is_told(node, store, boss, part):
    item = replace(part("K"), kind=Kind.DATA)
    node.registrations.register([item, part("L")], actor=boss)
    assert values(store.get(item.name))["MW.KIND"] == "data"
    assert "MW.KIND" not in values(store.get(f"{PREFIX}/L"))


def test_aliases_in_a_template_lead_to_the_name(node, store, boss):
    items = (Item(type="ALIAS.OID"),)
    definition = TemplateDef(
        prefix=PREFIX, version="A", industry=Industry(category="C", division="36"), items=items
    )
    node.templates.create(definition, actor=boss.name, publish=True)
    ref, oid = TemplateRef(PREFIX, "A"), "1.2.156.3001.7"
    item = Registration(name=f"{PREFIX}/A.1", template=ref, values={"ALIAS.OID": oid})
    assert codes(node.registrations.register([item], actor=boss)) == [None]
    assert store.named(recognise(oid).key) == [item.name]
    moved = replace(item, values={"ALIAS.OID": oid + ".1"})
    assert codes(node.registrations.change([moved], actor=boss)) == [None]
    assert store.named(recognise(oid).key) == []
    assert store.named(recognise(oid + ".1").key) == [item.name]


def test_filing_writes_no_record(node, store, boss, part):
    node.registrations.register([part("F")], actor=boss)
    before = store.projection.get(key_of(f"{PREFIX}/F"))
    node.registrations.file([f"{PREFIX}/F"], actor=boss)
    assert store.projection.get(key_of(f"{PREFIX}/F")) == before
    assert node.projector.mark == 2
    store.projection.write(clear=True)
    node.recover()
    assert store.get(f"{PREFIX}/F"), "a replay makes it nevertheless"


def test_new_records_are_the_bytes_of_the_general_encoder(node, store, boss, part):
    """The quick encoder of new names must not drift from the store's own."""
    item = part("Q.1", mass="2", inspector="张三\n第二行", serial='a"b\\c')
    assert codes(node.registrations.register([item], actor=boss)) == [None]
    data = store.projection.get(key_of(item.name))
    record = store.get(item.name)
    assert data == encode_record(record)
    inspector = next(v for v in record.values if v.type == "inspector")
    assert not inspector.is_public


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no-slash", "enterprise.bad-name"),
        (f"{PREFIX}/", "enterprise.bad-name"),
        (f"{PREFIX}/" + "x" * 245, "enterprise.bad-name"),
        (f"{PREFIX}/a\x07b", "enterprise.bad-name"),
        ("88.999.1/x", "enterprise.foreign-prefix"),
        ("", "enterprise.bad-name"),
    ],
)
def test_bad_names(node, boss, part, name, code):
    assert codes(node.registrations.register([replace(part("x"), name=name)], actor=boss)) == [code]


def test_a_name_of_255_characters_is_good(node, store, boss, part):
    name = f"{PREFIX}/" + "标" * (255 - len(PREFIX) - 1)
    assert len(name) == 255
    assert codes(node.registrations.register([replace(part("x"), name=name)], actor=boss)) == [None]
    assert store.get(name).name == name


def test_one_bad_item_does_not_hurt_the_others(node, store, boss, part):
    node.registrations.register([part("old")], actor=boss)
    items = [
        part("A"),
        part("a"),
        part("OLD"),
        part("B", mass="101"),
        part("C", nonsense="1"),
        replace(part("D"), template=TemplateRef(PREFIX, "none")),
        replace(part("E"), values={}),
        replace(part("F"), indexes={"name": 1001}),
        part("G"),
    ]
    results = node.registrations.register(items, actor=boss)
    assert codes(results) == [
        None,
        "enterprise.name-twice",
        "enterprise.name-taken",
        "enterprise.value-bad",
        "enterprise.value-unknown",
        "enterprise.template-unknown",
        "enterprise.value-missing",
        "enterprise.value-unknown",
        None,
    ]
    lacking = results[6].fault
    assert lacking.params["item"] == "name"  # what programs look for
    assert "“name”" in lacking.text("en")
    assert "“名称（name）”" in lacking.text("zh")  # what people look for
    assert [result.name for result in results] == [item.name for item in items]
    for result in results:
        if result.fault:
            assert result.fault.text("zh") != result.fault.text("en")
    assert store.get(f"{PREFIX}/G")
    assert store.get(f"{PREFIX}/B") is None
    assert node.register.counts()["state"] == {"registered": 3}


def test_a_call_has_a_limit(node, boss, part):
    with pytest.raises(InvalidInput) as caught:
        node.registrations.register([part(str(n)) for n in range(51)], actor=boss)
    assert caught.value.code == "enterprise.batch-too-large"


def test_the_whole_life(node, store, boss, part):
    name = f"{PREFIX}/L.1"
    do = node.registrations
    empty = Registration(name=name, template=TemplateRef(PREFIX, "PART-1"), values={})
    assert codes(do.register([empty], actor=boss, draft=True)) == [None]
    assert store.get(name) is None, "drafts do not resolve"
    assert codes(do.submit([name], actor=boss)) == ["enterprise.value-missing"]
    assert codes(do.change([part("L.1", mass="1")], actor=boss)) == [None]
    assert codes(do.submit([name], actor=boss)) == [None]
    assert values(store.get(name))["mass"] == "1"
    assert codes(do.file([name], actor=boss, note="R-7")) == [None]
    assert codes(do.file([name], actor=boss)) == ["enterprise.not-allowed"]
    merged = Registration(name=name, template=TemplateRef(), values={"grade": "B", "mass": ""})
    [result] = do.change([merged], actor=boss, merge=True)
    assert result.state is State.CHANGED
    found = values(store.get(name))
    assert found["grade"] == "B"
    assert "mass" not in found
    assert [row.name for row in node.filing.page(Asked()).names] == [name]
    assert codes(do.deregister([name], actor=boss)) == [None]
    assert store.get(name) is None
    with pytest.raises(NotFound):
        node.current(name)
    history = node.register.history(name)
    assert [row.action for row in history] == [
        "deregister", "change", "file", "register", "change", "draft",
    ]  # fmt: skip
    assert [row.version for row in history] == [6, 5, 4, 3, 2, 1]
    assert history[2].note == "R-7"
    assert codes(do.submit([name], actor=boss)) == [None]
    assert values(store.get(name))["grade"] == "B"


def test_transitions_are_total():
    """Every state can be left or is the end; nothing happens outside the table."""
    for state in State:
        for action in Action:
            target = after(state, action)
            assert (target is not None) == ((state, action) in TRANSITIONS)
        assert possible(state)
    assert after(State.DEREGISTERED, Action.CHANGE) is None
    assert after(None, Action.FILE) is None


def test_a_stale_change_is_refused(node, boss, part):
    node.registrations.register([part("V")], actor=boss)
    node.registrations.change([part("V", mass="1")], actor=boss)
    stale = replace(part("V", mass="2"), version=1)
    assert codes(node.registrations.change([stale], actor=boss)) == ["enterprise.changed-meanwhile"]


def test_unique_values(node, boss, part):
    first, second = part("U1", serial="S1"), part("U2", serial="S1")
    do = node.registrations
    assert codes(do.register([first, second], actor=boss)) == [None, "enterprise.value-taken"]
    assert codes(do.register([second], actor=boss)) == ["enterprise.value-taken"]
    assert codes(do.change([part("U1", serial="S2")], actor=boss)) == [None]
    assert codes(do.register([second], actor=boss)) == [None]
    assert codes(do.deregister([first.name], actor=boss)) == [None]
    assert codes(do.register([part("U3", serial="S2")], actor=boss)) == [None]


def test_strangers_touch_only_their_own(node, boss, part):
    mine, other = Actor(name=f"{PREFIX}/App_a"), Actor(name=f"{PREFIX}/App_b")
    do = node.registrations
    do.register([part("M")], actor=mine)
    assert codes(do.change([part("M", mass="1")], actor=other)) == ["enterprise.no-access"]
    assert codes(do.deregister([f"{PREFIX}/M"], actor=other)) == ["enterprise.no-access"]
    assert codes(do.change([part("M", mass="1")], actor=mine)) == [None]
    assert codes(do.deregister([f"{PREFIX}/M"], actor=boss)) == [None]
    assert codes(do.register([part("M")], actor=other)) == ["enterprise.name-taken"]
    assert codes(do.register([part("M")], actor=mine)) == [None]


def test_a_things_card_and_its_registration_live_in_one_record(node, store, boss, part):
    card = ThingCard(
        id=f"{PREFIX}/DEV.1", kind=Kind.MACHINE, type="X", name_en="Press", name_zh="压机",
        tags=(CardTag(number=7, name="t", unit="Cel"),),
    )  # fmt: skip
    sync_cards(store, [card], now=1)
    key_value = HandleValue(300, "HS_PUBKEY", b"k")
    store.change(card.id, lambda r: type(r)(r.name, (*r.values, key_value), r.live))
    node.registrations.register([part("DEV.1")], actor=boss)
    record = store.get(card.id)
    assert record.value(2).text() == "压机"
    assert record.value(300).data == b"k"
    assert record.live
    assert values(record)["name"] == "零件DEV.1"
    renamed = replace(card, name_zh="新压机")
    sync_cards(store, [renamed], now=2)
    record = store.get(card.id)
    assert record.value(2).text() == "新压机"
    assert values(record)["name"] == "零件DEV.1", "a changed card leaves the registration"
    sync_cards(store, [], now=3)
    record = store.get(card.id)
    assert record.value(2) is None
    assert not record.live
    assert values(record)["name"] == "零件DEV.1", "so does one that goes"
    sync_cards(store, [card], now=4)
    node.registrations.deregister([card.id], actor=boss)
    record = store.get(card.id)
    assert record.value(2).text() == "压机"
    assert record.live
    assert not values(record)


def test_recovery_after_a_crash_between_the_two_commits(node, store, boss, part, monkeypatch):
    node.registrations.register([part("R0")], actor=boss)
    monkeypatch.setattr(node.projector, "catch_up", lambda _: 0)  # killed before projecting
    node.registrations.register([part(f"R{n}") for n in range(1, 40)], actor=boss)
    node.registrations.deregister([f"{PREFIX}/R0"], actor=boss)
    assert store.get(f"{PREFIX}/R1") is None
    again = EnterpriseNode.open(node.settings, store)
    assert all(store.get(f"{PREFIX}/R{n}") for n in range(1, 40))
    assert store.get(f"{PREFIX}/R0") is None
    assert again.recover() == 0
    again.close()


def test_a_change_and_its_filing_are_both_caught_up(node, store, boss, part, monkeypatch):
    node.registrations.register([part("T", mass="1")], actor=boss)
    with monkeypatch.context() as killed:
        killed.setattr(node.projector, "catch_up", lambda _: 0)
        node.registrations.change([part("T", mass="2")], actor=boss)
        node.registrations.file([f"{PREFIX}/T"], actor=boss)
    assert node.recover() == 2
    assert values(store.get(f"{PREFIX}/T"))["mass"] == "2"


def test_an_empty_store_is_filled_from_the_register(node, store, boss, part):
    node.registrations.register([part(f"F{n}") for n in range(20)], actor=boss)
    store.projection.write(clear=True)
    assert node.recover() == 20
    assert store.get(f"{PREFIX}/F19")


def test_a_register_restored_from_an_older_backup_leads(node, store, boss, part, monkeypatch):
    node.registrations.register([part("B1")], actor=boss)
    store.projection.write([(b"e\0enterprise", (99).to_bytes(8))])
    assert node.recover() == 1


def test_lists_are_searched_and_paged(node, boss, part):
    node.registrations.register([part(f"S.{n:02d}") for n in range(30)], actor=boss)
    node.registrations.file([f"{PREFIX}/S.03"], actor=boss)
    rows, total = node.register.search(Search(sort="name", descending=False, offset=10, limit=5))
    assert total == 30
    assert [row.name for row in rows] == [f"{PREFIX}/S.{n}" for n in range(10, 15)]
    rows, total = node.register.search(Search(text="s.0%"))
    assert total == 0, "what people type is no pattern"
    assert node.register.search(Search(text="s.0"))[1] == 10
    assert node.register.search(Search(state=State.FILED))[1] == 1
    with pytest.raises(InvalidInput):
        node.register.search(Search(sort="drop table"))


def test_a_dry_run_stores_nothing(node, store, boss, part):
    results = node.registrations.register([part("D1"), part("D2", mass="x")], actor=boss, dry=True)
    assert codes(results) == [None, "enterprise.value-bad"]
    assert store.get(f"{PREFIX}/D1") is None
    assert node.register.counts()["state"] == {}


def test_a_refused_name_is_told_everything_that_is_wrong_with_it(node, boss, part):
    node.registrations.register([part("S1", serial="1")], actor=boss)
    wrong = part("W1", name="", serial="1", mass="heavy", made="tomorrow", colour="red")
    [result] = node.registrations.register([wrong], actor=boss)
    assert [fault.params["item"] for fault in result.faults] == [
        "name", "mass", "made", "colour", "serial",
    ]  # fmt: skip
    assert result.fault == result.faults[0]
    assert result.faults[1].text("en") == "Item “mass”: not a number"
    assert result.faults[1].text("zh") == "属性“mass”的值不符合数据模板：不是数值"
    foreign = replace(wrong, name="99.1/x")
    [result] = node.registrations.register([foreign], actor=boss)
    assert [fault.code for fault in result.faults][:2] == [
        "enterprise.foreign-prefix", "enterprise.value-missing",
    ]  # fmt: skip
    taken = part("S1", mass="heavy")
    [result] = node.registrations.register([taken], actor=boss)
    assert codes([result]) == ["enterprise.name-taken"]
    assert [fault.params.get("item") for fault in result.more] == ["mass"]
    assert node.registrations.register([part("W1")], actor=boss)[0].faults == ()


def test_faults_of_one_name_are_bounded(node, boss, part):
    wrong = part("W1", **{f"x{n}": "1" for n in range(1000)})
    [result] = node.registrations.register([wrong], actor=boss)
    assert len(result.faults) == MOST_FAULTS
