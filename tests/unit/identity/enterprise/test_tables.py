"""Reading tables: encodings, separators, workbooks, databases, and everything that is no table."""

import io
import sqlite3
import zipfile
from datetime import date, datetime, time
from decimal import Decimal

import openpyxl
import pytest

from mingwu.identity.enterprise.imports import workbooks
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.settings import EnterpriseSettings, ImportSource
from mingwu.identity.enterprise.tables import cell_text, source_table, text_form
from mingwu.kernel.errors import InvalidInput, Unavailable

LIMITS = EnterpriseSettings(import_rows=1000, unpacked_bytes=10**8)


def opened(data, limits=LIMITS):
    return TableFile(io.BytesIO(data), limits)


def read(data, limits=LIMITS, **more):
    with opened(data, limits).table(**more) as table:
        return table.columns, list(table.lines)


def refused(data, limits=LIMITS, **more):
    with pytest.raises(InvalidInput) as caught:
        read(data, limits, **more)
    return caught.value.code.removeprefix("enterprise.")


def workbook(*rows, merge="", title="Sheet", more=()):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    for name in more:
        book.create_sheet(name).append([name, "x"])
    data = io.BytesIO()
    book.save(data)
    book.close()
    return data.getvalue()


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("utf-16", "utf-16")],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(encoding, said, separator):
    data = f"型号{separator}名称\r\nH3{separator}“壳体”，铝\r\n".encode(encoding)
    form = text_form(io.BytesIO(data))
    assert (form.encoding, form.separator) == (said, separator)
    columns, lines = read(data)
    assert columns == ("型号", "名称")
    assert lines == [(2, {"型号": "H3", "名称": "“壳体”，铝"}, None)]


def test_an_encoding_is_judged_by_the_whole_file():
    data = b"a,b\n" + b"1,2\n" * 400_000 + "型,号\n".encode("gbk")
    assert text_form(io.BytesIO(data)).encoding == "gb18030"
    assert refused(data + "字\n".encode()) == "table-encoding"  # two encodings in one file


def test_rows_are_padded_numbered_and_judged_one_by_one():
    columns, lines = read(b"\n a ,b,\n1\n\n1,2,3\n1,2, \n", head=2)
    assert columns == ("a", "b")
    assert [(number, row) for number, row, _ in lines] == [
        (3, {"a": "1", "b": ""}), (5, {"a": "1", "b": "2"}), (6, {"a": "1", "b": "2"}),
    ]  # fmt: skip
    assert [fault and fault.code for _, _, fault in lines] == [None, "enterprise.row-long", None]


def test_a_title_above_the_head_is_found():
    data = "零件清单\n\n编号,名称\n1,壳\n".encode()
    assert opened(data).guess_head() == 3
    assert opened(b"only\n1\n").guess_head() == 1
    assert opened(workbook(["清单", None], ["编号", "名称"])).guess_head() == 2


def test_what_is_no_text_table():
    assert refused(b"") == "table-empty"
    assert refused(b"\xd0\xcf\x11\xe0....") == "table-old"
    assert refused(b"%PDF-1.4\n") == "table-kind"
    assert refused(b"\x00\x01\x02,\n") == "table-kind"
    assert refused(b"a,b\n\x81\xff\n") == "table-encoding"
    assert refused(b"\xff\xfe\x00a\x81") == "table-encoding"
    assert refused(b",,\n1,2,3\n") == "table-head"
    assert refused(b"a\n", head=7) == "table-head"
    assert refused(b"a,a\n1,2\n") == "table-twice"
    assert refused(b"a\n" + b"1\n" * 1001) == "table-rows"
    assert refused(b'a,b\n1,"' + b"x" * 200_000) == "table-broken"


