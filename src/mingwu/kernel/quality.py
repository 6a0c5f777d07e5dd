"""The quality byte: every stored point carries one.

Layout (ours, one byte so that a column of it costs next to nothing):

====  =======  =====================================================================
bits  mask     meaning
====  =======  =====================================================================
7-6   ``0xC0`` status: 11 good, 01 uncertain, 00 bad (the positions of OPC DA's field)
5     ``0x20`` simulated. Set by the driver of a device declared simulated; no stage
               after it may clear the bit, so it reaches screen and printed page
4-0   ``0x1F`` reason, :class:`Reason`
====  =======  =====================================================================
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

STATUS_MASK = 0xC0
GOOD = 0xC0
UNCERTAIN = 0x40
BAD = 0x00
SIMULATED = 0x20
REASON_MASK = 0x1F

Qualities = npt.NDArray[np.uint8]


class Reason(IntEnum):
    """Why a point is not plainly good. Values are stored: append, never renumber."""

    NONE = 0
    NOT_CONNECTED = 1
    DEVICE_FAILURE = 2
    TIMEOUT = 3
    MALFORMED = 4
    OUT_OF_RANGE = 5
    NOT_A_NUMBER = 6
    BAD_ADDRESS = 7
    ACCESS_DENIED = 8
    OUT_OF_SERVICE = 9
    LAST_KNOWN = 10
    TIME_SUSPECT = 11
    SERVER_STATUS = 12
    INITIALISING = 13
    SUBSTITUTED = 14
    BUSY = 15
    CONVERSION = 16


def bad(reason: Reason) -> int:
    """The byte for a bad point."""
    return BAD | reason


def uncertain(reason: Reason) -> int:
    """The byte for an uncertain point."""
    return UNCERTAIN | reason


def status_name(quality: int) -> str:
    """``good``, ``uncertain`` or ``bad``."""
    return {GOOD: "good", UNCERTAIN: "uncertain"}.get(quality & STATUS_MASK, "bad")


def reason_of(quality: int) -> Reason:
    """The reason field; an unassigned number reads as DEVICE_FAILURE."""
    try:
        return Reason(quality & REASON_MASK)
    except ValueError:
        return Reason.DEVICE_FAILURE


def is_simulated(quality: int) -> bool:
    """Whether the simulated mark is set."""
    return bool(quality & SIMULATED)


def good_mask(quality: Qualities) -> npt.NDArray[np.bool_]:
    """Boolean column: status is good."""
    mask: npt.NDArray[np.bool_] = (quality & STATUS_MASK) == GOOD
    return mask
