"""One label laid out: where its symbol, its lines and the mark of simulated things stand.

Millimetres from the label's upper left corner. The symbol takes the largest module that fits its
room, whole printer dots where the template names a printer; below the template's least module the
label is refused, never printed unreadable. Lines are broken and made smaller until they fit. What
is simulated carries a black band over its width that says so.
"""

from typing import NamedTuple

from mingwu.identity.marking.lettering import width
from mingwu.identity.marking.symbols import Symbol
from mingwu.identity.marking.templates import LabelTemplate, Place, fill
from mingwu.kernel.errors import InvalidInput

SIMULATED_WORDS = "仿真 / SIMULATED"
_GAP_MM = 1.5
_LEADING = 1.3
_SCALES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_NARROW_MM = 6.0  # beside a symbol, less room than this stays empty
_BREAK_BEHIND = frozenset(" /.-_:,，、")
_INCH_MM = 25.4


class Words(NamedTuple):
    """A line of letters; ``light`` ones stand on a band."""

    text: str
    x: float
    baseline: float
    size: float
    bold: bool = False
    light: bool = False


class Band(NamedTuple):
    """A black rectangle."""

    x: float
    y: float
    width: float
    height: float


class Mark(NamedTuple):
    """A symbol: corner of its first module, module and bar height in millimetres."""

    symbol: Symbol
    x: float
    y: float
    module: float
    row: float


class Label(NamedTuple):
    """All that is printed on one label."""

    name: str
    mark: Mark
    words: tuple[Words, ...]
    bands: tuple[Band, ...]


class _Room(NamedTuple):
    x: float
    y: float
    width: float
    height: float


def lay_out(
    template: LabelTemplate, name: str, symbol: Symbol, words: dict[str, str], *, simulated: bool
) -> Label:
    """Raises InvalidInput ``marking.too-small``."""
    pad = template.padding_mm
    room = _Room(pad, pad, template.width_mm - 2 * pad, template.height_mm - 2 * pad)
    bands: tuple[Band, ...] = ()
    lines: list[Words] = []
    if simulated:
        tall = min(4.5, max(2.2, template.height_mm * 0.11))
        top = template.height_mm - tall - pad / 2
        bands = (Band(pad / 2, top, template.width_mm - pad, tall),)
        size = min(tall * 0.7, template.width_mm / width(SIMULATED_WORDS) * 0.9)
        left = (template.width_mm - width(SIMULATED_WORDS) * size) / 2
        lines.append(Words(SIMULATED_WORDS, left, top + (tall + size * 0.72) / 2, size, light=True))
        room = room._replace(height=top - 0.5 - pad)
    mark, rest = _place(template, name, symbol, room)
    texts = [(fill(line.text, words), line.size_mm, line.bold) for line in template.lines]
    lines += _lines([one for one in texts if one[0]], rest)
    return Label(name, mark, tuple(lines), bands)


def _place(template: LabelTemplate, name: str, symbol: Symbol, room: _Room) -> tuple[Mark, _Room]:
    """The symbol, and the room that is left for lines."""
    quiet = symbol.symbology.quiet_modules
    linear = symbol.symbology.linear
    beside = template.place is Place.LEFT and not linear
    tall = min(template.symbol_mm, room.height)
    wide = min(template.symbol_mm, room.width) if beside else room.width
    columns = symbol.width + 2 * quiet
    rows = symbol.height if linear else symbol.height + 2 * quiet
    module = wide / columns if linear else min(wide / columns, tall / rows)
    if template.printer_dpi:
        dot = _INCH_MM / template.printer_dpi
        module = int(module / dot + 1e-9) * dot
    if module < template.module_least_mm:
        raise InvalidInput(
            "marking.too-small",
            name=name,
            symbol=str(symbol.symbology),
            module=f"{module:.2f}",
            least=f"{template.module_least_mm:g}",
        )
    high = tall if linear else module * rows
    across = module * columns
    left = room.x if beside else room.x + (room.width - across) / 2
    top = room.y + room.height - high if template.place is Place.BELOW else room.y
    above = 0.0 if linear else quiet * module
    mark = Mark(symbol, left + quiet * module, top + above, module, high if linear else module)
    return mark, _rest(template.place if beside else _stacked(template), room, across, high)


def _stacked(template: LabelTemplate) -> Place:
    return Place.BELOW if template.place is Place.BELOW else Place.TOP


def _rest(place: Place, room: _Room, across: float, high: float) -> _Room:
    if place is Place.LEFT:
        used = across + _GAP_MM
        return _Room(room.x + used, room.y, room.width - used, room.height)
    left = room.height - high - _GAP_MM / 2
    top = room.y if place is Place.BELOW else room.y + high + _GAP_MM / 2
    return _Room(room.x, top, room.width, left)


def _lines(texts: list[tuple[str, float, bool]], room: _Room) -> list[Words]:
    if room.width < _NARROW_MM or not texts:
        return []
    laid: list[Words] = []
    for scale in _SCALES:
        laid = []
        y = room.y
        for text, size, bold in texts:
            for part in _broken(text, room.width / (size * scale), bold=bold):
                baseline = y + size * scale * 0.85
                laid.append(Words(part, room.x, baseline, size * scale, bold))
                y += size * scale * _LEADING
        if y - room.y <= room.height + 0.01 * len(laid):
            return laid
    bottom = room.y + room.height
    return [one for one in laid if one.baseline <= bottom]


def _broken(text: str, wide: float, *, bold: bool) -> list[str]:
    """The text in parts that are at most ``wide`` letter sizes; breaks behind signs if it can."""
    parts: list[str] = []
    while text and width(text, bold=bold) > wide:
        count = next(
            (n for n in range(1, len(text)) if width(text[: n + 1], bold=bold) > wide), len(text)
        )
        good = [n for n in range(count // 2, count + 1) if n and text[n - 1] in _BREAK_BEHIND]
        cut = good[-1] if good else count
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text] if text else parts