def test_cells_as_people_read_them():
    cells = {
        None: "", True: "TRUE", 3.0: "3", 0.1 + 0.2: "0.3", 1e-7: "0.0000001",
        12345678901234567890: "12345678901234567890", Decimal("1.50"): "1.5", " x ": "x",
        date(2026, 11, 5): "2026-11-05", datetime(2026, 11, 5): "2026-11-05",  # noqa: DTZ001
        datetime(2026, 11, 5, 8, 30): "2026-11-05 08:30:00", time(8, 30): "08:30:00",  # noqa: DTZ001
        float("nan"): "nan",
    }  # fmt: skip
    for value, text in cells.items():
        assert cell_text(value) == text
    assert cell_text(1e15) == "1000000000000000"


def test_workbooks():
    made = datetime(2026, 11, 5)  # noqa: DTZ001 - as spreadsheets keep them
    data = workbook(
        ["型号", "序列", "名称", "日期"], ["H3", 7, "壳体", made], [None] * 4,
        ["H3", 8.5, 0.1, "#N/A"],
        more=("第二页",),
    )  # fmt: skip
    columns, lines = read(data)
    assert columns == ("型号", "序列", "名称", "日期")
    assert lines[0] == (2, dict(zip(columns, ("H3", "7", "壳体", "2026-11-05"), strict=True)), None)
    number, row, fault = lines[1]
    assert (number, row["序列"], row["名称"]) == (4, "8.5", "0.1")
    assert (fault.code, fault.params["cell"]) == ("enterprise.cell-error", "D4")
    look = opened(data)
    assert look.form.sheets == ("Sheet", "第二页")
    with look.table(sheet="第二页") as table:
        assert table.columns == ("第二页", "x")
    with look.table() as table:
        assert table.expected == 3
    assert refused(data, sheet="none") == "table-sheet"
    assert refused(workbook(["a"], *([n] for n in range(1001)))) == "table-rows"


def test_rows_that_would_come_out_empty_are_faulty_and_no_others(monkeypatch):
    def codes(data, **more):
        _, lines = read(data, **more)
        return {number: fault and fault.code for number, _, fault in lines}

    merged = workbook(["a", "b"], ["1", "2"], [None, "3"], ["4", "5"], merge="A2:A3")
    assert codes(merged) == {2: "enterprise.table-merged", 3: "enterprise.table-merged", 4: None}
    titled = workbook(["title", None], ["a", "b"], [1, 2], merge="A1:B1")
    assert codes(titled, head=2) == {3: None}
    formula = workbook(["a", "b"], [1, 2], [3, "=A2+B2"])
    assert codes(formula) == {2: None, 3: "enterprise.table-formula"}
    _, lines = read(formula)
    assert lines[1][2].params["cell"] == "B3"
    monkeypatch.setattr(workbooks, "_MOST_MERGED_ROWS", 0)
    assert refused(merged) == "table-merged"


CELLS = """<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>n</x:t></x:is></x:c>
<x:c r="B1" t="str"><x:v>day</x:v></x:c><x:c r="D1" t="s"><x:v>0</x:v></x:c></x:row>
<x:row r="3"><x:c r="A3"><x:v>1.50</x:v></x:c><x:c r="B3" s="1"><x:v>46331</x:v></x:c>
<x:c r="D3" t="b"><x:v>1</x:v></x:c></x:row>
<x:row><x:c><x:v>0.30000000000000004</x:v></x:c><x:c s="2"><x:v>46331.5</x:v></x:c>
<x:c s="0"/><x:c t="s"><x:v>1</x:v></x:c></x:row>"""
STYLES = """<styleSheet><numFmts><numFmt numFmtId="170" formatCode="yyyy/m/d h:mm"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="31"/><xf numFmtId="170"/></cellXfs></styleSheet>"""
STRINGS = """<sst><si><t>whe</t><rPh><t>oi</t></rPh></si>
<si><r><t>rich </t></r><r><t>text &lt;&amp;</t></r></si></sst>"""


