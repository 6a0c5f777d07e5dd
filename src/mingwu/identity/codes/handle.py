"""Handles: ``prefix/suffix`` of the Handle System, DOIs (prefix 10.…) among them.

Grammar and folding are ``kernel.names``: NFC, ASCII letters without case. Written forms accepted:
bare, ``hdl:``, ``doi:``. National prefixes (88., 86.) belong to ``codes.vaa``.
"""

from mingwu.identity.codes.code import Code, fault_of
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold, parse

SYSTEM = "handle"


def recognise(text: str) -> Code | None:
    """Read a handle; None without a slash or with an address scheme in front."""
    bare = text[4:] if text[:4].lower() in {"hdl:", "doi:"} else text
    prefix, slash, suffix = bare.partition("/")
    if not slash or not prefix or ":" in prefix or prefix.startswith(("(", "86.", "88.")):
        return None
    kind = "doi" if prefix.startswith("10.") else "handle"
    parts = (("prefix", prefix), ("suffix", suffix))
    try:
        parse(bare)
    except InvalidInput as error:
        return Code(SYSTEM, kind, fold(bare), parts, fault_of(error))
    return Code(SYSTEM, kind, fold(bare), parts)
