"""QR codes as SVG, drawn in the current text colour on a white card."""

import io
from functools import lru_cache
from html import escape

import segno


@lru_cache(maxsize=512)
def qr_svg(text: str, label: str) -> str:
    """An SVG of the QR code of ``text`` (error correction M, quiet zone of 4 modules)."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", border=4, xmldecl=False, svgns=True, omitsize=True, dark="#101417")
    svg = out.getvalue().decode()
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
