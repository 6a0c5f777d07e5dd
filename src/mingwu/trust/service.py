"""Trust as one thing: accounts, sessions and the journal over one store."""

from typing import Self

from sqlalchemy import Engine

from mingwu.kernel.clock import Clock, SystemClock
from mingwu.store.engine import open_engine
from mingwu.store.migrate import migrate
from mingwu.trust import errors as _errors  # noqa: F401 — registers the texts
from mingwu.trust import migrations
from mingwu.trust.accounts import Accounts
from mingwu.trust.journal import Journal
from mingwu.trust.sessions import Sessions
from mingwu.trust.settings import TrustSettings


class Trust:
    """``accounts``, ``sessions`` and ``journal``; all synchronous, for use in threads."""

    def __init__(self, engine: Engine, settings: TrustSettings, clock: Clock) -> None:
        self._engine = engine
        self.sessions = Sessions(engine, settings.session, clock)
        self.accounts = Accounts(
            engine, settings.password, settings.login, clock, on_change=self.sessions.close_all
        )
        self.journal = Journal(engine, clock, digest=settings.journal_digest)

    @classmethod
    def open(cls, settings: TrustSettings, clock: Clock | None = None) -> Self:
        """Open the store and bring its tables up to date; errors as ``Registry.open``."""
        engine = open_engine(settings.store)
        migrate(engine, "trust", migrations)
        return cls(engine, settings, clock or SystemClock())

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()
