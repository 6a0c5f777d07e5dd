"""Taking over a report: the checks behind the signature, and what it changes, in one transaction.

A report is accepted when its identifier is the registered one, its clock is near, its counter
grows and its ``link`` is that of the last receipt (or, when the receipt was lost, of the one the
last report showed). Each accepted report makes link = SHA-256(link shown ‖ report digest), so two
holders of one key part ways at once, and the platform sees it: the carrier is quarantined.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from mingwu.identity.carrierlive import MOST_READINGS
from mingwu.identity.carriers import schema
from mingwu.identity.carriers.events import note
from mingwu.identity.carriers.fence import judge
from mingwu.identity.carriers.frames import Order, Report, Sample
from mingwu.identity.carriers.model import Blocked, Origin, Unit
from mingwu.identity.carriers.rows import base64_of, order_of, text
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, Denied, InvalidInput, MingwuError, PeerError

_NS_PER_MS = 1_000_000
_PRUNE_EVERY = 64
_HOUR_MS = 3_600_000
_ORDERS_AT_ONCE = 16
WAITING, SENT = "waiting", "sent"


@dataclass(frozen=True, slots=True)
class Upload:
    """A report with what the platform knows about its coming."""

    body: Report
    frame: bytes
    digest: str
    certificate: bytes
    address: str
    now_ns: int

    @property
    def now_ms(self) -> int:
        return self.now_ns // _NS_PER_MS

    @property
    def link(self) -> bytes:
        """The link that the next report must show."""
        return hashlib.sha256(self.body.link + bytes.fromhex(self.digest)).digest()


def fault_of(unit: Unit, upload: Upload, window_ns: int) -> MingwuError | None:
    """Why a report is refused, or None."""
    body, serial = upload.body, unit.serial
    if body.identifier != unit.identifier or not unit.identifier:
        return Conflict(
            "carriers.wrong-identifier",
            serial=serial, shown=body.identifier, registered=unit.identifier,
        )  # fmt: skip
    newest = max((sample.time_ns for sample in body.samples), default=body.time_ns)
    off = max(abs(body.time_ns - upload.now_ns), newest - upload.now_ns)
    if off > window_ns:
        return InvalidInput("carriers.clock", serial=serial, off_s=round(off / 1e9))
    if body.counter <= unit.counter:
        return Conflict(
            "carriers.stale-counter", serial=serial, counter=body.counter, known=unit.counter
        )
    if unit.link and body.link.hex() not in (unit.link, unit.previous_link):
        return Denied("carriers.diverged", serial=serial)
    sequences = [sample.sequence for sample in body.samples]
    if any(later <= earlier for earlier, later in pairwise(sequences)):
        return PeerError("carriers.malformed", fault=Phrase("samples out of order", "样本次序错误"))
    return None


def accept(connection: Connection, unit: Unit, upload: Upload, keep: int) -> tuple[Sample, ...]:
    """Store an accepted report; the samples that are new."""
    body = upload.body
    fresh = tuple(sample for sample in body.samples if sample.sequence > unit.sequence)
    simulated = unit.simulated or body.simulated
    changes: dict[str, Any] = {
        "counter": body.counter,
        "link": upload.link.hex(),
        "previous_link": body.link.hex(),
        "address": upload.address,
        "first_reported_ms": unit.first_reported_ms or upload.now_ms,
        "reported_ms": upload.now_ms,
        "reports": unit.reports + 1,
        "samples": unit.samples + len(fresh),
        "dropped": max(unit.dropped, body.dropped),
        "simulated": simulated,
    }
    if fresh:
        changes["sequence"] = fresh[-1].sequence
        changes["sampled_ms"] = fresh[-1].time_ns // _NS_PER_MS
        changes["content"] = text(_merged(unit.content, fresh))
        origins = _origins(unit, upload, fresh)
        changes["measured"] = text(origins)
        _tell_too_many(connection, unit, upload, fresh)
        changes["is_outside"] = _watch_fence(connection, unit, upload, fresh)
    connection.execute(
        insert(schema.report).values(
            digest=upload.digest,
            serial=unit.serial,
            counter=body.counter,
            at_ms=upload.now_ms,
            frame=base64_of(upload.frame),
            certificate=base64_of(upload.certificate),
        )
    )
    where = schema.unit.c.serial == unit.serial
    connection.execute(update(schema.unit).where(where).values(changes))
    if body.counter % _PRUNE_EVERY == 0:
        shown = {origin.digest for origin in (origins if fresh else unit.measured).values()}
        _prune(connection, unit.serial, body.counter - keep, shown)
    return fresh


def _merged(content: Mapping[str, float | str], fresh: Iterable[Sample]) -> dict[str, float | str]:
    """The last value of every reading; each keeps the place it got first."""
    merged = dict(content)
    for sample in fresh:
        merged.update(sample.readings)
    return dict(islice(merged.items(), MOST_READINGS))


def _origins(unit: Unit, upload: Upload, fresh: Iterable[Sample]) -> dict[str, Origin]:
    origins = dict(unit.measured)
    for sample in fresh:
        came = Origin(sample.time_ns, upload.body.counter, upload.digest)
        origins.update(dict.fromkeys(sample.readings, came))
    return dict(islice(origins.items(), MOST_READINGS))


def _tell_too_many(
    connection: Connection, unit: Unit, upload: Upload, fresh: Iterable[Sample]
) -> None:
    """A carrier that invents ever new readings is told of; those it had first are kept."""
    names = set(unit.content).union(*(sample.readings for sample in fresh))
    if len(names) > MOST_READINGS:
        note(
            connection, "carriers.too-many-readings", unit.serial, upload.now_ms,
            collapse_ms=_HOUR_MS, address=upload.address, most=MOST_READINGS,
        )  # fmt: skip


def quarantine(connection: Connection, serial: str) -> None:
    """Hold a carrier back whose key is used twice; its chain starts anew when it is resumed."""
    connection.execute(
        update(schema.unit)
        .where(schema.unit.c.serial == serial)
        .values(blocked=Blocked.QUARANTINED.value, link="", previous_link="")
    )


def orders_for(connection: Connection, serial: str, now_ms: int) -> tuple[Order, ...]:
    """What is to be done and not acknowledged yet, oldest first; marked as sent."""
    table = schema.order
    rows = connection.execute(
        select(table)
        .where(table.c.serial == serial, table.c.state.in_((WAITING, SENT)))
        .order_by(table.c.number)
        .limit(_ORDERS_AT_ONCE)
    ).all()
    known = [order_of(row) for row in rows]
    if known:
        numbers = [one.number for one in known]
        connection.execute(
            update(table).where(table.c.number.in_(numbers)).values(state=SENT, sent_ms=now_ms)
        )
    return tuple(Order(one.number, one.kind, one.version, one.content) for one in known)


def _watch_fence(
    connection: Connection, unit: Unit, upload: Upload, fresh: Iterable[Sample]
) -> bool:
    """Tell once that the thing works outside, and once that it is back."""
    if unit.fence is None:
        return False
    crossing = judge(unit.fence, unit.content, fresh)
    if crossing.worked and not unit.is_outside:
        note(
            connection, "carriers.left-fence", unit.serial, upload.now_ms,
            address=upload.address, evidence=upload.digest, identifier=unit.identifier,
            distance_m=crossing.distance_m, radius_m=round(unit.fence.radius_m),
            holder=unit.holder,
        )  # fmt: skip
    if unit.is_outside and not crossing.is_outside:
        note(
            connection, "carriers.returned", unit.serial, upload.now_ms,
            address=upload.address, evidence=upload.digest, identifier=unit.identifier,
        )  # fmt: skip
    return crossing.worked or (unit.is_outside and crossing.is_outside)


def _prune(connection: Connection, serial: str, below: int, shown: Collection[str]) -> None:
    """Forget old reports, except those that prove an event or a reading that is shown."""
    table = schema.report
    proving = select(schema.event.c.evidence).where(schema.event.c.serial == serial)
    connection.execute(
        delete(table).where(
            table.c.serial == serial,
            table.c.counter <= below,
            table.c.digest.not_in(proving),
            table.c.digest.not_in(shown),
        )
    )
