"""Handles: ``prefix/suffix`` of the Handle System, DOIs (prefix 10.…) among them.

Grammar and folding are ``kernel.names``: NFC, ASCII letters without case. Written forms accepted:
bare, ``hdl:``, ``doi:``, ``info:hdl/``, and the addresses of the public proxies
(``https://hdl.handle.net/…``, ``https://doi.org/…``), which is what most symbols carry. National
prefixes (88., 86.) belong to ``codes.vaa``.
"""

import re
from urllib.parse import unquote

from mingwu.identity.codes.code import Code, fault_of
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold, parse

SYSTEM = "handle"
_SCHEME = re.compile(r"(?i)(?:hdl|doi):|info:(?:hdl|doi)/")
_PROXY = re.compile(
    r"(?i)https?://(?:hdl\.handle\.net|(?:www\.|dx\.)?doi\.org)/(?:api/handles/)?([^?#]+)"
)


def bare(text: str) -> str:
    """The name in any of its written forms; other texts as they are."""
    if proxied := _PROXY.match(text):
        return unquote(proxied[1], errors="replace")
    marked = _SCHEME.match(text)
    return text[marked.end() :] if marked else text


def recognise(text: str) -> Code | None:
    """Read a handle; None without a slash or with an address scheme in front."""
    name = bare(text)
    prefix, slash, suffix = name.partition("/")
    if not slash or not prefix or ":" in prefix or prefix.startswith(("(", "86.", "88.")):
        return None
    kind = "doi" if prefix.startswith("10.") else "handle"
    parts = (("prefix", prefix), ("suffix", suffix))
    try:
        parse(name)
    except InvalidInput as error:
        return Code(SYSTEM, kind, fold(name), parts, fault_of(error))
    return Code(SYSTEM, kind, fold(name), parts)
