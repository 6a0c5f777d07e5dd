"""Printed sheets: what poppler draws of our PDF is decoded, each symbol of each label."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from mingwu.identity.marking.lettering import Lettering
from mingwu.identity.marking.sheets import Sheets, pdf
from mingwu.identity.marking.templates import BUILT_IN, LabelTemplate
from mingwu.identity.records import Record
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.process

BASE = "https://mingwu.example.com"


def record(number: int) -> Record:
    texts = {
        "DESC.zh": f"冷室压铸机{number}号",
        "DESC.en": f"Die casting cell {number}",
        "ALIAS.GS1": f"01/09506000134352/21/M{number:04}",
        **({"MW.SIMULATED": "true"} if number % 2 else {}),
    }
    values = [
        HandleValue(index=at, type=kind, data=text.encode())
        for at, (kind, text) in enumerate(texts.items(), 2)
    ]
    return Record(f"88.888.101/DEV.DCM2500.{number:05}", tuple(values))


def expected(template: LabelTemplate, number: int) -> str:
    name = record(number).name
    if template.symbology.gs1:
        return f"(01)09506000134352(21)M{number:04}"
    return f"{BASE}/things/{name}" if template.symbology == "qr" else name


def draw(data: bytes, folder: Path, dpi: int) -> list[np.ndarray]:
    if not shutil.which("pdftoppm"):
        pytest.skip("no pdftoppm: apt install poppler-utils")
    (folder / "sheet.pdf").write_bytes(data)
    subprocess.run(
        ["pdftoppm", "-r", str(dpi), "-gray", "sheet.pdf", "page"], cwd=folder, check=True
    )
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("page-*.pgm"))]


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda one: one.id)
def test_every_symbol_of_every_label_reads(template: LabelTemplate, tmp_path: Path):
    count = min(template.per_page + 3, 80)
    sheets = Sheets(template, [record(n) for n in range(count)], base_url=BASE)
    dpi = 300
    pages = draw(pdf(sheets, Lettering()), tmp_path, dpi)
    assert len(pages) == sheets.pages
    per_mm = dpi / 25.4
    read: list[str] = []
    for number, page in enumerate(pages):
        for x, y, _ in sheets.page(number):
            left, top = round(x * per_mm), round(y * per_mm)
            right = left + round(template.width_mm * per_mm)
            label = page[top : top + round(template.height_mm * per_mm), left:right]
            read += [found.text for found in zxingcpp.read_barcodes(np.ascontiguousarray(label))]
    assert read == [expected(template, n) for n in range(count)]


def test_a_whole_sheet_reads_at_once(tmp_path: Path):
    template = BUILT_IN[0]
    sheets = Sheets(template, [record(n) for n in range(24)], base_url=BASE)
    (page,) = draw(pdf(sheets, Lettering()), tmp_path, 200)
    found = {one.text for one in zxingcpp.read_barcodes(np.ascontiguousarray(page))}
    assert found == {expected(template, n) for n in range(24)}


def test_chinese_prints_without_a_font_on_the_other_side(tmp_path: Path):
    lettering = Lettering()
    if not lettering.draws:
        pytest.skip("no CJK font: apt install fonts-noto-cjk")
    data = pdf(Sheets(BUILT_IN[2], [record(1)]), lettering)
    (tmp_path / "one.pdf").write_bytes(data)
    if not shutil.which("pdffonts"):
        pytest.skip("no pdffonts: apt install poppler-utils")
    told = subprocess.run(["pdffonts", "one.pdf"], cwd=tmp_path, check=True, capture_output=True)
    names = re.findall(r"(?m)^(\S+) +Type 1 ", told.stdout.decode())
    assert set(names) <= {"Helvetica", "Helvetica-Bold"}
    (page,) = draw(data, tmp_path, 300)
    per_mm = 300 / 25.4
    words = page[round(2 * per_mm) : round(6 * per_mm), round(33 * per_mm) :]
    assert (words < 128).mean() > 0.05  # letters, not an empty box
    band = page[round(36 * per_mm) : round(38 * per_mm), round(20 * per_mm) : round(40 * per_mm)]
    assert 0.3 < (band < 128).mean() < 0.98  # the mark of simulated things: light on black
