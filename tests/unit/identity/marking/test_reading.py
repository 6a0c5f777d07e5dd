"""Reading: from a picture to names; what is no picture, too large or a bomb is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mingwu.identity.marking.drawings import Size, picture, png
from mingwu.identity.marking.reading import decode, reading_of, things_of
from mingwu.identity.marking.symbols import Symbology, make_symbol
from mingwu.kernel.errors import InvalidInput

NAME = "88.888.101/DEV.DCM2500.01"
LIMITS = {"most_bytes": 2**20, "most_pixels": 4_000_000}
QR = png(make_symbol(Symbology.QR, NAME), Size())


def saved(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def scene(angle: float = 0, *, noise: int = 0) -> Image.Image:
    """A symbol somewhere in a larger grey picture, turned, with noise."""
    symbol = picture(make_symbol(Symbology.DATAMATRIX, NAME), 6).convert("L")
    ground = Image.new("L", (640, 480), 190)
    ground.paste(symbol, (200, 150))
    turned = ground.rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor=190)
    pixels = np.asarray(turned).astype(int)
    pixels += np.random.default_rng(1).integers(-noise, noise + 1, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("angle", [0, 33, 180])
def test_pictures_of_every_kind_read(kind: str, angle: float):
    (seen,) = decode(saved(scene(angle, noise=25), kind), **LIMITS)
    assert (seen.symbology, seen.text) == ("Data Matrix", NAME)
    assert len(seen.corners) == 4
    assert all(0 <= part <= 1 for corner in seen.corners for part in corner)


def test_several_symbols_in_one_picture():
    sheet = Image.new("L", (900, 300), 255)
    for at, text in enumerate(("88.1.1/A", "88.1.1/B", "88.1.1/C")):
        sheet.paste(picture(make_symbol(Symbology.QR, text), 6), (at * 300 + 20, 40))
    found = {one.text for one in decode(saved(sheet, "PNG"), **LIMITS)}
    assert found == {"88.1.1/A", "88.1.1/B", "88.1.1/C"}


def test_a_picture_without_a_symbol_is_an_answer():
    assert decode(saved(Image.new("RGB", (300, 200), "red"), "PNG"), **LIMITS) == []


def test_a_transparent_picture_stands_on_white():
    symbol = picture(make_symbol(Symbology.QR, NAME), 8).convert("L")
    ink = Image.merge("LA", (Image.new("L", symbol.size, 0), symbol.point(lambda v: 255 - v)))
    assert [one.text for one in decode(saved(ink, "PNG"), **LIMITS)] == [NAME]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(2**20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(3000, 3000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]):
    with pytest.raises(InvalidInput) as told:
        decode(bomb(*size), **LIMITS)
    assert told.value.code == "marking.image-too-large"


def test_too_many_bytes_are_refused():
    with pytest.raises(InvalidInput) as told:
        decode(bytes(2**20 + 1), **LIMITS)
    assert told.value.code == "marking.image-too-large"


@pytest.mark.parametrize(
    "data", [b"", b"hello", QR[:60], QR[:200], b"%PDF-1.4", b"<svg/>", b"II*\0"]
)
def test_what_is_no_picture_is_told(data: bytes):
    with pytest.raises(InvalidInput) as told:
        decode(data, **LIMITS)
    assert told.value.code == "marking.image-unreadable"


SAMPLES = [saved(scene(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP")]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.integers(0, 40_000),
)
def test_damaged_pictures_never_break_the_reader(data: bytes, changes: list, keep: int):
    broken = bytearray(data)
    for at, value in changes:
        broken[at % len(broken)] = value
    try:
        decode(bytes(broken[: keep or None]), **LIMITS)
    except InvalidInput as error:
        assert error.code.startswith("marking.image-")  # noqa: PT017 - either way is right


@pytest.mark.parametrize(
    ("text", "name", "exact"),
    [
        (NAME, NAME, True),
        (f"https://anywhere.example/things/{NAME}", NAME, True),
        (NAME.lower(), NAME, True),
        (f"VAA{NAME}", NAME, True),
        ("]d2010950600013435221" + "7", "88.888.101/Part.7", True),
        ("https://id.gs1.org/01/09506000134352/21/7", "88.888.101/Part.7", True),
        ("(01)09506000134352(21)999", NAME, False),
        ("9506000134352", NAME, True),
    ],
)
def test_what_was_read_leads_to_the_name(coded, text: str, name: str, exact: bool):
    (thing,) = things_of(coded, text)
    assert (thing.name, thing.exact) == (name, exact)


def test_a_simulated_thing_is_told_so(coded):
    (thing,) = things_of(coded, NAME)
    assert thing.simulated
    assert (thing.label_zh, thing.kind) == ("压铸单元1", "machine")


@pytest.mark.parametrize(
    "text", ["", "hello", "88.888.101/NOBODY", "(01)09506000134353", "https://x/"]
)
def test_what_nobody_carries_leads_nowhere(coded, text: str):
    assert things_of(coded, text) == []


def test_a_fault_of_the_code_stays_visible():
    code = reading_of("(01)09506000134353")
    assert code is not None
    assert code.fault is not None
    assert code.fault.code == "gs1.check-digit"
