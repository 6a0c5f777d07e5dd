"""Units are UCUM codes (case-sensitive), e.g. ``Cel``, ``bar``, ``mm/s``, ``kW.h``, ``1``, ``%``.

Only the grammar's shape is checked here; the display name comes from :data:`DISPLAY`.
"""

import re

_UCUM = re.compile(r"[A-Za-z0-9%\[\]_'{}*./+^-]{1,24}")

DISPLAY = {
    "Cel": "°C",
    "1": "",
    "um": "µm",
    "m3": "m³",
    "m3/h": "m³/h",
    "kW.h": "kWh",
    "N.m": "N·m",
    "deg": "°",
    "mL/min": "mL/min",
    "{rpm}": "rpm",
    "/min": "1/min",
    "{count}": "",
}


def is_ucum(code: str) -> bool:
    """Whether ``code`` has the shape of a UCUM expression."""
    return bool(_UCUM.fullmatch(code))


def display(code: str) -> str:
    """What a person reads beside the number."""
    return DISPLAY.get(code, code)
