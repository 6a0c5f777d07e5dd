"""The events of carriers: attacks refused, warnings, milestones.

Events with the same carrier, cause and sender within ``collapse_s`` are one row that counts, so
that nobody fills the store by being refused often.
"""

import logging
from typing import Any

from sqlalchemy import Connection, insert, select, update

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.model import Severity
from mingwu.identity.carriers.rows import next_number, text
from mingwu.store.engine import lock

log = logging.getLogger(__name__)

ATTACKS = frozenset(
    {
        "carriers.cloned",
        "carriers.diverged",
        "carriers.replayed",
        "carriers.stale-counter",
        "carriers.wrong-signature",
        "carriers.wrong-identifier",
        "carriers.wrong-secret",
    }
)
REFUSALS = ATTACKS | {
    "carriers.unknown-serial",
    "carriers.certificate-expired",
    "carriers.certificate-untrusted",
    "carriers.clock",
    "carriers.suspended",
    "carriers.quarantined",
    "carriers.revoked",
}
LOCK = "carriers"
_E = schema.event


def severity_of(code: str) -> Severity:
    """How loud a code is."""
    if code in ATTACKS:
        return Severity.ATTACK
    quiet = {
        "carriers.registered",
        "carriers.written-back",
        "carriers.order-applied",
        "carriers.returned",
        "carriers.resumed",
        "carriers.replaced",
        "carriers.renewed",
    }
    return Severity.INFO if code in quiet else Severity.WARNING


def note(
    connection: Connection,
    code: str,
    serial: str,
    now_ms: int,
    *,
    collapse_ms: int = 0,
    address: str = "",
    evidence: str = "",
    **detail: Any,
) -> bool:
    """Write an event inside the caller's transaction, or count it with the last like it.

    Whether it became a row of its own.
    """
    lock(connection, LOCK)
    if collapse_ms:
        last = connection.execute(
            select(_E.c.number, _E.c.times)
            .where(_E.c.serial == serial, _E.c.code == code, _E.c.address == address)
            .where(_E.c.at_ms > now_ms - collapse_ms)
            .order_by(_E.c.number.desc())
            .limit(1)
        ).first()
        if last is not None:
            changed = {"last_ms": now_ms, "times": last.times + 1}
            connection.execute(update(_E).where(_E.c.number == last.number).values(changed))
            return False
    severity = severity_of(code)
    connection.execute(
        insert(_E).values(
            number=next_number(connection, _E),
            serial=serial,
            code=code,
            severity=severity.value,
            address=address,
            detail=text({"serial": serial, **detail}),
            evidence=evidence,
            at_ms=now_ms,
            last_ms=now_ms,
            times=1,
        )
    )
    if severity is not Severity.INFO:
        log.warning("carrier event serial=%s code=%s address=%s", serial, code, address)
    return True
