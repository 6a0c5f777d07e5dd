"""What a node must do differently because its database was put back to an earlier state.

The top node knows message and deposit numbers that this database does not: numbers go on behind the
moment of the restoring (ms since the epoch), a FULL deposit is due at once, and deposits that
still waited are dropped, for their files may be gone and the FULL one holds all of it. What was
changed since the copy began is projected again, for the copy of the records may lack it.
"""

from sqlalchemy import delete, select, update

from mingwu.identity.secondlevel import migrations, outbox, schema
from mingwu.identity.secondlevel.escrow import CHANNEL
from mingwu.store.engine import open_engine, writing
from mingwu.store.migrate import migrate
from mingwu.store.settings import StoreSettings

_I, _P, _O = schema.identifier, schema.prefix, schema.outbox
_MARGIN_MS = 60_000
COMPONENT = "identity.secondlevel"


def note(store: StoreSettings, began_ms: int, now_ms: int) -> int:
    """Tell the database of a stopped node; returns how many names are to be written again."""
    engine = open_engine(store)
    try:
        migrate(engine, COMPONENT, migrations)
        with writing(engine) as connection:
            outbox.set_mark(connection, outbox.RESTORED, str(now_ms))
            connection.execute(
                delete(_O).where(_O.c.channel == CHANNEL, _O.c.state == outbox.WAITING)
            )
            connection.execute(update(_P).values(projected=False))
            served = select(_P.c.prefix).where(_P.c.state == "active", _P.c.mode == "hosted")
            query = update(_I).where(_I.c.at_ms >= began_ms - _MARGIN_MS, _I.c.prefix.in_(served))
            return connection.execute(query.values(projected=False)).rowcount
    finally:
        engine.dispose()
