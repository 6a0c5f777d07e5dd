"""Label templates as declared data: sheet, label, symbol and lines, all in millimetres.

A line's ``{words}`` are filled from the name's record: ``name``, ``prefix``, ``suffix``,
``name_zh``, ``name_en``, ``kind``, ``type``, ``place``, ``url``, ``gs1``, or the type of any
public value (``{MODEL}``, ``{serial}``; case and a leading ``MW.`` do not matter). What the record
lacks is empty; a line whose placeholders are all empty is not printed. A roll is a sheet of one
label.
"""

import re
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.identity.marking.contents import Content
from mingwu.identity.marking.symbols import Symbology
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.settings import Settings

Mm = Annotated[float, Meta(ge=0, le=2000)]
Edge = Annotated[float, Meta(ge=5, le=2000)]
SLACK_MM = 0.01
_WORD = re.compile(r"\{([^{}]*)\}")
PLACEHOLDER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class Place(StrEnum):
    """Where the symbol stands: beside the lines, above or below them."""

    LEFT = "left"
    TOP = "top"
    BELOW = "below"


class Line(Settings, frozen=True, kw_only=True):
    """One line of text."""

    # Text with {placeholders}.
    text: Annotated[str, Meta(min_length=1, max_length=200)]
    # Height of its letters; made smaller where the label is too narrow.
    size_mm: Annotated[float, Meta(ge=0.8, le=100)] = 2.6
    # Bold letters (Latin only).
    bold: bool = False


class LabelTemplate(Settings, frozen=True, kw_only=True):
    """One kind of label and how it lies on its sheet."""

    # Short name, used in addresses and commands.
    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    # Name for people, English.
    name_en: str = ""
    # Name for people, Chinese.
    name_zh: str = ""
    # Sheet, or the label itself for a roll.
    page_width_mm: Edge = 210.0
    page_height_mm: Edge = 297.0  # see above
    # One label.
    width_mm: Edge
    height_mm: Edge  # see above
    # Labels across.
    columns: Annotated[int, Meta(ge=1, le=50)] = 1
    # Labels down.
    rows: Annotated[int, Meta(ge=1, le=100)] = 1
    # From the sheet's left edge to the first label.
    left_mm: Mm = 0.0
    # From the sheet's upper edge to the first label.
    top_mm: Mm = 0.0
    # Between two columns.
    gap_x_mm: Mm = 0.0
    # Between two rows.
    gap_y_mm: Mm = 0.0
    # From the label's edge to what is printed.
    padding_mm: Mm = 2.0
    # What the symbol is.
    symbology: Symbology = Symbology.QR
    # What it says; `auto` decides by symbol and public address.
    content: Content = Content.AUTO
    # Least error correction of a QR code: L, M, Q or H.
    level: Annotated[str, Meta(pattern="^[LMQH]$")] = "M"
    # Where it stands.
    place: Place = Place.LEFT
    # Room for the symbol with its quiet zone: edge of the square, or height of bars.
    symbol_mm: Edge
    # Smaller modules than this are refused: the printer or the reader could not resolve them.
    module_least_mm: Annotated[float, Meta(ge=0.02, le=5)] = 0.25
    # Dots per inch of the printer; modules become whole dots. 0: whatever fits best.
    printer_dpi: Annotated[int, Meta(ge=0, le=4800)] = 0
    # Lines of text.
    lines: tuple[Line, ...] = ()
    # Draw the label's edge, for cutting by hand.
    frame: bool = False

    @property
    def per_page(self) -> int:
        """Labels on one sheet."""
        return self.columns * self.rows


_NAMED = (
    Line(text="{name_zh}", size_mm=3.4),
    Line(text="{name_en}", size_mm=2.4),
    Line(text="{MODEL} {SERIAL}", size_mm=2.4),
    Line(text="{name}", size_mm=2.6),
)

