"""Data templates, GB/T 4754 codes, validation of values."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import (
    DataType,
    Industry,
    Item,
    Template,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.templates.industry import IndustryRow, shipped
from mingwu.identity.enterprise.validation import Checker, read_content
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.store.engine import writing

PREFIX = "88.888.101"
PART = TemplateRef(PREFIX, "PART-1")
PARTS = Industry(category="C", division="36", group="367", class_="3670")


def define(*items, version="T", **more):
    return TemplateDef(prefix=PREFIX, version=version, industry=PARTS, items=items, **more)


def checker(*items):
    numbered = [msgspec.structs.replace(i, index=2000 + n) for n, i in enumerate(items)]
    return Checker(
        Template(
            number=1, state=TemplateState.PUBLISHED, revision=1, created_by="", created_at_ms=0,
            changed_at_ms=0, definition=define(*numbered),
        )
    )  # fmt: skip


def test_indexes_start_at_2000_and_stay(node, boss, part_template):
    template = node.templates.get(PART)
    assert [item.index for item in template.definition.items] == list(range(2000, 2006))
    more = (Item(type="extra"), *template.definition.items)
    changed = node.change_template(
        PART, msgspec.structs.replace(template.definition, items=more), actor=boss.name
    )
    by_type = {item.type: item.index for item in changed.definition.items}
    assert by_type["extra"] == 2006
    assert by_type["name"] == 2000
    assert changed.revision == 2


@pytest.mark.parametrize(
    "items",
    [
        (),
        (Item(type="a"), Item(type="a")),
        (Item(type="a", index=2000), Item(type="b", index=2000)),
        (Item(type="a", index=1000),),
        (Item(type="a", index=1999),),
        (Item(type="HS_ADMIN"),),
        (Item(type="hs_pubkey.x"),),
        (Item(type="MW.LIVE.t"),),
        (Item(type="a", min_length=5, max_length=4),),
        (Item(type="a", data_type=DataType.DATE, date_format="no date"),),
    ],
)
def test_bad_templates(node, boss, items):
    with pytest.raises(InvalidInput) as caught:
        node.templates.create(define(*items), actor=boss.name)
    assert caught.value.code == "enterprise.template-bad"


def test_items_cannot_vanish_or_move(node, boss, part_template):
    items = node.templates.get(PART).definition.items
    without = msgspec.structs.replace(part_template, items=items[1:])
    moved = (msgspec.structs.replace(items[0], index=2999), *items[1:])
    for definition in (without, msgspec.structs.replace(part_template, items=moved)):
        with pytest.raises(InvalidInput):
            node.change_template(PART, definition, actor=boss.name)


@pytest.mark.parametrize(
    ("ref", "zh"),
    [
        (TemplateRef(), "数据模板 （未指定） 不存在"),
        (TemplateRef(version="NONE"), "数据模板 NONE 不存在"),
        (TemplateRef(PREFIX, "NONE"), f"数据模板 {PREFIX} NONE 不存在"),
    ],
)
def test_an_unknown_template_is_named_as_it_was_asked_for(node, ref, zh):
    with pytest.raises(NotFound) as told:
        node.templates.get(ref)
    assert told.value.text("zh") == zh


def test_publish_withdraw_delete(node, boss, part):
    template = node.templates.create(define(Item(type="a"), version="W"), actor=boss.name)
    ref = TemplateRef(handle=template.definition.handle)
    item = msgspec.structs.replace(part("W1"), template=ref, values={"a": "1"})
    [result] = node.registrations.register([item], actor=boss)
    assert result.fault.code == "enterprise.template-unpublished"
    node.templates.set_published(ref, published=True, actor=boss.name)
    assert node.registrations.register([item], actor=boss)[0].ok
    node.templates.set_published(ref, published=False, actor=boss.name)
    with pytest.raises(Conflict):
        node.templates.delete(ref)
    assert node.registrations.change([item], actor=boss)[0].ok, "old names go on"
    with pytest.raises(Conflict):
        node.templates.create(define(Item(type="a"), version="W"), actor=boss.name)
    spare = node.templates.create(define(Item(type="a"), version="S"), actor=boss.name)
    node.templates.delete(TemplateRef(handle=spare.definition.handle))
    with pytest.raises(NotFound):
        node.templates.get(TemplateRef(PREFIX, "S"))


def test_opening_an_item_reaches_the_records(node, store, boss, part, part_template):
    node.registrations.register([part(f"O{n}", inspector="李") for n in range(3)], actor=boss)

    def is_public():
        record = store.get(f"{PREFIX}/O2")
        return next(v for v in record.values if v.type == "inspector").is_public

    assert not is_public()
    items = [
        msgspec.structs.replace(item, restricted=False)
        for item in node.templates.get(PART).definition.items
    ]
    definition = msgspec.structs.replace(part_template, items=tuple(items))
    node.change_template(PART, definition, actor=boss.name)
    assert is_public()


def test_the_shipped_industries_are_whole():
    rows = shipped()
    codes = {row.code: row for row in rows}
    assert len(codes) == len(rows)
    assert [sum(row.level == level for row in rows) for level in (1, 2)] == [20, 97]
    assert all(row.zh and row.en and row.source for row in rows)
    groups = {row.code[:2] for row in rows if row.level == 3}
    assert groups >= {f"{division:02}" for division in (*range(6, 13), *range(13, 47), 63, 64, 65)}
    classes = {row.parent for row in rows if row.level == 4}
    manufacturing = [row for row in rows if row.level == 3 and "13" <= row.code[:2] <= "43"]
    assert {row.code for row in manufacturing} <= classes
    # as many as the statistics office counts: 179 groups, 609 classes
    assert len(manufacturing) == 179
    assert sum(row.level == 4 and "13" <= row.code[:2] <= "43" for row in rows) == 609
    for row in rows:
        if row.level > 1:
            assert codes[row.parent].level == row.level - 1
        if row.level > 2:
            assert row.code.startswith(row.parent)


@pytest.mark.parametrize(
    "industry",
    [
        Industry(category="A", division="36"),
        Industry(category="C", division="99"),
        Industry(category="C", division="36", group="377"),
        Industry(category="C", division="36", group="367", class_="36700"),
        Industry(category="C", division="36", class_="3670"),
    ],
)
def test_industry_codes_must_fit_together(node, boss, industry):
    definition = msgspec.structs.replace(define(Item(type="a")), industry=industry)
    with pytest.raises(InvalidInput) as caught:
        node.templates.create(definition, actor=boss.name)
    assert caught.value.code == "enterprise.industry-bad"


def test_a_store_gets_what_a_newer_table_adds_and_keeps_corrections(node):
    row = IndustryRow(code="361", parent="36", level=3, zh="整车", en="Cars", source="own")
    node.industries.put(row)
    with writing(node.engine) as connection:
        connection.execute(delete(schema.industry).where(schema.industry.c.code.like("37%")))
    assert node.industries.fill() == sum(one.code.startswith("37") for one in shipped())
    assert node.industries.fill() == 0
    assert node.industries.search("361")[0] == row


def test_industries_can_be_edited(node):
    row = IndustryRow(code="3670", parent="367", level=4, zh="零部件", en="Parts", source="own")
    node.industries.put(row)
    assert node.industries.label(PARTS, "zh").endswith("/零部件")
    assert node.industries.list("367") == [row]


@pytest.mark.parametrize(
    ("item", "good", "bad"),
    [
        (Item(type="v", min_length=2, max_length=3), ["ab", "标识"], ["a", "abcd", "a\x00b"]),
        (
            Item(type="v", data_type=DataType.NUMBER, low=-1, high=9.5, decimals=1),
            ["0", "-1", "+9.5"],
            ["-1.1", "9.55", "1e3", "nan", "١", "0x1", " 1"],
        ),
        (
            Item(type="v", data_type=DataType.DATE),
            ["2024-02-29"],
            ["2023-02-29", "2024-2-9", "24-02-29", "2024-02-29 ", "0000-00-00"],
        ),
        (
            Item(type="v", data_type=DataType.DATE, date_format="YYYY/MM/DD HH:mm:ss"),
            ["2024/02/29 23:59:59"],
            ["2024-02-29", "2024/02/29 24:00:00"],
        ),
        (Item(type="v", data_type=DataType.IDENTIFIER), ["88.1.2/x"], ["x", "88.1.2/"]),
        (Item(type="v", data_type=DataType.URL), ["https://a.example/x"], ["javascript:1", "x"]),
        (Item(type="v", choices=("A", "B")), ["A"], ["C", "a"]),
    ],
)
def test_values(item, good, bad):
    judge = checker(item)
    for text in good:
        assert [v.value for v in read_content(judge.content({"v": text}))] == [text]
    for text in bad:
        fault = judge.content({"v": text})
        assert isinstance(fault, Fault), text
        assert fault.code == "enterprise.value-bad"


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=300), max_size=6))
def test_no_values_break_the_checker(values):
    judge = checker(Item(type="a", required=True), Item(type="b", data_type=DataType.NUMBER))
    content = judge.content(values)
    if isinstance(content, Fault):
        assert content.text("zh")
    else:
        assert {v.type: v.value for v in read_content(content)} == {
            k: v for k, v in values.items() if v
        }
