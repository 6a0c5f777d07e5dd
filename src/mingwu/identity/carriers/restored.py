"""What the platform must do differently because its database was put back to an earlier state.

Carriers went on meanwhile: the link each shows next is one that this database never saw, as that
of a copied carrier would be. The chain of each begins anew with its next report, as after a
quarantine; counters still only grow, and every report still answers a fresh challenge.
"""

from sqlalchemy import update

from mingwu.identity.carriers import migrations, schema
from mingwu.store.engine import open_engine, writing
from mingwu.store.migrate import migrate
from mingwu.store.settings import StoreSettings

COMPONENT = "identity.carriers"


def note(store: StoreSettings) -> int:
    """Tell the database of a stopped platform; returns how many carriers it has."""
    engine = open_engine(store)
    try:
        migrate(engine, COMPONENT, migrations)
        with writing(engine) as connection:
            anew = update(schema.unit).values(link="", previous_link="")
            return connection.execute(anew).rowcount
    finally:
        engine.dispose()
