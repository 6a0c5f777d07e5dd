"""QR codes on pages, drawn by the house's one maker of symbols."""

from functools import lru_cache

from mingwu.identity.marking.drawings import svg
from mingwu.identity.marking.symbols import Symbology, make_symbol


@lru_cache(maxsize=512)
def qr_svg(text: str, label: str) -> str:
    """An SVG of the QR code of ``text`` (error correction M, quiet zone of 4 modules)."""
    return svg(make_symbol(Symbology.QR, text), label=label, scalable=True)
