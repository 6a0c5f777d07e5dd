"""The status board: the last status document of every part, and whether it still speaks.

Parts publish one JSON document a second on ``mw.status.<role>.<name>``. The board keeps the last
one of each and hands changes to the live hub as the documents ``status`` (one line per part) and
``gateway.<name>`` (the whole document). A part that was silent for ``LOST_S`` is shown as lost.
"""

import logging
from typing import Any, Protocol

import msgspec

from mingwu.kernel.clock import Clock, SystemClock

log = logging.getLogger(__name__)

LOST_S = 5.0


class Publishes(Protocol):
    """The hub's half that takes documents."""

    def publish(self, name: str, document: object) -> None: ...


class PartStatus(msgspec.Struct, kw_only=True):
    """One part of the platform as last heard."""

    role: str
    name: str
    seen_ns: int
    age_s: float = 0.0
    lost: bool = False
    document: dict[str, Any] = {}


class StatusBoard:
    """Keeps status documents. All methods run on the event loop."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._parts: dict[tuple[str, str], PartStatus] = {}
        self._hub: Publishes | None = None

    def attach(self, hub: Publishes) -> None:
        """Forward documents to the live hub from now on."""
        self._hub = hub

    def apply(self, role: str, name: str, document: dict[str, Any]) -> None:
        """A document arrived."""
        known = self._parts.get((role, name))
        if known is None:
            log.info("status part=%s name=%s state=first-heard", role, name)
        elif known.lost:
            log.info("status part=%s name=%s state=back", role, name)
        self._parts[role, name] = PartStatus(
            role=role, name=name, seen_ns=self._clock.time_ns(), document=document
        )
        if self._hub is not None:
            self._hub.publish(f"{role}.{name}", document)

    def parts(self, role: str = "") -> list[PartStatus]:
        """Parts by role and name, with their ages as of now."""
        now = self._clock.time_ns()
        rows = []
        for (part_role, _), part in sorted(self._parts.items()):
            if role and part_role != role:
                continue
            part.age_s = max(0.0, (now - part.seen_ns) / 1e9)
            lost = part.age_s > LOST_S
            if lost and not part.lost:
                log.warning("status part=%s name=%s state=lost", part.role, part.name)
            part.lost = lost
            rows.append(part)
        return rows

    def get(self, role: str, name: str) -> PartStatus | None:
        """One part, or None if it was never heard."""
        return next((part for part in self.parts(role) if part.name == name), None)

    def publish_summary(self) -> None:
        """Send the one-line-per-part document ``status`` to the hub."""
        if self._hub is not None:
            self._hub.publish(
                "status",
                [
                    {
                        "role": part.role,
                        "name": part.name,
                        "age_s": round(part.age_s, 1),
                        "lost": part.lost,
                        "points_per_s": part.document.get("reported_per_s", 0),
                    }
                    for part in self.parts()
                ],
            )
