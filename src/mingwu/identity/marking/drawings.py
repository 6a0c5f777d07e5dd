"""A symbol alone as a drawing: SVG, DXF for lasers, plain geometry as JSON, PNG for documents.

Sizes are millimetres, chosen by the module. The inverse drawing fills what is light, quiet zone
included: for marks that turn dark metal bright. DXF is R12 (AC1009): closed polylines on layer
MARK, y upwards, millimetres, origin at the lower left corner of the quiet zone. What is simulated
says so in each of them: words below the picture, in DXF a text on layer SIMULATED.
"""

import io
from html import escape
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from PIL import Image, ImageDraw, ImageFont

from mingwu.identity.marking.outlines import Outline, inverted, outlines, svg_path
from mingwu.identity.marking.symbols import Symbol
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

_INK = "#101417"
SIMULATED = "SIMULATED"
_NOTE_SHARE = 0.14  # height of the words below, of the picture's width


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How large and which way round a symbol is drawn."""

    module_mm: Annotated[float, Meta(ge=0.02, le=20)] = 0.5
    # Height of the bars of a linear symbol.
    bar_mm: Annotated[float, Meta(ge=1, le=200)] = 12.0
    inverse: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A symbol laid out: outlines in modules from the corner of the quiet zone; ``tall`` is the
    height of one row in modules (bars are one tall row).
    """

    width: int
    rows: int
    tall: float
    quiet: int
    lines: list[Outline]
    module_mm: float

    @property
    def width_mm(self) -> float:
        """With quiet zone."""
        return self.width * self.module_mm

    @property
    def height_mm(self) -> float:
        """With quiet zone above and below a matrix; bars need none there."""
        return self.rows * self.tall * self.module_mm


def plan(symbol: Symbol, size: Size) -> Plan:
    """Lay out a symbol with its quiet zone; raises InvalidInput ``marking.unsuitable``."""
    quiet = symbol.symbology.quiet_modules
    above = 0 if symbol.symbology.linear else quiet
    if size.inverse:
        _check_inverse(symbol)
        lines = outlines(inverted(symbol.rows, quiet))
    else:
        lines = [tuple((x + quiet, y + above) for x, y in line) for line in outlines(symbol.rows)]
    tall = size.bar_mm / size.module_mm if symbol.symbology.linear else 1.0
    return Plan(
        symbol.width + 2 * quiet, symbol.height + 2 * above, tall, quiet, lines, size.module_mm
    )


def _check_inverse(symbol: Symbol) -> None:
    if symbol.symbology.linear:
        raise InvalidInput(
            "marking.unsuitable",
            text=symbol.text[:60],
            symbol=str(symbol.symbology),
            fault=Phrase("readers do not read inverse bars", "条码阅读器无法识读反色条码"),
        )


def svg(
    symbol: Symbol,
    size: Size | None = None,
    label: str = "",
    *,
    scalable: bool = False,
    simulated: bool = False,
) -> str:
    """An SVG picture; ``scalable`` leaves its size to the page that shows it."""
    size = size or Size()
    laid = plan(symbol, size)
    below = laid.width * _NOTE_SHARE if simulated else 0.0
    height = laid.rows * laid.tall + below
    high_mm = height * laid.module_mm
    measures = "" if scalable else f'width="{laid.width_mm:g}mm" height="{high_mm:g}mm" '
    note = (
        f'<text x="{laid.width / 2:g}" y="{height - below * 0.3:g}" font-size="{below * 0.8:g}" '
        f'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">{SIMULATED}</text>'
        if simulated
        else ""
    )
    ground = "" if size.inverse else f'<rect width="{laid.width}" height="{height:g}" fill="#fff"/>'
    stretch = f' transform="scale(1 {laid.tall:g})"' if laid.tall != 1 else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'{measures}viewBox="0 0 {laid.width} {height:g}" shape-rendering="crispEdges">{ground}'
        f'<path fill="{_INK}" fill-rule="evenodd"{stretch} d="{svg_path(laid.lines)}"/>{note}</svg>'
    )