BUILT_IN = (
    LabelTemplate(
        id="a4-24", name_en="A4, 24 labels 70 × 37 mm", name_zh="A4 纸 24 张，70 × 37 毫米",
        width_mm=70, height_mm=37, columns=3, rows=8, top_mm=0.5, padding_mm=4, symbol_mm=27,
        lines=_NAMED,
    ),
    LabelTemplate(
        id="a4-65", name_en="A4, 65 labels 38 × 21 mm", name_zh="A4 纸 65 张，38 × 21 毫米",
        width_mm=38.1, height_mm=21.2, columns=5, rows=13, left_mm=4.75, top_mm=10.7,
        gap_x_mm=2.5, padding_mm=1.5, symbology=Symbology.DATAMATRIX, symbol_mm=13,
        lines=(Line(text="{name_zh}", size_mm=2.2), Line(text="{name}", size_mm=1.9)),
    ),
    LabelTemplate(
        id="roll-60x40", name_en="Roll, 60 × 40 mm", name_zh="卷筒标签，60 × 40 毫米",
        page_width_mm=60, page_height_mm=40, width_mm=60, height_mm=40, symbol_mm=30,
        lines=_NAMED,
    ),
    LabelTemplate(
        id="roll-100x50", name_en="Roll, 100 × 50 mm, bars",
        name_zh="卷筒标签，100 × 50 毫米，一维码",
        page_width_mm=100, page_height_mm=50, width_mm=100, height_mm=50, padding_mm=3,
        symbology=Symbology.CODE128, place=Place.BELOW, symbol_mm=18, module_least_mm=0.19,
        lines=_NAMED,
    ),
    LabelTemplate(
        id="tag-30x15", name_en="Small tag, 30 × 15 mm", name_zh="小标牌，30 × 15 毫米",
        page_width_mm=30, page_height_mm=15, width_mm=30, height_mm=15, padding_mm=1,
        symbology=Symbology.DATAMATRIX, symbol_mm=10,
        lines=(Line(text="{name_zh}", size_mm=1.9), Line(text="{name}", size_mm=1.7)),
    ),
    LabelTemplate(
        id="roll-100x60-gs1", name_en="Roll, 100 × 60 mm, GS1-128",
        name_zh="卷筒标签，100 × 60 毫米，GS1-128",
        page_width_mm=100, page_height_mm=60, width_mm=100, height_mm=60, padding_mm=3,
        symbology=Symbology.GS1_128, place=Place.BELOW, symbol_mm=22, module_least_mm=0.19,
        lines=(*_NAMED, Line(text="{gs1}", size_mm=2.6)),
    ),
)  # fmt: skip


def check(template: LabelTemplate) -> None:
    """Whether the template can be printed; raises InvalidInput ``marking.template``."""
    across = template.left_mm + template.columns * (template.width_mm + template.gap_x_mm)
    down = template.top_mm + template.rows * (template.height_mm + template.gap_y_mm)
    inner = min(template.width_mm, template.height_mm) - 2 * template.padding_mm
    faults = (
        (
            across - template.gap_x_mm > template.page_width_mm + SLACK_MM,
            Phrase("wider than its sheet", "超出纸张宽度"),
        ),
        (
            down - template.gap_y_mm > template.page_height_mm + SLACK_MM,
            Phrase("taller than its sheet", "超出纸张高度"),
        ),
        (inner < template.symbol_mm - SLACK_MM, Phrase("no room for the symbol", "放不下码图")),
    )
    for wrong, fault in faults:
        if wrong:
            raise _fault(template, fault)
    for line in template.lines:
        for word in _WORD.findall(line.text):
            if not PLACEHOLDER.fullmatch(word):
                raise _fault(template, Phrase(f"placeholder {{{word}}}", f"占位符 {{{word}}} 未知"))


def _fault(template: LabelTemplate, fault: str) -> InvalidInput:
    return InvalidInput("marking.template", template=template.id, fault=fault)


def chosen(own: tuple[LabelTemplate, ...], wanted: str) -> LabelTemplate:
    """The template of this name, own ones first; raises InvalidInput ``marking.no-template``."""
    for template in (*own, *BUILT_IN):
        if template.id == wanted:
            return template
    known = ", ".join(dict.fromkeys(one.id for one in (*own, *BUILT_IN)))
    raise InvalidInput("marking.no-template", template=wanted[:60], known=known)


def fill(line: str, words: dict[str, str]) -> str:
    """A line with its placeholders filled; empty when all of them are."""
    empty = True

    def put(match: re.Match[str]) -> str:
        nonlocal empty
        value = words.get(match[1].casefold(), "")
        empty = empty and not value
        return value

    text = _WORD.sub(put, line)
    return "" if empty and _WORD.search(line) else " ".join(text.split())
