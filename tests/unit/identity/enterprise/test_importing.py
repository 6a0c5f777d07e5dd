"""Importing rows: mapping, duplicates, known names, dry runs; mappings."""

import io

import msgspec
import pytest

from mingwu.identity.enterprise.imports.importing import Import
from mingwu.identity.enterprise.imports.previews import item_columns, name_column, proposal
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.mappings import Existing, Mapping
from mingwu.identity.enterprise.model import DataType, Item
from mingwu.identity.enterprise.seed import seed_s1, templates
from mingwu.identity.enterprise.tables import table_of
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.plant import Kind, ThingCard
from mingwu.lab.plant.objects import DETAILS

PREFIX = "88.888.101"
MAPPING = Mapping(
    name="parts",
    prefix=PREFIX,
    version="PART-1",
    identifier=PREFIX + "/PRT.{型号}.{序列}",
    values={"name": "{名称}", "mass": "{质量}", "grade": "A"},
)
CSV = """型号,序列,名称,质量
H3,1,壳体,1.5
H3,2,壳体,2.5
H3,2,壳体,2.5
H3,2,别的,2.5
H3,3,壳体,重

H3,4,壳体,
"""


def run(node, boss, data, mapping=MAPPING, *, dry=False):
    if isinstance(data, str):
        data = data.encode()
    with TableFile(io.BytesIO(data), node.settings).table() as table:
        return Import(node, mapping, actor=boss, dry=dry).run(table)


def changed(**fields):
    return msgspec.structs.replace(MAPPING, **fields)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_with_everything_in_it(node, store, boss, encoding):
    data = CSV.encode(encoding)
    dry = run(node, boss, data, dry=True)
    assert node.register.counts()["state"] == {}
    real = run(node, boss, data)
    for report in (dry, real):
        assert (report.rows, report.registered, report.duplicates, report.refused) == (6, 3, 1, 2)
        # rows are counted as spreadsheets do: the head is row 1, empty ones count
        assert [(fault.row, fault.code) for fault in report.faults] == [
            (5, "enterprise.name-twice"),
            (6, "enterprise.value-bad"),
        ]
    values = {v.type: v.text() for v in store.get(f"{PREFIX}/PRT.H3.2").values}
    assert values["mass"] == "2.5"
    assert values["grade"] == "A"
    again = run(node, boss, data)
    assert (again.registered, again.unchanged) == (0, 3)


@pytest.mark.parametrize("cell", ["", "  "])
def test_a_row_without_a_part_of_its_name_registers_nothing(node, store, boss, cell):
    data = f"型号,序列,名称,质量\nH3,{cell},壳体,1\nH3,5,壳体,1\n"
    for dry in (True, False):
        report = run(node, boss, data, dry=dry)
        assert (report.registered, report.refused) == (1, 1)
        assert [(fault.row, fault.code) for fault in report.faults] == [(2, "enterprise.name-cell")]
        assert "序列" in report.faults[0].zh
    assert store.get(f"{PREFIX}/PRT.H3.") is None


def test_what_to_do_with_known_names(node, boss):
    run(node, boss, CSV)
    other = CSV.replace("1.5", "9")
    assert run(node, boss, other).skipped == 1
    fault = run(node, boss, other, changed(existing=Existing.FAULT))
    assert [f.code for f in fault.faults if f.row == 2] == ["enterprise.name-taken"]
    assert run(node, boss, other, changed(existing=Existing.CHANGE)).changed == 1
    assert node.register.get(f"{PREFIX}/PRT.H3.1").row.version == 2


def test_items_the_mapping_does_not_name_keep_their_values(node, boss, part):
    name = f"{PREFIX}/PRT.H3.1"
    node.registrations.register([part("PRT.H3.1", inspector="李", mass="3")], actor=boss)
    table = "型号,序列,名称,质量\nH3,1,壳体,\n"
    assert run(node, boss, table, changed(existing=Existing.CHANGE)).changed == 1
    values = {one.type: one.value for one in node.register.get(name).values}
    assert values == {"name": "壳体", "inspector": "李", "grade": "A"}  # the empty cell took mass