def dxf(symbol: Symbol, size: Size, *, simulated: bool = False) -> str:
    """The outlines for a laser's software, which fills closed lines."""
    laid = plan(symbol, size)
    parts = ["0", "SECTION", "2", "HEADER", "9", "$ACADVER", "1", "AC1009",
             "9", "$MEASUREMENT", "70", "1", "0", "ENDSEC",
             "0", "SECTION", "2", "ENTITIES"]  # fmt: skip
    for line in laid.lines:
        parts += ["0", "POLYLINE", "8", "MARK", "66", "1", "10", "0", "20", "0", "30", "0"]
        parts += ["70", "1"]
        for x, y in line:
            parts += ["0", "VERTEX", "8", "MARK", "10", _mm(x * laid.module_mm)]
            parts += ["20", _mm((laid.rows - y) * laid.tall * laid.module_mm), "30", "0"]
        parts += ["0", "SEQEND", "8", "MARK"]
    if simulated:
        high = laid.width_mm * _NOTE_SHARE
        parts += ["0", "TEXT", "8", SIMULATED, "10", "0", "20", _mm(-high), "30", "0"]
        parts += ["40", _mm(high * 0.7), "1", SIMULATED]
    return "\r\n".join([*parts, "0", "ENDSEC", "0", "EOF", ""])


def _mm(value: float) -> str:
    return f"{value:.5f}".rstrip("0").rstrip(".")


def geometry(symbol: Symbol, size: Size, *, simulated: bool = False) -> dict[str, Any]:
    """The module matrix and its sizes, for marking machines that draw for themselves."""
    laid = plan(symbol, size)
    return {
        "symbology": symbol.symbology,
        "text": symbol.text,
        "columns": symbol.width,
        "rows": symbol.height,
        "module_mm": size.module_mm,
        "quiet_modules": laid.quiet,
        "width_mm": round(laid.width_mm, 5),
        "height_mm": round(laid.height_mm, 5),
        "inverse": size.inverse,
        "simulated": simulated,
        "modules": ["".join(map(str, row)) for row in symbol.rows],
    }


def png(
    symbol: Symbol, size: Size, *, dots_per_mm: float = 600 / 25.4, simulated: bool = False
) -> bytes:
    """A picture of whole dots per module, black and white."""
    dots = max(1, round(size.module_mm * dots_per_mm))
    image = picture(symbol, dots, bar_dots=round(size.bar_mm * dots_per_mm), inverse=size.inverse)
    if simulated:
        image = _noted(image)
    out = io.BytesIO()
    per_inch = 25.4 * dots / size.module_mm
    image.save(out, "PNG", dpi=(per_inch, per_inch), optimize=True)
    return out.getvalue()


def _noted(image: Image.Image) -> Image.Image:
    """The picture with the words of simulated things below it."""
    high = max(12, round(image.width * _NOTE_SHARE))
    larger = Image.new("1", (image.width, image.height + high), 1)
    larger.paste(image)
    font = ImageFont.load_default(high * 0.8)
    at = image.width / 2, image.height + high * 0.75
    ImageDraw.Draw(larger).text(at, SIMULATED, fill=0, font=font, anchor="ms")
    return larger


def picture(symbol: Symbol, dots: int, *, bar_dots: int = 60, inverse: bool = False) -> Image.Image:
    """The symbol with quiet zone, ``dots`` per module; inverse is white on black."""
    rows = np.frombuffer(b"".join(symbol.rows), np.uint8).reshape(symbol.height, symbol.width)
    if inverse:
        _check_inverse(symbol)
    quiet = symbol.symbology.quiet_modules
    linear = symbol.symbology.linear
    padded = np.pad(rows, ((0, 0) if linear else (quiet, quiet), (quiet, quiet)))
    large = np.repeat(np.repeat(padded, dots, axis=1), bar_dots if linear else dots, axis=0)
    return Image.fromarray(np.where(large == inverse, 255, 0).astype(np.uint8)).convert("1")
