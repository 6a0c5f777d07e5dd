"""Imports from CSV, workbooks and SQL: mapping, duplicates, dry runs, bad files."""

import io
import sqlite3
import zipfile

import openpyxl
import pytest

from mingwu.identity.enterprise import tables
from mingwu.identity.enterprise.importing import Existing, Importer, Mapping
from mingwu.identity.enterprise.seed import seed_s1, templates
from mingwu.identity.enterprise.settings import ImportSource
from mingwu.kernel.errors import InvalidInput, NotFound, Unavailable
from mingwu.kernel.plant import Kind, ThingCard

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


def run(node, boss, data, mapping=MAPPING, **more):
    return Importer(node).run(mapping, tables.csv_rows(data, most=1000), actor=boss, **more)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_with_everything_in_it(node, store, boss, encoding):
    data = CSV.encode(encoding)
    dry = run(node, boss, data, dry=True)
    assert node.register.counts()["state"] == {}
    real = run(node, boss, data)
    for report in (dry, real):
        assert (report.rows, report.registered, report.duplicates, report.refused) == (6, 3, 1, 2)
        assert [(fault.row, fault.code) for fault in report.faults] == [
            (4, "enterprise.name-twice"),
            (5, "enterprise.value-bad"),
        ]
    values = {v.type: v.text() for v in store.get(f"{PREFIX}/PRT.H3.2").values}
    assert values["mass"] == "2.5"
    assert values["grade"] == "A"
    again = run(node, boss, data)
    assert (again.registered, again.unchanged) == (0, 3)


def test_what_to_do_with_known_names(node, boss):
    run(node, boss, CSV.encode())
    other = CSV.replace("1.5", "9").encode()
    assert run(node, boss, other).skipped == 1
    fault = run(node, boss, other, _with(Existing.FAULT))
    assert [f.code for f in fault.faults if f.row == 1] == ["enterprise.name-taken"]
    assert run(node, boss, other, _with(Existing.CHANGE)).changed == 1
    assert node.register.get(f"{PREFIX}/PRT.H3.1").row.version == 2


def _with(existing):
    import msgspec

    return msgspec.structs.replace(MAPPING, existing=existing)


def test_workbooks(node, boss):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["型号", "序列", "名称", "质量"])
    sheet.append(["H3", 7, "壳体", 1.25])
    sheet.append([None, None, None, None])
    sheet.append(["H3", 8.0, "壳体", None])
    data = io.BytesIO()
    book.save(data)
    book.close()
    rows = tables.workbook_rows(data.getvalue(), sheet="", most=10, unpacked=10**7)
    report = Importer(node).run(MAPPING, rows, actor=boss)
    assert (report.registered, report.refused) == (2, 0)
    assert node.register.get(f"{PREFIX}/PRT.H3.8")
    with pytest.raises(InvalidInput):
        list(tables.workbook_rows(data.getvalue(), sheet="none", most=10, unpacked=10**7))
    with pytest.raises(InvalidInput):
        list(tables.workbook_rows(data.getvalue(), sheet="", most=1, unpacked=10**7))


def test_bombs_and_rubbish_are_refused():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 5_000_000)
    for data in (bomb.getvalue(), b"PK\x03\x04 nothing", b""):
        with pytest.raises(InvalidInput):
            list(tables.workbook_rows(data, sheet="", most=10, unpacked=1_000_000))
    for data in (b"", b"\xff\xfe\x00a\x81", b"a,a\n1,2\n", b",,\n1,2,3\n"):
        with pytest.raises(InvalidInput):
            list(tables.csv_rows(data, most=10))
    with pytest.raises(InvalidInput):
        list(tables.csv_rows(b"a\n" + b"1\n" * 11, most=10))


def test_sql_sources(node, boss, tmp_path):
    path = tmp_path / "erp.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE part (型号 TEXT, 序列 INTEGER, 名称 TEXT, 质量 REAL)")
        database.execute("INSERT INTO part VALUES ('H4', 1, '壳体', 3.5)")
    database.close()
    source = ImportSource(name="erp", url=f"sqlite:///{path}", query="SELECT * FROM part")
    report = Importer(node).run(MAPPING, tables.source_rows(source, most=10), actor=boss)
    assert report.registered == 1
    broken = ImportSource(name="erp", url=f"sqlite:///{path}", query="SELECT * FROM none")
    with pytest.raises(Unavailable):
        list(tables.source_rows(broken, most=10))


def test_mappings_are_kept(node, boss):
    importer = Importer(node)
    importer.put(MAPPING, actor="boss")
    assert importer.mapping("parts") == MAPPING
    with pytest.raises(NotFound):
        importer.mapping("none")
    with pytest.raises(NotFound):
        importer.source("none")
    with pytest.raises(InvalidInput) as caught:
        run(node, boss, b"a\n1\n")
    assert caught.value.code == "enterprise.import-bad"


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
