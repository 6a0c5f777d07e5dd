"""Marking and reading over HTTP: what is made reads back through the same doors."""

import io

import numpy as np
import pytest
from PIL import Image

from mingwu.identity.marking.settings import MarkingSettings
from mingwu.identity.marking.templates import LabelTemplate
from mingwu.kernel.errors import InvalidInput

CELL = "88.888.101/DEV.DCM2500.01"
PART = "88.888.101/Part.7"
SYMBOL = f"/api/identity/labels/symbol/{CELL}"
SHEET = "/api/identity/labels/sheet"


def test_a_printed_symbol_reads_back_to_its_thing(marking):
    client = marking()
    made = client.get(f"{SYMBOL}?format=png&symbology=datamatrix")
    assert made.headers["content-type"] == "image/png"
    read = client.post("/api/identity/read", content=made.content).json()
    (symbol,) = read["symbols"]
    assert symbol["text"] == CELL
    assert symbol["code"]["system"] == "vaa"
    assert [(one["name"], one["simulated"]) for one in symbol["things"]] == [(CELL, True)]


def test_a_simulated_symbol_says_so_in_every_form(marking):
    client = marking()
    assert "SIMULATED" in client.get(f"{SYMBOL}?format=svg").text
    assert "SIMULATED" in client.get(f"{SYMBOL}?format=dxf").text
    assert client.get(f"{SYMBOL}?format=json").json()["simulated"] is True
    noted = Image.open(io.BytesIO(client.get(f"{SYMBOL}?format=png").content))
    below = np.asarray(noted)[noted.width :]
    assert 0.02 < 1 - below.mean() < 0.5
    assert "SIMULATED" not in client.get(f"/api/identity/labels/symbol/{PART}?format=svg").text


def test_a_gs1_symbol_of_a_part(marking):
    answer = marking().get(
        f"/api/identity/labels/symbol/{PART}?symbology=gs1-datamatrix&format=json&module_mm=0.1"
    )
    body = answer.json()
    assert body["text"] == "(01)09506000134352(21)7"
    assert body["module_mm"] == 0.1


def test_typed_text_leads_to_its_thing(marking):
    (symbol,) = marking().get("/api/identity/read", params={"text": " " + PART}).json()["symbols"]
    assert [one["name"] for one in symbol["things"]] == [PART]


def test_sheets_come_as_pdf_and_svg(marking):
    client = marking()
    made = client.get(SHEET, params={"name": [CELL, PART], "template": "a4-24"})
    assert made.content.startswith(b"%PDF-")
    assert made.headers["x-pages"] == "1"
    assert 'filename="labels.pdf"' in made.headers["content-disposition"]
    order = {"name": [PART] * 25, "template": "a4-24", "format": "svg", "page": 2}
    page = client.post(SHEET, json=order)
    assert page.headers["x-pages"] == "2"
    assert page.text.count("<title>") == 1
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_templates_of_the_house_are_offered(marking):
    own = LabelTemplate(id="mould-plate", width_mm=50, height_mm=30, symbol_mm=20)
    found = marking(MarkingSettings(templates=(own,))).get("/api/identity/labels/templates").json()
    assert {"a4-24", "mould-plate"} <= {one["id"] for one in found["templates"]}
    with pytest.raises(InvalidInput):
        marking(MarkingSettings(templates=(LabelTemplate(
            id="x", width_mm=50, height_mm=30, symbol_mm=40),)))  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/identity/labels/symbol/88.888.101/NOBODY", 404, "name.unknown"),
        (f"{SYMBOL}?symbology=pdf417", 400, "input.invalid"),
        (f"{SYMBOL}?module_mm=0", 400, "input.invalid"),
        (f"{SYMBOL}?module_mm=nan", 400, "input.invalid"),
        (f"{SYMBOL}?level=Z", 400, "marking.unsuitable"),
        (f"{SYMBOL}?evil=1", 400, "input.invalid"),
        (f"/api/identity/labels/symbol/{PART}?symbology=code128&inverse=true", 400,
         "marking.unsuitable"),
        (f"{SHEET}?template=a4-24", 400, "input.invalid"),
        (f"{SHEET}?name={CELL}&template=none", 400, "marking.no-template"),
        (f"{SHEET}?name={CELL}&skip=24", 400, "input.invalid"),
        (f"{SHEET}?name={CELL}&format=svg&page=2", 400, "input.invalid"),
        ("/api/identity/read?text=", 400, "input.invalid"),
    ],
)  # fmt: skip
def test_wrong_questions_are_told(marking, path: str, status: int, code: str):
    answer = marking().get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_faults_come_in_the_readers_language(marking):
    answer = marking().get("/api/identity/labels/symbol/88.888.101/NOBODY?lang=zh")
    assert "没有" in answer.json()["message"]


def test_strangers_are_turned_away(marking):
    client = marking(known=False)
    for answer in (client.post("/api/identity/read", content=b"x"), client.get(SYMBOL)):
        assert (answer.status_code, answer.json()["code"]) == (401, "trust.no-session")


def test_bounds_hold(marking):
    client = marking(MarkingSettings(labels_most=2, image_bytes=2000))
    many = client.post(SHEET, json={"name": [PART] * 3})
    assert many.json()["code"] == "marking.too-many"
    large = client.post("/api/identity/read", content=bytes(2001))
    assert large.json()["code"] == "marking.image-too-large"
    broken = client.post(SHEET, content=b"{" * 500)
    assert broken.json()["code"] == "input.invalid"
