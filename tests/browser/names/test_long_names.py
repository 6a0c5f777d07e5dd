"""Names as long as they may be, on a phone: every page about names stays as wide as the screen."""

import httpx
import pytest
from playwright.sync_api import Page, expect

PREFIX = "88.888.101"
LONG = f"{PREFIX}/{'PRT.' + 'X' * 236}"


@pytest.fixture(scope="module")
def long_name(console: str, session: str, desk_template: dict[str, str]) -> str:
    """A registered name of 251 characters without a place to break, granted to another as long."""
    head = {"Authorization": f"Bearer {session}"}
    item = {
        "name": LONG, "template": desk_template,
        "values": {"name": "W" * 100, "model": "W" * 60, "inspector": "W" * 60},
    }  # fmt: skip
    base = f"{console}/api/identity"
    reply = httpx.post(f"{base}/names/register", json={"items": [item]}, headers=head)
    assert reply.json()["done"] == 1
    grant = {"grantee": f"300:88.1/{'U' * 200}", "scope": "identifier", "target": LONG}
    found = httpx.get(f"{base}/templates", params={"text": "DESK-1.0"}, headers=head).json()
    wide = {**found["templates"][0]["definition"], "version": "WIDE-1", "handle": ""}
    wide["name_en"] = "W" * 150  # stands in the lists to choose a template from
    httpx.post(f"{base}/templates?publish=true", json=wide, headers=head).raise_for_status()
    reply = httpx.post(f"{base}/grants", json={"grants": [grant]}, headers=head)
    assert reply.json() == {"granted": 1}
    return LONG


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/names?q={name}", "tbody tr"),
        ("/names/{name}", ".mw-versions > li"),
        ("/names/{unknown}", ".mw-empty"),
        ("/names/filing?q={name}", "tbody tr"),
        ("/names/filing?q={name}&id={name}", ".mw-filing"),
        ("/names/grants?q={name}", "tbody tr"),
        ("/names/grants?tab=who&name={name}", "[data-part=explained]"),
    ],
)
def test_long_names_stay_on_a_phone(inside: Page, long_name: str, path: str, shown: str) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(path.format(name=long_name, unknown=long_name.replace("PRT.", "NO.")))
    expect(inside.locator(shown).first).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_among_many_alike_is_found(
    inside: Page, console: str, session: str, desk_template: dict[str, str]
) -> None:
    names = [f"{PREFIX}/ALIKE.1", *(f"{PREFIX}/ALIKE.1{n:02}" for n in range(70))]
    values = {"name": "相似（模拟）", "model": "EAH3"}
    items = [{"name": name, "template": desk_template, "values": values} for name in names]
    reply = httpx.post(f"{console}/api/identity/names/register", json={"items": items},
                       headers={"Authorization": f"Bearer {session}"}, timeout=30)  # fmt: skip
    assert reply.json()["done"] == len(names)
    inside.goto(f"/names/{names[0]}")
    for entry in ("Registration", "Import", "Filing", "Access grants", "Data templates"):
        link = inside.locator(".mw-nav", has_text=entry)
        expect(link.locator("small")).to_have_count(0)  # nothing of it is off here
    expect(inside.get_by_role("button", name="Change")).to_be_visible()
    expect(inside.get_by_role("button", name="Label and symbol")).to_be_visible()
    expect(inside.locator("h1")).to_have_text("相似（模拟）")
