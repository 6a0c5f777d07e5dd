"""The binary schemes: headers, field widths, partition tables (TDS 1.13 §14, 2.0 §14).

Older schemes split company prefix and reference by a partition value that stands for the length
of the company prefix. The '+' schemes of TDS 2.0 carry the key as digits and need no length.
"""

from typing import NamedTuple

from mingwu.kernel.errors import InvalidInput
from mingwu.wire.epc import errors as _texts  # noqa: F401 - registers the texts

LONGEST_PREFIX, SHORTEST_PREFIX = 12, 6
PREFIX_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
"""Digits of the company prefix: bits of its field."""


class Kind(NamedTuple):
    """A kind of key: AI, digits of prefix and reference together, AI of a serial of its own.

    ``reference`` 0: as many as its field takes.
    """

    name: str
    ai: str
    digits: int
    serial_ai: str = ""


KINDS = {
    one.name: one
    for one in (
        Kind("sgtin", "01", 13, "21"),
        Kind("sscc", "00", 17),
        Kind("sgln", "414", 12, "254"),
        Kind("grai", "8003", 12),
        Kind("giai", "8004", 0),
        Kind("gsrn", "8018", 17),
        Kind("gsrnp", "8017", 17),
        Kind("gdti", "253", 12),
        Kind("sgcn", "255", 12),
        Kind("cpi", "8010", 0, "8011"),
        Kind("itip", "8006", 13, "21"),
    )
}


class Scheme(NamedTuple):
    """An older scheme. ``pair``: bits of prefix and reference together. ``serial``: how it is
    written: i number, s 7-bit string, n number behind a one, empty none. ``tail``: zeros behind.
    """

    name: str
    kind: str
    header: int
    pair: int
    serial: str = ""
    serial_bits: int = 0
    tail: int = 0


class Plus(NamedTuple):
    """A '+' scheme."""

    name: str
    kind: str
    header: int
    dated: bool = False


SCHEMES = {
    one.name: one
    for one in (
        Scheme("sgtin-96", "sgtin", 0x30, 44, "i", 38),
        Scheme("sgtin-198", "sgtin", 0x36, 44, "s", 140),
        Scheme("sscc-96", "sscc", 0x31, 58, tail=24),
        Scheme("sgln-96", "sgln", 0x32, 41, "i", 41),
        Scheme("sgln-195", "sgln", 0x39, 41, "s", 140),
        Scheme("grai-96", "grai", 0x33, 44, "i", 38),
        Scheme("grai-170", "grai", 0x37, 44, "s", 112),
        Scheme("giai-96", "giai", 0x34, 82),
        Scheme("giai-202", "giai", 0x38, 188),
        Scheme("gsrn-96", "gsrn", 0x2D, 58, tail=24),
        Scheme("gsrnp-96", "gsrnp", 0x2E, 58, tail=24),
        Scheme("gdti-96", "gdti", 0x2C, 41, "i", 41),
        Scheme("gdti-174", "gdti", 0x3E, 41, "s", 119),
        Scheme("sgcn-96", "sgcn", 0x3F, 41, "n", 41),
        Scheme("cpi-96", "cpi", 0x3C, 51, "i", 31),
        Scheme("cpi-var", "cpi", 0x3D, 0, "i", 40),
        Scheme("itip-110", "itip", 0x40, 44, "i", 38),
        Scheme("itip-212", "itip", 0x41, 44, "s", 140),
    )
}
PLUS = {
    one.name: one
    for one in (
        Plus("cpi+", "cpi", 0xF0),
        Plus("grai+", "grai", 0xF1),
        Plus("sgln+", "sgln", 0xF2),
        Plus("itip+", "itip", 0xF3),
        Plus("gsrn+", "gsrn", 0xF4),
        Plus("gsrnp+", "gsrnp", 0xF5),
        Plus("gdti+", "gdti", 0xF6),
        Plus("sgtin+", "sgtin", 0xF7),
        Plus("sgcn+", "sgcn", 0xF8),
        Plus("sscc+", "sscc", 0xF9),
        Plus("giai+", "giai", 0xFA),
        Plus("dsgtin+", "sgtin", 0xFB, dated=True),
    )
}
GID = "gid-96"
GID_HEADER = 0x35
GID_BITS = (28, 24, 36)
"""Manager number, object class, serial."""

BY_HEADER: dict[int, Scheme | Plus] = {
    **{one.header: one for one in SCHEMES.values()},
    **{one.header: one for one in PLUS.values()},
}
ALL_NAMES = (*SCHEMES, *PLUS, GID)


def find(name: str) -> Scheme | Plus:
    """The scheme of this name; raises InvalidInput ``epc.scheme``."""
    found = SCHEMES.get(name.lower()) or PLUS.get(name.lower())
    if found is None:
        raise InvalidInput("epc.scheme", scheme=name[:40], known=", ".join(ALL_NAMES))
    return found
