"""Duties toward a simulated top node that truly received, refused and acknowledged, in Chromium."""

import re

from playwright.sync_api import Page, expect

PAGE = "/secondlevel/duties"
TABLES = [*(f"T{number}" for number in range(1, 12)), "M1", "M2", "A3"]


def test_every_table_with_its_period_and_delivery(inside: Page) -> None:
    inside.goto(PAGE)
    for table in TABLES:
        expect(inside.locator(f"tr[data-table={table}]")).to_have_count(1)
    expect(inside.locator("tr[data-table=T6]")).to_contain_text("hourly")
    expect(inside.locator("tr[data-table=T6]")).to_contain_text("Delivered")
    expect(inside.locator("tr[data-table=T10]")).to_contain_text("Nothing to report yet")
    expect(inside.locator("[data-whither]")).to_have_attribute("data-whither", "here")
    expect(inside.locator("tr", has_text="_FULL_")).to_contain_text("sealed, signed")
    expect(inside.locator("tr", has_text="_FULL_")).to_contain_text("Acknowledged")


def test_a_refused_message_is_sent_again(inside: Page) -> None:
    inside.goto(PAGE)
    expect(inside.locator("tr[data-table=T5]")).to_contain_text("1 refused")
    refused = inside.locator("tr", has_text="Object missing required field")
    refused.get_by_role("button", name="Send again").click()
    expect(inside.get_by_text("The top-level node refused nothing")).to_be_visible()
    expect(inside.locator("tr[data-table=T5]")).to_contain_text("1 waiting")
    inside.locator("[data-value=waiting]").click()
    expect(inside.locator("tr", has_text="T5 · sync table")).to_have_count(1)


def test_the_monthly_report_is_read_printed_and_downloaded(inside: Page) -> None:
    inside.goto(PAGE)
    report = inside.locator(".mw-report")
    for group in ("1. Operating time", "2. SLA indicators", "3. Maintenance", "4. Emergencies"):
        expect(report).to_contain_text(group)
    expect(report).to_contain_text("no data")  # nothing was registered over HTTP
    expect(report).to_contain_text("Database upgrade (simulated)")
    expect(report).to_contain_text("Node 88.101.1071 failed its probes")
    with inside.expect_download() as download:
        inside.get_by_role("link", name="Download").click()
    assert re.fullmatch(r"88\.101-\d{4}-\d{2}\.html", download.value.suggested_filename)
    link = inside.get_by_role("link", name="View and print").get_attribute("href")
    inside.goto(link)
    cell = inside.locator("td").first
    assert cell.evaluate("cell => getComputedStyle(cell).borderTopStyle") == "solid"


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(PAGE)
    expect(inside.locator("tr[data-table=A3]")).to_contain_text("SLA 月报")
    expect(inside.locator(".mw-report")).to_contain_text("一、运行时间")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
