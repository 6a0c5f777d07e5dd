"""EPCs as a segment of a Digital Link: ``eh`` + hexadecimal, or ``ex`` + base64url.

GS1's compression for EPC binary strings 1.0 (Resolver 1.2 §2.3 has resolvers read it): the tag's
memory travels in the path and means the same as the link written out. Modelled on public
descriptions; the two worked examples of that standard are among the tests. Data behind a '+'
EPC are not read, so a segment that carries them is refused rather than half understood.
"""

import re

from mingwu.kernel.catalogue import Phrase
from mingwu.wire.bitstring import number
from mingwu.wire.epc.binary import decode, to_hex
from mingwu.wire.epc.bits import BASE64, malformed
from mingwu.wire.gs1.elements import Elements

SEGMENT = re.compile("eh[0-9a-f]{4,}|ex[A-Za-z0-9_-]{3,}")


def elements_of(segment: str) -> Elements:
    """What the segment says; raises InvalidInput ``epc.…`` or ``gs1.…``."""
    if not SEGMENT.fullmatch(segment):
        raise malformed(segment, Phrase("neither eh… nor ex…", "既不是 eh… 也不是 ex…"))
    body = segment[2:]
    if segment.startswith("ex"):
        body = to_hex("".join(number(BASE64.index(char), 6) for char in body))
    epc = decode(body)
    if epc.rest or not epc.elements:
        raise malformed(
            segment,
            Phrase(
                "it has no Digital Link, or more than its key",
                "它没有 Digital Link，或含主键以外的内容",
            ),
        )
    return (*epc.elements, *((epc.date,) if epc.date else ()))


def segment_of(hexadecimal: str) -> str:
    """The ``eh`` form of EPC memory."""
    decode(hexadecimal)
    return "eh" + hexadecimal.lower()
