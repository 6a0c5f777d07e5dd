"""Scanning and labels as people do it: camera, photo, keyboard; on a phone, in both languages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mingwu.identity.marking.reading import decode
from mingwu.identity.marking.symbols import Symbology

NAME = "88.888.101/DEV.DCM2500.01"
PHONE = {"width": 390, "height": 844}


def thing_opens(page: Page) -> None:
    page.wait_for_url(f"**/things/{NAME}")
    expect(page.locator("h1")).to_be_visible()


def test_a_photo_opens_the_live_page(inside: Page, shot: Callable[..., Path]) -> None:
    inside.set_viewport_size(PHONE)
    inside.goto("/scan")
    inside.locator("#scan-file").set_input_files(shot(NAME))
    thing_opens(inside)


def test_a_gs1_symbol_leads_over_its_alias(inside: Page, shot: Callable[..., Path]) -> None:
    inside.goto("/scan")
    inside.locator("#scan-file").set_input_files(
        shot("(01)09506000134352(21)M0187", Symbology.GS1_DATAMATRIX)
    )
    thing_opens(inside)


def test_a_picture_without_a_symbol_says_what_to_do(inside: Page, shot: Callable) -> None:
    inside.goto("/scan")
    inside.locator("#scan-file").set_input_files(shot())
    expect(inside.locator("#scan-out")).to_contain_text("No symbol was found")


def test_an_unknown_name_and_a_wrong_code_are_told(inside: Page) -> None:
    inside.goto("/scan")
    field = inside.locator("#scan-text")
    field.fill("88.888.101/NOBODY")
    field.press("Enter")
    expect(inside.locator("#scan-out")).to_contain_text("Nothing here has this name")
    out = inside.locator("#scan-out")
    expect(out.get_by_role("link", name="See where it leads")).to_have_attribute(
        "href", "/names/88.888.101/NOBODY"
    )
    expect(out.get_by_role("link", name="Register this name")).to_have_attribute(
        "href", "/names?new=88.888.101%2FNOBODY"
    )
    field.fill("(01)09506000134353")
    field.press("Enter")
    expect(inside.locator("#scan-out .mw-problem")).to_contain_text("check digit")
    field.fill("(01)09506000134352(21)OTHER")
    field.press("Enter")
    expect(inside.locator("#scan-out")).to_contain_text("Nothing here has this name")


def test_a_hand_scanner_types_from_anywhere(inside: Page) -> None:
    inside.goto("/scan")
    expect(inside.locator("#scan-text")).to_be_visible()
    inside.evaluate("document.activeElement.blur()")
    inside.keyboard.type(NAME, delay=0)
    inside.keyboard.press("Enter")
    thing_opens(inside)


def test_text_of_a_symbol_is_inert(inside: Page) -> None:
    inside.goto("/scan?text=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(inside.locator("#scan-out code")).to_have_text("<img src=x onerror=alert(1)>")
    assert inside.locator("#scan-out img").count() == 0


def test_no_camera_is_told(inside: Page) -> None:
    inside.goto("/scan")
    inside.get_by_role("button", name="Start the camera").click()
    expect(inside.locator("#scan-out .mw-problem")).to_be_visible()
    expect(inside.get_by_role("button", name="Start the camera")).to_be_enabled()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_fits_a_phone(inside: Page, console: str, lang: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": lang, "url": console}])
    inside.set_viewport_size(PHONE)
    inside.goto("/scan")
    expect(inside.locator("#scan-text")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for control in ("#scan-text", ".mw-scan-bar .mw-btn >> nth=0", ".mw-scan-bar .mw-btn >> nth=1"):
        box = inside.locator(control).bounding_box()
        assert box is not None
        assert box["height"] >= 44  # a gloved finger


def test_a_label_is_chosen_and_taken_away(inside: Page) -> None:
    inside.goto(f"/things/{NAME}")
    inside.get_by_role("button", name="Label and symbol").click()
    dialog = inside.locator("dialog.mw-label")
    expect(dialog.locator(".mw-label-view svg")).to_be_visible()
    dialog.locator("#label-symbology").select_option("gs1-datamatrix")
    preview = dialog.locator(".mw-label-view > svg")
    said = "gs1-datamatrix (01)09506000134352(21)M0187"
    expect(preview).to_have_attribute("aria-label", said)
    expect(dialog.locator("#label-content")).to_be_disabled()
    dialog.locator("#label-symbology").select_option("datamatrix")
    expect(preview).to_have_attribute("aria-label", f"datamatrix {NAME}")
    with inside.expect_download() as taken:
        dialog.get_by_role("link", name="PNG").click()
    data = Path(taken.value.path()).read_bytes()
    assert [one.text for one in decode(data, most_bytes=2**20, most_pixels=10**7)] == [NAME]
    with inside.expect_download() as taken:
        dialog.get_by_role("link", name="DXF").click()
    assert "POLYLINE" in Path(taken.value.path()).read_text()
    with inside.expect_download() as taken:
        dialog.get_by_role("link", name="PDF").click()
    assert Path(taken.value.path()).read_bytes().startswith(b"%PDF-")
    inside.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
