"""What people at the carriers' desk look at: pages of carriers, marks of a map, a proof checked.

Reading only, and never counted as a discovery query: the operator's own looking is not use.
"""

import math
from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, or_, select

from mingwu.identity.carriers import evidence, schema
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.frames import Report
from mingwu.identity.carriers.frames import read as read_frame
from mingwu.identity.carriers.model import Fence, Unit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.rows import unit_of
from mingwu.identity.carriers.withholding import Withheld
from mingwu.kernel.catalogue import Phrase, render
from mingwu.kernel.errors import InvalidInput
from mingwu.store.engine import reading

_U = schema.unit
MOST_MARKS = 10_000
_INTERNAL = (
    "link", "previous_link", "content", "measured", "attributes", "fence", "resolved_ms",
)  # fmt: skip
_NO_FENCE = Fence(0.0, 0.0, 1.0)

ONLY: dict[str, ColumnElement[bool]] = {
    "registered": _U.c.registered_ms > 0,
    "silent": (_U.c.registered_ms > 0) & (_U.c.reported_ms == 0),
    "reported": _U.c.reported_ms > 0,
    "queried": _U.c.queried_ms > 0,
    "blocked": _U.c.blocked != "",
    "outside": _U.c.is_outside,
}


class CarrierDesk:
    """Rows for the console. Synchronous, for use in threads."""

    def __init__(self, platform: CarrierPlatform) -> None:
        self._platform = platform

    def page(
        self, *, q: str = "", only: str = "", lang: str = "en", offset: int = 0, limit: int = 25
    ) -> dict[str, object]:
        """A page of carriers by serial number, counts by fact, and whether each is trusted now.

        ``only``: one of :data:`ONLY`; raises InvalidInput for another.
        """
        query, count = select(_U).order_by(_U.c.serial), select(func.count()).select_from(_U)
        if only:
            if only not in ONLY:
                raise InvalidInput(
                    "input.invalid",
                    path="$.only",
                    fault=Phrase(f"one of {sorted(ONLY)}", f"应为下列之一：{sorted(ONLY)}"),
                )
            query, count = query.where(ONLY[only]), count.where(ONLY[only])
        if q:
            told = or_(*(column.contains(q, autoescape=True) for column in
                         (_U.c.serial, _U.c.identifier, _U.c.holder)))  # fmt: skip
            query, count = query.where(told), count.where(told)
        with reading(self._platform.engine) as connection:
            rows = [unit_of(row) for row in connection.execute(query.offset(offset).limit(limit))]
            total = connection.execute(count).scalar_one()
            facts = {
                name: connection.execute(
                    select(func.count()).select_from(_U).where(where)
                ).scalar_one()
                for name, where in ONLY.items()
            }
        return {
            "rows": [self._row(unit, lang) for unit in rows],
            "total": total,
            "counts": self._platform.counts() | facts,
        }

    def _row(self, unit: Unit, lang: str) -> dict[str, Any]:
        plain: dict[str, Any] = msgspec.to_builtins(unit)
        for internal in _INTERNAL:
            del plain[internal]
        return plain | self._standing(unit, lang) | {"has_place": _place(unit) is not None}

    def _standing(self, unit: Unit, lang: str) -> dict[str, object]:
        """What a discovery query would say now, without being one."""
        reason, detail = self._platform.distrust(unit)
        text = render(reason, lang, {"serial": unit.serial, **detail})[0] if reason else ""
        return {"trusted": not reason, "reason": reason, "reason_text": text}

    def marks(self, *, lang: str = "en", withheld: Withheld | None = None) -> dict[str, object]:
        """Every carrier with a position (WGS 84), the fences, and how many have no position.

        A position that is ``withheld`` counts as none.
        """
        with reading(self._platform.engine) as connection:
            query = select(_U).order_by(_U.c.serial).limit(MOST_MARKS)
            units = [unit_of(row) for row in connection.execute(query)]
            total = connection.execute(select(func.count()).select_from(_U)).scalar_one()
        marks, reasons = [], Counter[str]()
        fences: dict[tuple[float, float, float], dict[str, object]] = {}
        for unit in units:
            standing = self._standing(unit, lang)
            reasons[str(standing["reason"])] += 1
            fence = unit.fence
            if fence is not None:
                key = (fence.latitude, fence.longitude, fence.radius_m)
                fences.setdefault(
                    key, {"latitude": fence.latitude, "longitude": fence.longitude,
                          "radius_m": fence.radius_m, "holder": unit.holder}
                )  # fmt: skip
            place = _place(unit, withheld(unit) if withheld else frozenset())
            if place is None:
                continue
            marks.append(
                {"serial": unit.serial, "identifier": unit.identifier, "holder": unit.holder,
                 "latitude": place[0], "longitude": place[1], "sampled_ms": unit.sampled_ms,
                 "is_outside": unit.is_outside, "blocked": unit.blocked.value,
                 "simulated": unit.simulated}
                | standing
            )  # fmt: skip
        return {
            "marks": marks,
            "fences": list(fences.values()),
            "unplaced": len(units) - len(marks),
            "left_out": total - len(units),
            "reasons": reasons,
        }

    def proof(self, behind: int | str) -> dict[str, object]:
        """The signed message behind an event (its number) or a reading (the report's digest).

        Checked fact by fact with our authorities. ``verdict``: carrier (its own key signed it),
        stranger (signed, with another key: a copy) or broken. Raises NotFound
        ``carriers.no-event``, ``carriers.no-report``.
        """
        platform = self._platform
        found = platform.evidence(behind) if isinstance(behind, int) else platform.report(behind)
        told = evidence.checks(found, self._platform.access.anchors)
        body: dict[str, object] = {
            "verdict": "broken",
            "checks": told,
            "serial": found.serial,
            "digest": found.digest,
            "at_ms": found.at_ms,
            "bytes": len(found.frame),
        }
        if not told["kind"]:
            return body
        frame, certificate = read_frame(found.frame), read_certificate(found.certificate)
        told["key"] = certificate.key.key_id == self._platform.unit(found.serial).key_id
        if all(told.values()):
            body["verdict"] = "carrier"
        elif not told["key"] and all(told[one] for one in ("serial", "digest", "signature")):
            body["verdict"] = "stranger"
        message = frame.body
        body |= {
            "key_id": certificate.key.key_id,
            "kind": frame.kind.name.lower(),
            "identifier": getattr(message, "identifier", ""),
            "counter": message.counter if isinstance(message, Report) else 0,
        }
        return body


def _place(unit: Unit, withheld: frozenset[str] = frozenset()) -> tuple[float, float] | None:
    """Latitude and longitude of the last sample, if it had a believable position."""
    fence = unit.fence or _NO_FENCE
    if withheld & {fence.latitude_of, fence.longitude_of}:
        return None
    latitude = unit.content.get(fence.latitude_of)
    longitude = unit.content.get(fence.longitude_of)
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    inside = -90 <= latitude <= 90 and -180 <= longitude <= 180  # noqa: PLR2004 — degrees
    return (float(latitude), float(longitude)) if inside else None