def test_a_deregistered_name_comes_back_only_where_changes_are_wanted(node, boss):
    name = f"{PREFIX}/PRT.H3.1"
    run(node, boss, CSV)
    node.registrations.deregister([name], actor=boss)
    assert run(node, boss, CSV).skipped == 1
    assert node.register.get(name).row.state == "deregistered"
    assert run(node, boss, CSV, changed(existing=Existing.CHANGE)).registered == 1
    assert node.register.get(name).row.state == "registered"


def test_a_dry_run_finds_values_that_must_be_unique_across_batches(node, boss):
    mapping = changed(values={"name": "{名称}", "serial": "{质量}"})
    assert node.settings.batch_items == 50
    rows = "".join(f"H3,{n},壳体,S{n % 60}\n" for n in range(70))
    table = "型号,序列,名称,质量\n" + rows
    dry = run(node, boss, table, mapping, dry=True)
    real = run(node, boss, table, mapping)
    for report in (dry, real):
        assert (report.registered, report.refused) == (60, 10)
        assert report.faults[0].code == "enterprise.value-taken"
    assert [(f.row, f.code) for f in dry.faults] == [(f.row, f.code) for f in real.faults]


def test_dates_are_written_as_their_item_asks(node, boss, part_template):
    items = (Item(type="name", required=True), Item(type="made", data_type=DataType.DATE,
             date_format="YYYYMMDD"))  # fmt: skip
    fields = {"version": "DATED", "items": items}
    node.templates.create(
        msgspec.structs.replace(part_template, **fields), actor="boss", publish=True
    )
    mapping = Mapping(name="d", prefix=PREFIX, version="DATED", identifier=PREFIX + "/{n}",
                      values={"name": "{n}", "made": "{d}"})  # fmt: skip
    rows = "n,d\nA1,2026-11-05\nA2,20261105\nA3,5.11.26\nA4,2026-11-05 08:00:00\n"
    report = run(node, boss, rows, mapping)
    assert [fault.row for fault in report.faults] == [4]
    for name in ("A1", "A2", "A4"):
        assert node.register.get(f"{PREFIX}/{name}").values[1].value == "20261105"


def test_the_watcher_may_end_it(node, boss):
    rows = ([f"H{n}", n, "壳体", 1] for n in range(500))
    table = table_of([["型号", "序列", "名称", "质量"], *rows], head=1, most=1000)
    seen = []

    def watch(report, results):
        seen.append((report.rows, len(results)))
        return report.rows < 150

    report = Import(node, MAPPING, actor=boss).run(table, watch)
    assert seen == [(50, 50), (100, 50), (150, 50)]
    assert report.registered == node.register.counts()["state"]["registered"] == 150


def test_a_mapping_must_fit_the_table_and_the_template(node, boss):
    for mapping, code in (
        (changed(identifier=PREFIX + "/{nowhere}"), "table-column"),
        (changed(values={"weight": "{质量}"}), "mapping-item"),
        (changed(values={"name": "{名称"}), "mapping-pattern"),
    ):
        with pytest.raises(InvalidInput) as caught:
            run(node, boss, CSV, mapping)
        assert caught.value.code == f"enterprise.{code}"
    with pytest.raises(NotFound):
        run(node, boss, CSV, changed(version="none"))


def test_mappings_are_kept(node):
    node.mappings.put(MAPPING, actor="boss")
    node.mappings.put(changed(existing=Existing.CHANGE), actor="eng")
    assert node.mappings.get("parts").existing is Existing.CHANGE
    assert node.mappings.kept()[0].changed_by == "eng"
    node.mappings.remove("parts")
    for work in (node.mappings.get, node.mappings.remove):
        with pytest.raises(NotFound):
            work("parts")


