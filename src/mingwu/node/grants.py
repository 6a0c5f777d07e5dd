"""Grants of the enterprise node for the resolver: read where the web processes write them.

The tables are opened when the first proven identity asks for a restricted value, in the worker
thread. A database that is not there grants nothing: such a question is refused, logged once, and
asked again after a while; public values resolve meanwhile as always.
"""

import logging
import time
from typing import TYPE_CHECKING

from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config
from mingwu.wire.handle.values import Reference

if TYPE_CHECKING:
    from mingwu.identity.enterprise.service import EnterpriseNode

log = logging.getLogger(__name__)

_AGAIN_S = 10.0
_NONE: frozenset[int] = frozenset()


class EnterpriseGrants:
    """Implements ``identity.access.administration.ReadGrants``. Used by one thread."""

    def __init__(self, config: Config, store: RecordStore) -> None:
        self._settings = config.enterprise
        self._store = store
        self._node: EnterpriseNode | None = None
        self._not_before = 0.0

    def readable_by(self, name: str, who: Reference) -> frozenset[int]:
        """Indexes granted to ``who``; empty while the tables cannot be read."""
        if time.monotonic() < self._not_before:
            return _NONE
        try:
            if self._node is None:
                self._node = self._open()
            return self._node.readable_by(name, who)
        except MingwuError as error:
            if not self._not_before:
                log.warning("grants=unreadable code=%s %s", error.code, error)
            self._not_before = time.monotonic() + _AGAIN_S
            return _NONE

    def _open(self) -> "EnterpriseNode":
        from mingwu.identity.enterprise.service import EnterpriseNode
        from mingwu.store.engine import open_engine

        # The web processes own the tables and bring them up to date; here they are only read.
        return EnterpriseNode(open_engine(self._settings.store), self._store, self._settings)

    def close(self) -> None:
        """Give the connections back."""
        if self._node:
            self._node.close()
            self._node = None
