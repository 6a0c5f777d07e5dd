"""Importing names over a real enterprise node, in Chromium: step by step, also with bad files."""

import io
import re

import httpx
import openpyxl
from playwright.sync_api import Locator, Page, expect

PREFIX = "88.888.101"
HEAD = "序列号,零件名称,型号,质量(kg),检验员\n"


def table(mark: str, rows: int, wrong: tuple[int, ...] = ()) -> bytes:
    """Parts as an ERP writes them, in GBK; rows named in ``wrong`` weigh “heavy”."""
    lines = (
        f"{mark}{n:05},壳体 {n},EAH3,{'重' if n in wrong else n % 50},李四（模拟）\n"
        for n in range(1, rows + 1)
    )
    return (HEAD + "".join(lines)).encode("gbk")


def choose(page: Page, name: str, data: bytes) -> None:
    page.goto("/names/import")
    page.locator("#import-file").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def part(page: Page, name: str) -> Locator:
    return page.locator(f"[data-part={name}]")


def with_template(page: Page, label: str = "Part template · S1-PART-1.0") -> Locator:
    mapping = part(page, "mapping")
    mapping.get_by_label("Template", exact=True).select_option(label=label)
    expect(mapping.locator("[data-item=name]")).to_be_visible()
    return mapping


def figure(page: Page, name: str) -> Locator:
    return part(page, "job").locator(f"[data-figure={name}] b")


def test_from_a_file_to_names_with_faults_and_a_reload(
    inside: Page, console: str, session: str
) -> None:
    choose(inside, "零件.csv", table("A", 700, wrong=(7, 8)))
    look = part(inside, "table")
    expect(look).to_contain_text("CSV · GB18030 · comma")
    expect(look.locator("tbody tr").first).to_contain_text("A00001")
    mapping = with_template(inside)
    expect(mapping.get_by_label("Identifier", exact=True)).to_have_value(f"{PREFIX}/PRT.{{序列号}}")
    expect(mapping.locator("[data-item=mass_kg] select")).to_have_value("c:质量(kg)")
    mapping.locator("[data-item=place] select").select_option(label="Text with columns …")
    mapping.get_by_label("Text for Place").fill("库 {型号}")
    expect(mapping.locator("[data-item=place]")).to_contain_text("库 EAH3")
    inside.get_by_role("button", name="Dry run").click()
    expect(figure(inside, "refused")).to_have_text("2")
    expect(figure(inside, "registered")).to_have_text("698")
    expect(part(inside, "job")).to_contain_text("Nothing was stored.")
    fault = part(inside, "rows").locator("tr[data-row='8']")
    expect(fault).to_contain_text("not a number 重")
    with inside.expect_download() as download:
        inside.get_by_role("link", name="Download the faults (CSV)").click()
    told = download.value.path().read_text("utf-8-sig").splitlines()
    assert len(told) == 3
    assert f"{PREFIX}/PRT.A00008" in told[2]
    inside.get_by_role("button", name="Import 698 names").click()
    expect(inside.get_by_role("link", name="Open the names")).to_be_visible()
    inside.reload()
    expect(figure(inside, "registered")).to_have_text("698")
    expect(inside.locator("[aria-current=step]")).to_contain_text("Result")
    headers = {"Authorization": f"Bearer {session}"}
    detail = httpx.get(
        f"{console}/api/identity/names/detail",
        params={"name": f"{PREFIX}/PRT.A00001"}, headers=headers,
    ).json()  # fmt: skip
    assert {one["type"]: one["value"] for one in detail["values"]}["place"] == "库 EAH3"
    inside.goto("/names/import")
    expect(inside.get_by_role("link", name="零件.csv")).to_have_count(2)


def test_it_is_cancelled_and_run_again(inside: Page) -> None:
    choose(inside, "many.csv", table("B", 60_000))
    with_template(inside)
    inside.get_by_role("button", name="Dry run").click()
    inside.get_by_role("button", name="Import 60,000 names").click()
    inside.get_by_role("button", name="Cancel").click()
    expect(part(inside, "job").locator("header")).to_contain_text("cancelled")
    done = int(figure(inside, "registered").inner_text().replace(",", ""))
    assert 0 <= done < 60_000
    inside.get_by_role("button", name="Run it again").click()
    expect(inside.get_by_role("link", name="Open the names")).to_be_visible()
    expect(figure(inside, "unchanged")).to_have_text(f"{done:,}")
    expect(figure(inside, "registered")).to_have_text(f"{60_000 - done:,}")


