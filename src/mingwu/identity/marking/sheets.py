"""Sheets of labels: names to pages, as SVG (a page each) or one PDF.

All labels of a call are laid out before the first is drawn, so a name that cannot be marked is
told before paper is used. Memory is bounded by the number of labels, which the caller bounds;
about 5 kB a label. ``skip`` leaves labels free that an opened sheet has already given away.
"""

import io
from collections.abc import Iterable, Iterator
from html import escape
from typing import BinaryIO, NamedTuple

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

from mingwu.identity.marking.contents import text_for
from mingwu.identity.marking.filling import is_simulated, words_of
from mingwu.identity.marking.layout import Label, Mark, Words, lay_out
from mingwu.identity.marking.lettering import EM, LATIN, LATIN_BOLD, Lettering, runs, width
from mingwu.identity.marking.outlines import Outline, outlines, svg_path
from mingwu.identity.marking.symbols import make_symbol
from mingwu.identity.marking.templates import LabelTemplate, check
from mingwu.identity.records import Record
from mingwu.kernel.errors import InvalidInput, MingwuError

_NAMED_FONT = "STSong-Light"
_SVG_FONTS = "Helvetica, Arial, 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"
_EVEN_ODD = 0


class LeftOut(NamedTuple):
    """A name without a label, and why."""

    name: str
    error: MingwuError


