"""Users of other nodes: their keys are fetched from where they live, and checked.

A public key is taken from the user's record, a secret key is asked about at the node that holds it
(op 201, VERIFY_CHALLENGE). Both only by signed answers: the servers of the user's prefix are known
from the root down by signatures (``client.certified``), or, where the configured root has no
keys, by a prefix record that a configured trust anchor vouches for. What cannot be verified is
refused. Keys are kept for a minute, their absence for ten seconds; equal questions under way are
asked once; time, steps and the number of questions at once are bounded.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from mingwu.identity.access.authentication import PUBLIC_KEY, SECRET_KEY, proven
from mingwu.identity.access.elsewhere import Question
from mingwu.identity.client.certified import (
    KnownServer,
    Values,
    ask_certified,
    home_servers,
    is_prefix_record,
    known_servers,
    record_at_home,
    walk,
)
from mingwu.identity.client.root import Root, home_of
from mingwu.identity.lookup import prefix_of
from mingwu.kernel.errors import MingwuError
from mingwu.kernel.names import fold
from mingwu.wire.handle.bodies import Verified, VerifyChallenge
from mingwu.wire.handle.codes import Op, Rc
from mingwu.wire.handle.site import read_site

log = logging.getLogger(__name__)

_KEEP_S = 60.0
_KEEP_ABSENT_S = 10.0
_MOST_KEPT = 2000
_MOST_AT_ONCE = 64

RecordVerifier = Callable[[str, Values], Awaitable[bool]]
"""Whether a configured trust anchor vouches for a record."""


@dataclass(frozen=True, slots=True)
class _Home:
    """What is known of a user: the servers that speak for it, and its public keys."""

    servers: tuple[KnownServer, ...]
    keys: Values
    until: float


class ForeignIdentities:
    """Implements ``elsewhere.Verdicts``; lives on one event loop."""

    def __init__(
        self,
        root: Root,
        *,
        vouched: RecordVerifier | None = None,
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._vouched = vouched
        self._timeout_s = timeout_s
        self._clock = clock
        self._homes: dict[str, _Home] = {}
        self._under_way: dict[str, asyncio.Task[_Home]] = {}
        self._at_once = 0

    async def holds(self, question: Question) -> bool:
        """Whether the proof is good; False when that cannot be found out in time."""
        if self._at_once >= _MOST_AT_ONCE:
            log.warning("foreign who=%s refused=busy", question.who)
            return False
        self._at_once += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._holds(question)
        except (MingwuError, TimeoutError) as error:
            log.info("foreign who=%s fault=%r", question.who, error)
            return False
        finally:
            self._at_once -= 1

    async def _holds(self, question: Question) -> bool:
        home = await self._home(question.who.handle)
        kind = question.kind.upper()
        if kind == PUBLIC_KEY:
            index = question.who.index
            keys = [value for value in home.keys if index in {0, value.index}]
            return await asyncio.to_thread(
                proven, kind, question.proof, question.signed, keys, question.who.handle
            )
        return kind == SECRET_KEY and await self._verified_at(home.servers, question)

    async def _verified_at(self, servers: tuple[KnownServer, ...], question: Question) -> bool:
        """Op 201 at the node that holds the secret."""
        who = question.who
        body = VerifyChallenge(
            who.handle, who.index, question.nonce, question.digest, question.proof
        ).encode()
        for server in servers:
            with suppress(MingwuError):
                rc, answer = await ask_certified(
                    server, Op.VERIFY_CHALLENGE, body, timeout_s=self._timeout_s
                )
                if rc == Rc.SUCCESS and isinstance(answer, Verified):
                    return answer.valid
        return False

    async def _home(self, handle: str) -> _Home:
        """From what is kept, or asked for; who asks while another does waits for the same."""
        key = fold(handle)
        kept = self._homes.get(key)
        if kept is not None and kept.until > self._clock():
            return kept
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._find(handle))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _find(self, handle: str) -> _Home:
        async with asyncio.timeout(self._timeout_s):
            servers = await self._servers(prefix_of(handle))
            keys: Values = ()
            if is_prefix_record(handle) and self._root_has_keys:
                above = await walk(self._root, handle, timeout_s=self._timeout_s)
                keys = _public_keys(above.values) if above else ()
            if servers and not keys:
                record = await record_at_home(servers, handle, timeout_s=self._timeout_s)
                keys = _public_keys(record)
        keep_s = _KEEP_S if servers or keys else _KEEP_ABSENT_S
        home = _Home(servers, keys, self._clock() + keep_s)
        while len(self._homes) >= _MOST_KEPT:
            del self._homes[next(iter(self._homes))]
        self._homes[fold(handle)] = home
        return home

    @property
    def _root_has_keys(self) -> bool:
        return any(server.public_key for site in self._root.sites for server in site.servers)

    async def _servers(self, prefix: str) -> tuple[KnownServer, ...]:
        """The servers of a prefix, with keys that are vouched for; empty when nobody does."""
        if self._root_has_keys:
            return await home_servers(self._root, prefix, timeout_s=self._timeout_s)
        if self._vouched is None:
            return ()
        home = await home_of(self._root, prefix, transport="tcp", timeout_s=self._timeout_s)
        if not home.ok or not await self._vouched(home.handle, home.values):
            return ()
        sites = [read_site(value.data) for value in home.values if fold(value.type) == "HS_SITE"]
        return known_servers(sites, home.handle)


def _public_keys(values: Values) -> Values:
    return tuple(value for value in values if fold(value.type) == PUBLIC_KEY)