def test_a_mapping_is_saved_used_and_deleted(inside: Page) -> None:
    choose(inside, "c.csv", table("C", 3))
    mapping = with_template(inside)
    mapping.get_by_label("Identifier", exact=True).fill(f"{PREFIX}/PRT.C.")
    mapping.get_by_label("Insert a column").select_option("序列号")
    expect(mapping).to_contain_text(f"{PREFIX}/PRT.C.C00001")
    mapping.get_by_label("change them").check()
    mapping.get_by_label("Name of the mapping").fill("erp-c")
    mapping.get_by_role("button", name="Save the mapping").click()
    expect(mapping.get_by_label("Saved mapping")).to_have_value("erp-c")
    choose(inside, "c2.csv", table("D", 3))
    mapping = with_template(inside)
    mapping.get_by_label("Saved mapping").select_option("erp-c")
    expect(mapping.get_by_label("Identifier", exact=True)).to_have_value(
        f"{PREFIX}/PRT.C.{{序列号}}"
    )
    expect(mapping.get_by_label("change them")).to_be_checked()
    mapping.get_by_role("button", name="Delete it").click()
    inside.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(mapping.get_by_label("Saved mapping").locator("option")).to_have_count(1)


def test_a_name_without_a_column_is_not_tried(inside: Page) -> None:
    choose(inside, "same.csv", table("S", 3))
    mapping = with_template(inside)
    mapping.get_by_label("Identifier", exact=True).fill(f"{PREFIX}/PRT.")
    expect(mapping).to_contain_text("Every row would get the same identifier")
    expect(inside.get_by_role("button", name="Dry run")).to_be_disabled()
    mapping.get_by_label("Insert a column").select_option("序列号")
    expect(inside.get_by_role("button", name="Dry run")).to_be_enabled()


def test_a_database_is_read(inside: Page) -> None:
    inside.goto("/names/import")
    inside.get_by_role("button", name="Look at it").click()
    expect(part(inside, "table")).to_contain_text("SQL · erp · 40 rows")
    with_template(inside)
    inside.get_by_role("button", name="Dry run").click()
    expect(figure(inside, "registered")).to_have_text("40")
    inside.go_back()
    expect(part(inside, "mapping")).to_be_visible()


def test_a_workbook_with_a_title_and_two_sheets(inside: Page) -> None:
    book = openpyxl.Workbook()
    book.active.append(["说明"])
    sheet = book.create_sheet("零件")
    for row in (
        ["零件清单（模拟）"],
        ["编号", "名称", "型号"],
        ["E1", "盖", "G1"],
        ["E2", "盖", "G1"],
    ):
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    book.close()
    choose(inside, "parts.xlsx", data.getvalue())
    expect(part(inside, "table")).to_contain_text("There are no rows below the column names")
    inside.get_by_label("Sheet", exact=True).select_option("零件")
    expect(inside.get_by_label("Row of the column names")).to_have_value("2")
    expect(part(inside, "table").locator("tbody tr").first).to_contain_text("E1")
    with_template(inside)
    inside.get_by_role("button", name="Dry run").click()
    expect(figure(inside, "registered")).to_have_text("2")


def test_bad_files_say_what_is_wrong_and_what_to_do(inside: Page) -> None:
    for name, data, words in (
        ("empty.csv", b"", "The table is empty"),
        ("old.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "Save it as .xlsx without a password"),
        ("broken.csv", b"a,b\n\x81\xff\n", "Save the file again as “CSV UTF-8”"),
    ):
        choose(inside, name, data)
        expect(inside.get_by_role("alert")).to_contain_text(words)
    # the browser notes refused requests by itself
    seen = inside.seen.errors
    assert all(re.search("status of 400", one) for one in seen)
    seen.clear()


def test_by_keyboard_alone(inside: Page) -> None:
    inside.goto("/names/import")
    expect(inside.get_by_text("Imports so far")).to_be_visible()
    with inside.expect_file_chooser() as chooser:
        inside.locator("#import-file").press("Space")
    chooser.value.set_files({"name": "k.csv", "mimeType": "text/csv", "buffer": table("K", 3)})
    mapping = with_template(inside)
    mapping.get_by_label("Name of the mapping").focus()
    for _ in range(3):
        inside.keyboard.press("Tab")
    expect(inside.get_by_role("button", name="Dry run")).to_be_focused()
    inside.keyboard.press("Enter")
    expect(figure(inside, "registered")).to_have_text("3")


def test_a_viewer_sees_what_was_imported_and_nothing_to_do(as_viewer: Page) -> None:
    as_viewer.goto("/names/import")
    expect(as_viewer.get_by_text("Importing needs the role engineer")).to_be_visible()
    expect(as_viewer.locator("#import-file")).to_have_count(0)
    expect(as_viewer.get_by_text("Imports so far")).to_be_visible()


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    choose(inside, "手机.csv", table("M", 60, wrong=(5,)))
    mapping = part(inside, "mapping")
    mapping.get_by_label("数据模板").select_option(label="零件模板 · S1-PART-1.0")
    expect(mapping.locator("[data-item=name]")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.get_by_role("button", name="试运行").click()
    expect(figure(inside, "refused")).to_have_text("1")
    expect(part(inside, "rows")).to_contain_text("不是数值")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
