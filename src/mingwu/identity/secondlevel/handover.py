"""A prefix on its way to another enterprise: what comes back when the top node says no.

Accepting a transfer gives the prefix to the new holder at once; what it was before is kept here (a
mark per prefix) until the top node has decided. While it is kept, nothing else can be applied for
about the prefix: the top node would refuse it, and there would be two truths to go back to.
"""

import msgspec
from sqlalchemy import Connection, delete

from mingwu.identity.secondlevel import outbox, schema
from mingwu.identity.secondlevel.model import Mode, PrefixRow, SiteForm

TOP_NODE = "top-level-node"
"""Who decided, in an application's history."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The application that passes the prefix on, and who held it how."""

    application: str
    uscc: str
    mode: Mode
    site: SiteForm | None


def keep(connection: Connection, application: str, row: PrefixRow) -> None:
    """Keep what ``row`` says now (in the transaction that gives the prefix away)."""
    before = Before(application=application, uscc=row.uscc, mode=row.mode, site=row.site)
    outbox.set_mark(connection, _mark(row.prefix), msgspec.json.encode(before).decode())


def is_open(connection: Connection, prefix: str) -> bool:
    """Whether the top node has yet to decide about the prefix."""
    return bool(outbox.marked(connection, _mark(prefix)))


def take(connection: Connection, prefix: str) -> Before | None:
    """What was kept, no longer kept from here on; None when nothing is."""
    told = outbox.marked(connection, _mark(prefix))
    if not told:
        return None
    table = schema.mark
    connection.execute(delete(table).where(table.c.name == _mark(prefix)))
    return msgspec.json.decode(told, type=Before)


def _mark(prefix: str) -> str:
    return f"handover {prefix}"
