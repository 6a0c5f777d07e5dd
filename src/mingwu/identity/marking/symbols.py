"""Symbols as module matrices: QR Code, Data Matrix ECC 200, Code 128, and their GS1 forms.

One maker for the whole house (zxing-cpp). A symbol is dark and light modules without its quiet
zone; the zone's width in modules is a fact of the symbology (ISO/IEC 18004: 4, ISO/IEC 16022: 1,
ISO/IEC 15417: 10). GS1 forms begin with FNC1 and take element strings; other forms take text,
Code 128 only ASCII. Rectangular Data Matrix uses the six sizes of ISO/IEC 16022, which every
reader knows. What does not fit raises InvalidInput ``marking.unsuitable``.
"""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import zxingcpp

from mingwu.identity.marking import errors as _texts  # noqa: F401 - registers the texts
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1.elements import parse


class Symbology(StrEnum):
    """What a mark can be; the names appear in templates, addresses and commands."""

    QR = "qr"
    DATAMATRIX = "datamatrix"
    DATAMATRIX_RECT = "datamatrix-rect"
    CODE128 = "code128"
    GS1_DATAMATRIX = "gs1-datamatrix"
    GS1_DATAMATRIX_RECT = "gs1-datamatrix-rect"
    GS1_QR = "gs1-qr"
    GS1_128 = "gs1-128"

    @property
    def gs1(self) -> bool:
        """Whether its contents is an element string."""
        return self.value.startswith("gs1")

    @property
    def linear(self) -> bool:
        """Whether it is bars of one height, not a matrix."""
        return self in {Symbology.CODE128, Symbology.GS1_128}

    @property
    def rectangular(self) -> bool:
        """Whether it must be a rectangle that is not square."""
        return self in {Symbology.DATAMATRIX_RECT, Symbology.GS1_DATAMATRIX_RECT}

    @property
    def quiet_modules(self) -> int:
        """Modules that must stay light on every side."""
        return 10 if self.linear else 4 if "qr" in self.value else 1


class Symbol(NamedTuple):
    """``rows``: a byte per module, 1 is dark; a linear symbol has one row."""

    symbology: Symbology
    text: str
    rows: tuple[bytes, ...]

    @property
    def width(self) -> int:
        """Modules across, without quiet zone."""
        return len(self.rows[0])

    @property
    def height(self) -> int:
        """Rows of modules; 1 for a linear symbol."""
        return len(self.rows)


_RECTANGLES = range(25, 31)  # 8x18, 8x32, 12x26, 12x36, 16x36, 16x48
_MOST_CHARS = 2000
_LEVELS = frozenset("LMQH")


@lru_cache(maxsize=512)
def make_symbol(symbology: Symbology, text: str, level: str = "M") -> Symbol:
    """The symbol of ``text``; ``level`` L, M, Q or H is the least error correction of a QR code.

    GS1 forms take an element string as people write or readers give it. Raises InvalidInput
    ``marking.unsuitable`` or the faults of the element string.
    """
    if not text or len(text) > _MOST_CHARS or level not in _LEVELS:
        raise _unsuitable(symbology, text, f"1 to {_MOST_CHARS} characters, level L, M, Q or H")
    content = text
    if symbology.gs1:
        # square brackets stand in no AI's data, so round ones within data need no escape
        content = "".join(f"[{ai}]{value}" for ai, value in parse(text))
    elif symbology.linear and not (text.isascii() and text.isprintable()):
        raise _unsuitable(symbology, text, "printable ASCII only")
    try:
        made = _made(symbology, content, level)
    except ValueError as error:
        raise _unsuitable(symbology, text, str(error)) from error
    pixels = np.asarray(made.to_image(scale=1, add_quiet_zones=False))
    dark = (pixels < 128).astype(np.uint8)  # noqa: PLR2004 - half of a byte
    rows = dark[:1] if symbology.linear else dark
    return Symbol(symbology, text, tuple(row.tobytes() for row in rows))


def _made(symbology: Symbology, content: str, level: str) -> zxingcpp.Barcode:
    options: dict[str, object] = {"gs1": True} if symbology.gs1 else {}
    if not content.isascii():
        options["eci"] = "UTF-8"  # without it readers guess the script of a few letters
    if symbology.linear:
        return zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.Code128, **options)
    if symbology in {Symbology.QR, Symbology.GS1_QR}:
        kind = zxingcpp.BarcodeFormat.QRCode
        return zxingcpp.create_barcode(content, kind, ec_level=level, **options)
    kind = zxingcpp.BarcodeFormat.DataMatrix
    if not symbology.rectangular:
        return zxingcpp.create_barcode(content, kind, force_square=True, **options)
    for size in _RECTANGLES:
        try:
            return zxingcpp.create_barcode(content, kind, version=size, **options)
        except ValueError:
            if size == _RECTANGLES[-1]:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _unsuitable(symbology: Symbology, text: str, fault: str) -> InvalidInput:
    return InvalidInput(
        "marking.unsuitable", text=text[:60], symbol=str(symbology), fault=fault.strip()
    )