class Sheets:
    """Labels on their pages."""

    def __init__(
        self,
        template: LabelTemplate,
        records: Iterable[Record],
        *,
        base_url: str = "",
        gs1_root: str = "",
        skip: int = 0,
        faulty_too: bool = True,
    ) -> None:
        """``faulty_too``: the first name that cannot be marked raises; else it is left out."""
        check(template)
        if not 0 <= skip < template.per_page:
            fault = f"0–{template.per_page - 1}"
            raise InvalidInput("input.invalid", path="skip", fault=fault)
        self.template = template
        self.left_out: list[LeftOut] = []
        self.labels: list[Label] = []
        self._skip = skip
        for record in records:
            try:
                self.labels.append(_label(template, record, base_url, gs1_root))
            except InvalidInput as error:
                if faulty_too:
                    raise
                self.left_out.append(LeftOut(record.name, error))

    @property
    def pages(self) -> int:
        """How many sheets; at least one."""
        return max(1, -(-(len(self.labels) + self._skip) // self.template.per_page))

    def page(self, number: int) -> Iterator[tuple[float, float, Label]]:
        """(x, y, label) of a page, 0 the first; millimetres from the sheet's upper left corner."""
        template = self.template
        first = number * template.per_page - self._skip
        for at in range(max(first, 0), min(first + template.per_page, len(self.labels))):
            row, column = divmod(at - first, template.columns)
            x = template.left_mm + column * (template.width_mm + template.gap_x_mm)
            y = template.top_mm + row * (template.height_mm + template.gap_y_mm)
            yield x, y, self.labels[at]


def _label(template: LabelTemplate, record: Record, base_url: str, gs1_root: str) -> Label:
    text = text_for(
        record, template.content, template.symbology, base_url=base_url, gs1_root=gs1_root
    )
    symbol = make_symbol(template.symbology, text, template.level)
    words = words_of(record, base_url)
    return lay_out(template, record.name, symbol, words, simulated=is_simulated(record))


# ------------------------------------------------------------------ SVG
def svg_page(sheets: Sheets, number: int, lettering: Lettering) -> str:
    """One sheet as an SVG document."""
    template = sheets.template
    used: dict[str, None] = {}
    parts: list[str] = []
    for x, y, label in sheets.page(number):
        parts.append(f'<g transform="translate({x:g} {y:g})"><title>{escape(label.name)}</title>')
        if template.frame:
            parts.append(
                f'<rect width="{template.width_mm:g}" height="{template.height_mm:g}" '
                'fill="none" stroke="#999" stroke-width="0.1"/>'
            )
        parts += [f'<rect x="{b.x:g}" y="{b.y:g}" width="{b.width:g}" height="{b.height:g}"/>'
                  for b in label.bands]  # fmt: skip
        parts.append(_svg_mark(label.mark))
        parts += [_svg_words(one, lettering, used) for one in label.words]
        parts.append("</g>")
    size = f"{template.page_width_mm:g}", f"{template.page_height_mm:g}"
    glyphs = "".join(
        f'<path id="g{ord(char):x}" fill-rule="evenodd" d="{svg_path(lettering.glyph(char))}"/>'
        for char in used
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}mm" height="{size[1]}mm" '
        f'viewBox="0 0 {size[0]} {size[1]}"><rect width="100%" height="100%" fill="#fff"/>'
        f"<defs>{glyphs}</defs>{''.join(parts)}</svg>"
    )


def _svg_mark(mark: Mark) -> str:
    return (
        f'<path fill-rule="evenodd" transform="translate({mark.x:.4f} {mark.y:.4f}) '
        f'scale({mark.module:.5f} {mark.row:.5f})" d="{svg_path(outlines(mark.symbol.rows))}"/>'
    )


def _svg_words(words: Words, lettering: Lettering, used: dict[str, None]) -> str:
    colour = ' fill="#fff"' if words.light else ""
    weight = ' font-weight="bold"' if words.bold else ""
    parts: list[str] = []
    x = words.x
    for latin, part in runs(words.text):
        if latin or not lettering.draws:
            parts.append(
                f'<text x="{x:.3f}" y="{words.baseline:.3f}" font-size="{words.size:.3f}" '
                f'font-family="{_SVG_FONTS}"{weight}{colour} xml:space="preserve">'
                f"{escape(part)}</text>"
            )
        else:
            scale = words.size / EM
            top = words.baseline - lettering.baseline * words.size
            for at, char in enumerate(part):
                used[char] = None
                parts.append(
                    f'<use href="#g{ord(char):x}"{colour} transform="translate('
                    f'{x + at * words.size:.3f} {top:.3f}) scale({scale:.5f})"/>'
                )
        x += width(part, bold=words.bold) * words.size
    return "".join(parts)


# ------------------------------------------------------------------ PDF
def pdf(sheets: Sheets, lettering: Lettering, title: str = "Mingwu labels") -> bytes:
    """All sheets as one PDF."""
    out = io.BytesIO()
    write_pdf(sheets, lettering, out, title)
    return out.getvalue()


def write_pdf(sheets: Sheets, lettering: Lettering, out: BinaryIO, title: str) -> None:
    """The same into a file."""
    template = sheets.template
    size = template.page_width_mm * mm, template.page_height_mm * mm
    canvas = Canvas(out, pagesize=size, pageCompression=1, invariant=1)
    canvas.setTitle(title)
    canvas.setCreator("Mingwu")
    known: set[str] = set()
    for number in range(sheets.pages):
        for x, y, label in sheets.page(number):
            canvas.saveState()
            # from here on millimetres, y down, as labels are laid out
            canvas.transform(mm, 0, 0, -mm, x * mm, size[1] - y * mm)
            _pdf_label(canvas, template, label, lettering, known)
            canvas.restoreState()
        canvas.showPage()
    canvas.save()


def _pdf_label(
    canvas: Canvas, template: LabelTemplate, label: Label, lettering: Lettering, known: set[str]
) -> None:
    if template.frame:
        canvas.setLineWidth(0.1)
        canvas.setStrokeGray(0.6)
        canvas.rect(0, 0, template.width_mm, template.height_mm)
    canvas.setFillGray(0)
    for band in label.bands:
        canvas.rect(*band, stroke=0, fill=1)
    mark = label.mark
    canvas.saveState()
    canvas.transform(mark.module, 0, 0, mark.row, mark.x, mark.y)
    _pdf_area(canvas, outlines(mark.symbol.rows))
    canvas.restoreState()
    for words in label.words:
        canvas.setFillGray(1 if words.light else 0)
        _pdf_words(canvas, words, lettering, known)


def _pdf_area(canvas: Canvas, lines: Iterable[Outline]) -> None:
    # the operators of ISO 32000-1 §8.5.2 in one go: a call for each corner costs five times as much
    code = ["n"]
    for line in lines:
        points = [f"{x} {y}" for x, y in line]
        code.append(" l ".join([f"{points[0]} m {points[1]}", *points[2:]]) + " l h")
    canvas.drawPath(PDFPathObject(code), stroke=0, fill=1, fillMode=_EVEN_ODD)


def _pdf_words(canvas: Canvas, words: Words, lettering: Lettering, known: set[str]) -> None:
    x = words.x
    for latin, part in runs(words.text):
        if latin or not lettering.draws:
            face = (LATIN_BOLD if words.bold else LATIN) if latin else _named_font()
            canvas.saveState()
            canvas.transform(1, 0, 0, -1, x, words.baseline)
            canvas.setFont(face, words.size)
            canvas.drawString(0, 0, part)
            canvas.restoreState()
        else:
            top = words.baseline - lettering.baseline * words.size
            for at, char in enumerate(part):
                _pdf_glyph(canvas, char, lettering, known)
                canvas.saveState()
                scale = words.size / EM
                canvas.transform(scale, 0, 0, scale, x + at * words.size, top)
                canvas.doForm(f"g{ord(char):x}")
                canvas.restoreState()
        x += width(part, bold=words.bold) * words.size


def _pdf_glyph(canvas: Canvas, char: str, lettering: Lettering, known: set[str]) -> None:
    """The character once as a form of the document; it takes the colour of where it stands."""
    if char in known:
        return
    known.add(char)
    canvas.beginForm(f"g{ord(char):x}", 0, 0, EM, EM * 1.25)
    _pdf_area(canvas, lettering.glyph(char))
    canvas.endForm()


def _named_font() -> str:
    if _NAMED_FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(_NAMED_FONT))
    return _NAMED_FONT
