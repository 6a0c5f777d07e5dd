"""Every symbol reads back, from every kind of drawing; outlines enclose exactly the modules."""

import importlib.util
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mingwu.identity.marking.drawings import Size, dxf, geometry, plan, png, svg
from mingwu.identity.marking.outlines import outlines
from mingwu.identity.marking.symbols import Symbology, make_symbol
from mingwu.kernel.errors import InvalidInput

_spec = importlib.util.spec_from_file_location("drawn", Path(__file__).with_name("drawn.py"))
assert _spec is not None
assert _spec.loader is not None
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)

NAME = "88.888.101/MLD.M0187"
ELEMENTS = "(01)09506000134352(10)L\\(7)(21)M0187"
READ_AS = "(01)09506000134352(10)L(7)(21)M0187"


def symbol(symbology: Symbology):
    return make_symbol(symbology, ELEMENTS if symbology.gs1 else NAME)


def expected(symbology: Symbology) -> str:
    return READ_AS if symbology.gs1 else NAME


@pytest.mark.parametrize("symbology", list(Symbology))
def test_svg_reads_back(symbology: Symbology):
    made = svg(symbol(symbology), Size(module_mm=0.25), "a <label>")
    assert 'aria-label="a &lt;label&gt;"' in made
    d = re.search(r' d="([^"]+)"', made)
    assert d is not None
    stretch = re.search(r"scale\(1 ([\d.]+)\)", made)
    tall = float(stretch[1]) if stretch else 1.0
    image = drawn.pixels(drawn.path_lines(d[1]), 4, scale_y=4 * tall)
    assert drawn.texts(image) == [expected(symbology)]


BOTH_WAYS = [(one, way) for one in Symbology for way in (False, True) if not (one.linear and way)]


@pytest.mark.parametrize(("symbology", "inverse"), BOTH_WAYS)
def test_dxf_reads_back_and_has_its_size(symbology: Symbology, inverse: bool):
    size = Size(module_mm=0.2, bar_mm=8, inverse=inverse)
    lines = drawn.dxf_lines(dxf(symbol(symbology), size))
    assert drawn.texts(drawn.pixels(lines, 20)) == [expected(symbology)]
    if inverse:
        laid = plan(symbol(symbology), size)
        assert max(x for line in lines for x, _ in line) == pytest.approx(laid.width_mm)
        assert max(y for line in lines for _, y in line) == pytest.approx(laid.height_mm)


@pytest.mark.parametrize(("symbology", "inverse"), BOTH_WAYS)
def test_png_reads_back(symbology: Symbology, inverse: bool):
    data = png(symbol(symbology), Size(module_mm=0.25, inverse=inverse))
    image = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert drawn.texts(image) == [expected(symbology)]


def test_geometry_names_modules_and_sizes():
    made = geometry(symbol(Symbology.DATAMATRIX), Size(module_mm=0.1))
    assert (made["columns"], made["rows"], made["quiet_modules"]) == (18, 18, 1)
    assert made["width_mm"] == pytest.approx(2.0)
    assert made["modules"][-1] == "1" * 18  # the solid border of ECC 200
    assert all(row[0] == "1" for row in made["modules"])


def test_rectangles_are_of_the_six_sizes():
    for count in (2, 4, 12, 20, 30):
        made = make_symbol(Symbology.DATAMATRIX_RECT, "A1" * count)
        assert (made.height, made.width) in {
            (8, 18), (8, 32), (12, 26), (12, 36), (16, 36), (16, 48),
        }  # fmt: skip


@pytest.mark.parametrize(
    ("symbology", "text"),
    [
        (Symbology.CODE128, "88.1.1/中文"),
        (Symbology.CODE128, "x" * 200),
        (Symbology.DATAMATRIX_RECT, "y" * 100),
        (Symbology.QR, ""),
        (Symbology.QR, "z" * 2001),
    ],
)
def test_what_does_not_fit_is_told(symbology: Symbology, text: str):
    with pytest.raises(InvalidInput) as told:
        make_symbol(symbology, text)
    assert told.value.code == "marking.unsuitable"


def test_bars_are_never_inverse():
    with pytest.raises(InvalidInput) as told:
        dxf(symbol(Symbology.CODE128), Size(inverse=True))
    assert told.value.code == "marking.unsuitable"


def test_a_gs1_symbol_takes_only_a_sound_element_string():
    with pytest.raises(InvalidInput) as told:
        make_symbol(Symbology.GS1_DATAMATRIX, "(01)09506000134353")
    assert told.value.code == "gs1.check-digit"


@pytest.mark.parametrize("text", ["88.1.1/中文件", "88.1.1/ÄÖ", "88.1.1/a%2F b"])
def test_other_scripts_survive_matrix_symbols(text: str):
    for symbology in (Symbology.QR, Symbology.DATAMATRIX):
        data = png(make_symbol(symbology, text), Size())
        assert drawn.texts(np.asarray(Image.open(io.BytesIO(data)).convert("L"))) == [text]


@given(
    st.integers(1, 9).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 1), min_size=width, max_size=width).map(bytes),
            min_size=1,
            max_size=9,
        )
    )
)
def test_outlines_enclose_exactly_the_dark_modules(rows: list[bytes]):
    lines = outlines(rows)
    inside = np.zeros((len(rows), len(rows[0])), int)
    for line in lines:
        corners = [*line, line[0]]
        for (x, y), (next_x, next_y) in itertools.pairwise(corners):
            assert (x == next_x) != (y == next_y)
            if x == next_x:  # dark lies on the right hand: crossing it downwards ends an area
                inside[min(y, next_y) : max(y, next_y), x:] += 1 if next_y < y else -1
        for (a, b), (c, d), (e, f) in zip(corners, corners[1:], corners[2:], strict=False):
            assert not (a == c == e)
            assert not (b == d == f)
    assert inside.tolist() == [list(row) for row in rows]
