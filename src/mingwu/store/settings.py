"""Settings of the relational store."""

from mingwu.kernel.settings import Settings


class StoreSettings(Settings, frozen=True, kw_only=True):
    """Where rows live.

    ``url`` is an SQLAlchemy URL: ``sqlite:///FILE`` (default engine) or
    ``postgresql+DRIVER://…``; empty means the file the role chooses in its data directory.
    ``durable``: every commit waits for the disk (SQLite ``synchronous=FULL``); without it the last
    commits may be lost on power failure, never on a crash of the process.
    ``busy_s``: how long a writer waits for another one, seconds.
    ``pool``: connections kept open to a server database.
    """

    url: str = ""
    durable: bool = False
    busy_s: float = 10.0
    pool: int = 5