def test_what_other_programs_write():
    """Prefixed names, inline and rich strings, East Asian dates, rows and cells without places."""
    sheet = f'<x:worksheet xmlns:x="u"><x:sheetData>{CELLS}</x:sheetData></x:worksheet>'
    columns, lines = read(_with_sheet(workbook(["a"]), sheet, STYLES, STRINGS))
    assert columns == ("n", "day", "whe")
    assert [(number, list(row.values())) for number, row, _ in lines] == [
        (3, ["1.5", "2026-11-05", "TRUE"]),
        (4, ["0.3", "2026-11-05 12:00:00", "rich text <&"]),
    ]
    evil = f'<!DOCTYPE x [<!ENTITY a "b">]>{sheet}'
    assert refused(_with_sheet(workbook(["a"]), evil)) == "table-kind"
    back = sheet.replace('r="3"', 'r="1"')
    assert refused(_with_sheet(workbook(["a"]), back, STYLES, STRINGS)) == "table-broken"


def test_a_formula_with_its_result_counts_as_the_result():
    data = workbook(["a", "b"], [1, "=A2*2"])
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stored, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "xl/worksheets/sheet1.xml":
                assert b"<v></v>" in content or b"<v />" in content or b"<v/>" in content
                for empty in (b"<v></v>", b"<v />", b"<v/>"):
                    content = content.replace(b"</f>" + empty, b"</f><v>2</v>")
            new.writestr(entry, content)
    assert read(stored.getvalue())[1] == [(2, {"a": "1", "b": "2"}, None)]


def test_bombs_and_broken_workbooks(monkeypatch):
    def archive(**files):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as box:
            for name, content in files.items():
                box.writestr(f"xl/{name}.xml", content)
        return data.getvalue()

    assert refused(archive(workbook=b" " * 200_000_000)) == "table-unpacks"
    monkeypatch.setattr(workbooks, "_FREE_BYTES", 1_000_000)
    assert refused(archive(workbook=b" " * 5_000_000)) == "table-unpacks"  # 1,000 times its size
    assert refused(archive(workbook=b"<x/>")) == "table-kind"
    assert refused(archive(other=b"<x/>")) == "table-kind"
    assert refused(b"PK\x03\x04 nothing") == "table-kind"
    whole = workbook(["a"], [1])
    assert refused(whole[: len(whole) // 2]) == "table-kind"
    assert refused(_with_sheet(whole, "<worksheet><sheetData><row")) in {
        "table-broken", "table-head", "table-kind",
    }  # fmt: skip


def _with_sheet(data, sheet, styles="", strings=""):
    """A workbook with another first sheet, and other styles and strings where given."""
    parts = {"xl/worksheets/sheet1.xml": sheet, "xl/styles.xml": styles}
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    link = f'<Relationship Id="s" Type="{kind}" Target="/xl/sharedStrings.xml"/></Relationships>'
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            content = parts.get(entry.filename) or old.read(entry).decode()
            if entry.filename == "xl/_rels/workbook.xml.rels" and strings:
                content = content.replace("</Relationships>", link)
            new.writestr(entry, content)
        if strings:
            new.writestr("xl/sharedStrings.xml", strings)
    return out.getvalue()


def test_sql_sources(tmp_path):
    path = tmp_path / "erp.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE part (型号 TEXT, 序列 INTEGER, 质量 REAL)")
        database.execute("INSERT INTO part VALUES ('H4', 1, 3.50)")
    database.close()
    source = ImportSource(name="erp", url=f"sqlite:///{path}", query="SELECT * FROM part")
    with source_table(source, most=10) as table:
        assert list(table.lines) == [(2, {"型号": "H4", "序列": "1", "质量": "3.5"}, None)]
    broken = ImportSource(name="erp", url=f"sqlite:///{path}", query="SELECT * FROM none")
    with pytest.raises(Unavailable) as caught, source_table(broken, most=10):
        pass
    assert caught.value.code == "enterprise.source-failed"
    secret = ImportSource(name="erp", url="sqlite://u:none@/x", query="SELECT * FROM none")
    with pytest.raises(Unavailable) as caught, source_table(secret, most=10):
        pass
    assert "none" not in str(caught.value)  # a driver's message that holds the password