def test_columns_are_proposed_by_type_code_and_name():
    items = [
        Item(type="name", name_zh="名称"),
        Item(type="mass", name_zh="质量", name_en="Mass"),
        Item(type="lot", code="PCH", name_zh="批次"),
        Item(type="model", name_zh="型号"),
    ]
    columns = ["零件名称", "质量 (kg)", "pch", "产品型号", "备注型号"]
    assert item_columns(items, columns) == {
        "name": "零件名称", "mass": "质量 (kg)", "lot": "pch",
    }  # fmt: skip
    rows = [{"型号": "H3", "序列号": "1", "标识": "x"}, {"型号": "H3", "序列号": "2", "标识": "y"}]
    assert name_column(["型号", "序列号"], rows) == "序列号"
    assert name_column(["型号", "标识"], rows) == "标识"
    assert name_column(["型号"], rows) == ""


def test_a_few_gaps_and_repetitions_do_not_hide_the_column_of_numbers():
    rows = [{"编号": f"P{i}", "名称": f"件{i}"} for i in range(20)]
    rows[3]["编号"], rows[5]["编号"] = "", "P6"
    assert name_column(["名称", "编号"], rows) == "编号"
    mostly_empty = [{"编号": "P1" if i == 0 else "", "名称": f"件{i}"} for i in range(20)]
    assert name_column(["编号", "名称"], mostly_empty) == "名称"


def test_a_proposal_takes_defaults_of_the_template(node, part_template):
    items = (Item(type="name", name_zh="名称", default="件"), Item(type="grade", default="A"),
             Item(type="odd", default="{x}"))  # fmt: skip
    made = node.templates.create(
        msgspec.structs.replace(part_template, version="DEFAULTS", items=items), actor="boss"
    )
    said = proposal(node, made, ["名称"], [{"名称": "壳"}], "", 1)
    assert said.values == {"name": "{名称}", "grade": "A"}


def test_a_proposal_begins_as_the_names_of_its_template_do(node, part_template, boss, part):
    template = node.templates.list()[0]
    rows = [{"编号": "1", "名称": "壳"}, {"编号": "2", "名称": "盖"}]
    first = proposal(node, template, ["编号", "名称"], rows, "", 1)
    assert first.identifier == PREFIX + "/{编号}"
    node.registrations.register([part("PRT.9")], actor=boss)
    assert (
        proposal(node, template, ["编号", "名称"], rows, "", 1).identifier == PREFIX + "/PRT.{编号}"
    )
    twice = [{"编号": f"PRT.{n}" if n else "X", "名称": "壳"} for n in range(10)]
    said = proposal(node, template, ["编号", "名称"], twice, "", 1)
    assert said.identifier == PREFIX + "/{编号}"  # not PRT.PRT.1
    whole = [{"标识": f"{PREFIX}/X", "名称": "壳"}]
    said = proposal(node, template, ["标识", "名称"], whole, "S", 3)
    assert (said.identifier, said.values, said.head) == ("{标识}", {"name": "{名称}"}, 3)


def test_permit_and_slice_of_the_demo_plant_have_records_with_their_data(node, store):
    kinds = {"PMT": Kind.PERMIT, "SLC": Kind.SLICE}
    cards = [
        ThingCard(id=f"{PREFIX}/{name}", kind=kinds[name[:3]], type="T", name_en="n", name_zh="名")
        for name in DETAILS
    ]
    report = seed_s1(node, cards, details=DETAILS)
    assert (report.registered, report.refused) == (2, 0)
    for name, told in DETAILS.items():
        record = store.get(f"{PREFIX}/{name}")
        assert told.items() <= {value.type: value.text() for value in record.values}.items()


def test_the_demo_plant_registers_all_kinds_once(node, store):
    cards = [
        ThingCard(id=f"{PREFIX}/{kind.name}.1", kind=kind, type="T", name_en="n", name_zh="名")
        for kind in Kind
    ]
    foreign = ThingCard(id="88.1/x", kind=Kind.PART, type="T", name_en="n", name_zh="名")
    report = seed_s1(node, [*cards, foreign])
    assert (report.registered, report.refused) == (len(Kind), 0)
    assert set(node.register.counts()["kind"]) == {kind.value for kind in Kind}
    assert node.register.counts()["state"]["filed"] == 10
    assert seed_s1(node, cards).unchanged == len(Kind)
    assert len(list(templates(PREFIX))) == len(Kind)
    assert store.get(f"{PREFIX}/SLICE.1")
