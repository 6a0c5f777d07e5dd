"""Reading symbols from a picture, and the names that what was read leads to.

A picture is refused by bytes and, before it is unpacked, by pixels; only the formats that cameras
and browsers make are opened, only their first frame. GS1 symbols give an element string as scanned
(FNC1 as GS, symbology identifier in front), so brackets within data cannot be mistaken. The text
may be a name, the address of a thing's page on any host, or a code of any system; a serialised
GS1 key that nobody carries leads to its class, marked as not exact.
"""

import io
import struct

import msgspec
import numpy as np
import zxingcpp
from PIL import Image

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.codes.code import Code
from mingwu.identity.codes.recognition import recognise, without_identifier
from mingwu.identity.marking import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.marking.contents import name_in_url
from mingwu.identity.marking.filling import is_simulated
from mingwu.identity.records import RecordStore
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1.elements import parse, written

_PICTURES = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_LONGEST = 4096  # pixels of the longer edge that the decoder sees
_MOST_SYMBOLS = 64
_F = zxingcpp.BarcodeFormat
_FORMATS = zxingcpp.BarcodeFormats([
    _F.QRCode, _F.MicroQRCode, _F.RMQRCode, _F.DataMatrix, _F.Aztec, _F.PDF417,
    _F.Code128, _F.Code39, _F.Code93, _F.EANUPC, _F.ITF, _F.DataBar,
])  # fmt: skip
# What Pillow's readers raise on data that is no picture after all.
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError,
           OverflowError, struct.error, Image.DecompressionBombError)  # fmt: skip


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol in a picture; ``corners`` clockwise from its upper left, 0-1 of the picture."""

    symbology: str
    text: str
    gs1: bool = False
    corners: tuple[tuple[float, float], ...] = ()

    @property
    def shown(self) -> str:
        """The text as people read it: brackets around AIs."""
        if not self.gs1:
            return self.text
        try:
            return written(parse(self.text))
        except InvalidInput:
            return self.text[3:].replace("\x1d", " ")


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A name that what was read leads to; not ``exact`` when it is only the class."""

    name: str
    label_zh: str = ""
    label_en: str = ""
    kind: str = ""
    simulated: bool = False
    exact: bool = True


def decode(data: bytes, *, most_bytes: int, most_pixels: int) -> list[Seen]:
    """The symbols of a picture. Blocks; raises InvalidInput ``marking.image-…``."""
    image = _open(data, most_bytes, most_pixels)
    try:
        image.draft("L", (_LONGEST, _LONGEST))  # JPEG unpacks to a fraction right away
        grey = _grey(image)
        grey.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BOX)
    except _FAULTS as error:
        raise _unreadable(error) from error
    found = zxingcpp.read_barcodes(
        np.asarray(grey), formats=_FORMATS, text_mode=zxingcpp.TextMode.Plain
    )
    return [_seen(one, grey.width, grey.height) for one in found[:_MOST_SYMBOLS]]


def _open(data: bytes, most_bytes: int, most_pixels: int) -> Image.Image:
    if len(data) > most_bytes:
        raise InvalidInput("marking.image-too-large", limit=f"{most_bytes} B")
    try:
        image = Image.open(io.BytesIO(data), formats=_PICTURES)
    except Image.DecompressionBombError as error:
        raise InvalidInput("marking.image-too-large", limit=f"{most_pixels} px") from error
    except _FAULTS as error:
        raise _unreadable(error) from error
    if image.width * image.height > most_pixels:
        raise InvalidInput("marking.image-too-large", limit=f"{most_pixels} px")
    return image


def _grey(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("L")
    return image.convert("L")


def _unreadable(error: BaseException) -> InvalidInput:
    # Pillow's words for unknown data name an object in memory
    fault = (
        Phrase("no known format", "格式未知")
        if "cannot identify" in str(error)
        else str(error)[:100]
    )
    return InvalidInput("marking.image-unreadable", fault=fault)


def _seen(found: zxingcpp.Barcode, width: int, height: int) -> Seen:
    gs1 = found.content_type == zxingcpp.ContentType.GS1
    text = found.text
    if gs1:
        text = found.symbology_identifier + found.bytes.decode("latin-1")
    place = found.position
    corners = tuple(
        (round(point.x / width, 4), round(point.y / height, 4))
        for point in (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    )
    return Seen(symbology=str(found.format), text=text, gs1=gs1, corners=corners)


def reading_of(text: str) -> Code | None:
    """The code a text is, the address of a thing's page included."""
    plain = without_identifier(text)
    return recognise(name_in_url(plain) or plain)


def things_of(store: RecordStore, text: str) -> list[Thing]:
    """The names that a text read from a symbol leads to; empty when nobody carries it."""
    code = reading_of(text)
    if code is None or not code.ok:
        return []
    book = AliasBook(store)
    names = book.names_of(code)
    exact = True
    while not names and (code := _less_exact(code)) is not None:
        exact = False
        names = book.names_of(code)
    found: list[Thing] = []
    for name in names:
        record = store.get(name)
        if record is None:
            continue
        texts = {value.type: value.text() for value in record.values if value.is_public}
        found.append(
            Thing(
                name=record.name,
                label_zh=texts.get("DESC.zh", ""),
                label_en=texts.get("DESC.en", ""),
                kind=texts.get("MW.KIND", ""),
                simulated=is_simulated(record),
                exact=exact,
            )
        )
    return found


def _less_exact(code: Code) -> Code | None:
    """A GS1 code without its last qualifier; None where there is none."""
    stem, _, _ = code.canonical.rpartition("/")
    shorter = stem.rpartition("/")[0]
    if code.system != "gs1" or "/" not in shorter:
        return None
    return recognise(shorter)
