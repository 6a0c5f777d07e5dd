"""Letters of labels: how wide they are, and outlines for those no printer is sure to have.

Latin-1 is Helvetica, which every PDF reader and printer carries. Other scripts come from a font
file (TrueType, OpenType or a collection of them): each character is drawn large once by FreeType,
traced, and put into the document as lines. So Chinese prints the same on a machine without any
Chinese font, as in a plant without a network; the text is then not selectable. Without a font
file the document only names a font (``STSong-Light``) and the reader's machine must have it.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfbase.pdfmetrics import stringWidth

from mingwu.identity.marking.outlines import Outline, outlines
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

LATIN, LATIN_BOLD = "Helvetica", "Helvetica-Bold"
EM = 96
"""Steps of a traced letter's square."""
_ASCENT = 0.88
_USUAL_FILES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
_FACES = 12  # a collection has a face per country; the one for simplified Chinese is wanted


def is_latin(char: str) -> bool:
    """Whether Helvetica has the character."""
    return " " <= char <= "~" or "\xa1" <= char <= "\xff"


def runs(text: str) -> Iterator[tuple[bool, str]]:
    """(Latin or not, characters) in order."""
    for latin, chars in groupby(text, is_latin):
        yield latin, "".join(chars)


@lru_cache(maxsize=8192)
def width(text: str, *, bold: bool = False) -> float:
    """Width in letter sizes; characters of other scripts are squares."""
    total = 0.0
    for latin, part in runs(text):
        face = LATIN_BOLD if bold else LATIN
        total += stringWidth(part, face, 1) if latin else len(part)
    return float(total)


class Lettering:
    """A font file's characters as outlines in an EM square, y down, baseline at 0.88 of it."""

    baseline = _ASCENT

    def __init__(self, font_file: str = "") -> None:
        """``font_file``: empty looks where systems keep fonts. Raises ``marking.no-font``."""
        usual = next((name for name in _USUAL_FILES if Path(name).is_file()), "")
        self.file = font_file or usual
        self._font = _open(self.file) if self.file else None
        self._known: dict[str, tuple[Outline, ...]] = {}

    @property
    def draws(self) -> bool:
        """Whether there is a font to draw from."""
        return self._font is not None

    def glyph(self, char: str) -> tuple[Outline, ...]:
        """Outlines of one character."""
        known = self._known.get(char)
        if known is None:
            known = self._known[char] = self._trace(char)
        return known

    def _trace(self, char: str) -> tuple[Outline, ...]:
        if self._font is None:
            return ()
        image = Image.new("L", (EM, EM + EM // 4))
        ImageDraw.Draw(image).text((0, _ASCENT * EM), char, fill=255, font=self._font, anchor="ls")
        dark = (np.asarray(image) > 127).astype(np.uint8)  # noqa: PLR2004 - half of a byte
        return tuple(outlines([row.tobytes() for row in dark]))


def _open(file: str) -> ImageFont.FreeTypeFont:
    first: ImageFont.FreeTypeFont | None = None
    for face in range(_FACES):
        try:
            font = ImageFont.truetype(file, EM, index=face)
        except OSError as error:
            if first is None:
                raise InvalidInput("marking.no-font", file=file, fault=told(error)) from error
            break
        if "SC" in str(font.getname()[0]).split():
            return font
        first = first or font
    assert first is not None  # noqa: S101 - the first face opened or an error was raised
    return first
