"""Changing a template: optimistic lock, revisions, differences, what they mean for names, files."""

import msgspec
import pytest

from mingwu.identity.enterprise.model import (
    DataType,
    Industry,
    Item,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.templates import file as templatefile
from mingwu.identity.enterprise.templates import readymade
from mingwu.identity.enterprise.templates.diff import difference
from mingwu.identity.enterprise.templates.effect import effect
from mingwu.identity.enterprise.templates.keeping import TemplateSearch
from mingwu.identity.enterprise.templates.rules import judged
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.kernel.plant import Kind

PREFIX = "88.888.101"
PART = TemplateRef(PREFIX, "PART-1")
PARTS = Industry(category="C", division="36", group="367", class_="3670")


def define(*items, version="T", industry=PARTS, **more):
    return TemplateDef(prefix=PREFIX, version=version, industry=industry, items=items, **more)


def with_item(definition, kind, **more):
    """The definition with one item changed."""
    items = tuple(
        msgspec.structs.replace(item, **more) if item.type == kind else item
        for item in definition.items
    )
    return msgspec.structs.replace(definition, items=items)


@pytest.fixture
def stored(node):
    return node.templates.get(PART).definition


def effect_of(node, new):
    template = node.templates.get(PART)
    return effect(node.engine, template, template.definition, new)


# ------------------------------------------------------------------ revisions and the lock
def test_a_change_on_an_overtaken_revision_is_refused_and_nothing_lost(node, boss, stored):
    theirs = with_item(stored, "mass", high=50)
    assert node.change_template(PART, theirs, actor="other", base=1).revision == 2
    mine = with_item(stored, "grade", choices=("A", "B", "C"))
    with pytest.raises(Conflict) as caught:
        node.change_template(PART, mine, actor=boss.name, base=1)
    assert caught.value.code == "enterprise.template-changed"
    assert "other" in caught.value.text("zh")
    assert node.templates.get(PART).definition == theirs
    with pytest.raises(Conflict):
        node.templates.set_published(PART, published=False, actor=boss.name, base=1)
    node.change_template(PART, mine, actor=boss.name, base=2)
    assert [one.revision for one in node.templates.revisions(PART)] == [3, 2, 1]
    assert [one.revision for one in node.templates.revisions(PART, offset=1, limit=1)] == [2]
    second = node.templates.revision(PART, 2)
    assert (second.actor, second.definition) == ("other", theirs)
    with pytest.raises(NotFound) as unknown:
        node.templates.revision(PART, 9)
    assert unknown.value.code == "enterprise.revision-unknown"


# ------------------------------------------------------------------ rules
def test_all_faults_of_a_definition_with_their_items():
    _, faults = judged(
        define(
            Item(type="a", min_length=5, max_length=4),
            Item(type="HS_ADMIN"),
            Item(type="n", data_type=DataType.NUMBER, low=1, default="0"),
            Item(type="u", unique=True, default="x"),
            Item(type="c", choices=("A", "A")),
            Item(type="d", data_type=DataType.DATE, date_format="DD.MM."),
            Item(type="twice"),
            Item(type="twice"),
            handle="88.1.1/META",
        ),
        None,
    )
    items = [fault.params["item"] for fault in faults]
    assert sorted(items) == ["", "HS_ADMIN", "a", "c", "d", "n", "twice", "u"]
    by_item = {fault.params["item"]: fault for fault in faults}
    assert "below 1" in by_item["n"].text("en")
    assert "小于 1" in by_item["n"].text("zh")


def test_what_was_stored_stays(stored):
    lost = msgspec.structs.replace(stored, items=stored.items[1:])
    _, faults = judged(lost, stored)
    assert [fault.params["item"] for fault in faults] == ["name"]


# ------------------------------------------------------------------ differences
def test_differences_tell_items_and_fields(stored):
    new = with_item(stored, "mass", high=50.0, name_zh="质量")
    items = (*new.items, Item(type="note", index=2006))
    new = msgspec.structs.replace(new, items=items, description="more")
    found = difference(stored, new)
    assert [(one.field, one.before, one.after) for one in found.fields] == [
        ("description", "", "more")
    ]
    assert [(one.what, one.type, one.binding) for one in found.items] == [
        ("changed", "mass", True), ("added", "note", False),
    ]  # fmt: skip
    assert {one.field for one in found.items[0].fields} == {"high", "name_zh"}
    back = difference(new, stored)
    assert [(one.what, one.type) for one in back.items] == [
        ("changed", "mass"), ("removed", "note"),
    ]  # fmt: skip
    assert difference(new, new).items == ()


@pytest.mark.parametrize(
    ("kind", "change", "binding"),
    [
        ("name", {"name_en": "Name"}, False),
        ("name", {"required": False}, False),
        ("name", {"min_length": 3}, True),
        ("name", {"max_length": 30}, False),
        ("name", {"max_length": 10}, True),
        ("mass", {"low": None, "high": 200, "decimals": 3}, False),
        ("mass", {"low": 1}, True),
        ("mass", {"decimals": 1}, True),
        ("mass", {"data_type": DataType.STRING}, True),
        ("made", {"date_format": "YYYY/MM/DD"}, True),
        ("grade", {"choices": ("A", "B", "C")}, False),
        ("grade", {"choices": ("A",)}, True),
        ("grade", {"choices": ()}, False),
        ("inspector", {"choices": ("Q1",)}, True),
        ("inspector", {"unique": True}, True),
        ("inspector", {"restricted": False}, False),
        ("inspector", {"enabled": False}, True),
        ("serial", {"unique": False}, False),
    ],
)
def test_only_what_can_refuse_good_values_binds(stored, kind, change, binding):
    assert difference(stored, with_item(stored, kind, **change)).binding is binding


# ------------------------------------------------------------------ what it means for names
@pytest.fixture
def names(node, boss, part):
    items = [part(f"N{n}", mass=str(10 * n), inspector=f"Q{n % 2}", grade="AB"[n % 2])
             for n in range(6)]  # fmt: skip
    assert all(result.ok for result in node.registrations.register(items, actor=boss))
    node.registrations.register([part("D1", mass="90")], actor=boss, draft=True)
    node.registrations.deregister([f"{PREFIX}/N5"], actor=boss)


@pytest.mark.usefixtures("names")
def test_the_effect_counts_and_names_what_would_be_refused(node, stored):
    found = effect_of(node, with_item(stored, "mass", high=25))
    assert (found.names, found.judged, found.invalid, found.newly) == (6, 6, 3, 3)
    first = {one.name: one for one in found.first}
    assert set(first) == {f"{PREFIX}/N3", f"{PREFIX}/N4", f"{PREFIX}/D1"}
    assert "above 25" in first[f"{PREFIX}/N3"].faults[0].text("en")
    assert effect_of(node, with_item(stored, "mass", high=200)).judged == 0, "nothing can fail"
    required = effect_of(node, with_item(stored, "made", required=True))
    assert required.invalid == 5, "a draft may lack it"
    twice = effect_of(node, with_item(stored, "inspector", unique=True))
    assert twice.invalid == 3
    assert all("Q" not in one.faults[0].text("en") for one in twice.first), "values stay inside"


@pytest.mark.usefixtures("names")
def test_what_the_effect_says_is_what_a_change_meets(node, boss, part, stored):
    new = with_item(with_item(stored, "mass", high=25), "grade", choices=("A",))
    said = {one.name for one in effect_of(node, new).first}
    node.change_template(PART, new, actor=boss.name)
    again = [part(f"N{n}", mass=str(10 * n), inspector=f"Q{n % 2}", grade="AB"[n % 2])
             for n in range(5)]  # fmt: skip
    results = node.registrations.change(again, actor=boss, dry=True)
    assert {one.name for one in results if not one.ok} == said - {f"{PREFIX}/D1"}


@pytest.mark.usefixtures("names")
def test_an_item_that_becomes_unique_counts_what_exists(node, boss, part, stored):
    node.change_template(PART, with_item(stored, "inspector", unique=True), actor=boss.name)
    [taken] = node.registrations.register([part("X1", inspector="Q0")], actor=boss)
    assert taken.fault.code == "enterprise.value-taken"
    assert taken.fault.params["name"] == f"{PREFIX}/N0"
    [free] = node.registrations.register([part("X2", inspector="Q9")], actor=boss)
    assert free.ok
    node.change_template(PART, with_item(stored, "inspector", unique=False), actor=boss.name)
    [now] = node.registrations.register([part("X3", inspector="Q0")], actor=boss)
    assert now.ok


# ------------------------------------------------------------------ searching
def test_templates_are_found_by_words_kind_industry_and_state_in_pages(node, boss):
    software = Industry(category="I", division="65")
    for number in range(5):
        node.templates.create(
            define(
                Item(type="a"), version=f"ALG-{number}", name_zh=f"算法{number}",
                kind=Kind.ALGORITHM, industry=software,
            ),
            actor=boss.name,
        )  # fmt: skip

    def versions(**more):
        rows, total = node.templates.search(TemplateSearch(**more))
        return [one.definition.version for one in rows], total

    assert versions(kind=Kind.ALGORITHM, limit=2) == (["ALG-4", "ALG-3"], 5)
    assert versions(kind=Kind.ALGORITHM, offset=4, limit=2) == (["ALG-0"], 5)
    assert versions(industry="36") == (["PART-1"], 1)
    assert versions(industry="I", state=TemplateState.PUBLISHED) == ([], 0)
    assert versions(text="算法 3") == (["ALG-3"], 1)
    assert versions(text="%") == ([], 0)


# ------------------------------------------------------------------ files
def test_a_template_goes_through_a_file_unharmed(node, boss):
    template = node.templates.get(PART)
    assert templatefile.read(templatefile.dump(template)) == template.definition
    other = templatefile.read(templatefile.dump(template), prefix="88.888.202", version="X")
    assert (other.prefix, other.version, other.handle) == ("88.888.202", "X", "")
    snms = templatefile.read(templatefile.dump_snms(template))
    assert [item.type for item in snms.items] == [item.type for item in template.definition.items]
    assert snms.industry == PARTS


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"\xff", b"PK\x03\x04", b'{"format":"mingwu.data-template"}',
        b'{"format":"mingwu.data-template","edition":2,"definition":{}}',
        b'{"prefix":"88.1","version":"1","items":[{"idType":""}]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_other_files_are_refused_with_a_reason(data):
    with pytest.raises(InvalidInput) as caught:
        templatefile.read(data)
    assert caught.value.code == "enterprise.template-file"
    assert caught.value.text("zh")


# ------------------------------------------------------------------ industries
def test_industries_are_found_by_code_and_by_name_in_both_languages(node):
    def codes(text, **more):
        return [row.code for row in node.industries.search(text, **more)]

    assert codes("36")[0] == "36"
    assert set(codes("367")) >= {"367", "3670"}
    assert "36" in codes("汽车")
    assert "65" in codes("software", level=2)
    assert codes("c")[0] == "C"
    assert codes("nothing like it") == []
    rows = node.industries.search("3670")
    assert sorted(node.industries.above(rows)) == ["36", "367", "C"]


# ------------------------------------------------------------------ ready-made ones
@pytest.mark.parametrize("one", readymade.shipped(), ids=lambda one: one.kind)
def test_every_ready_made_template_is_sound_and_says_where_its_items_come_from(one):
    _, faults = judged(define(*one.items, kind=one.kind), None)
    assert faults == []
    assert one.items[0].required
    assert all(item.name_zh and item.name_en for item in one.items)
    assert all(one.sources[item.type] for item in one.items)


def test_there_is_one_for_each_kind():
    assert [one.kind for one in readymade.shipped()] == list(Kind)
