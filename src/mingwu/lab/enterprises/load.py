"""Who asks: a few clients, by the Handle protocol over real sockets, from addresses of their own.

Linux answers to every address of 127.0.0.0/8, so each client binds one and the node sees as many
clients as there are. Most ask for products of the hosted enterprises; some through the recursive
node; some follow an e-drive to the motor in it, which stands at another enterprise's own node; some
ask for what is not there. The tenant that registers much asks for its own names, nobody else does.
Where a system has 127.0.0.1 only, everything comes from there and counts as the operator's own.
"""

import asyncio
import logging
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from mingwu.identity.client.handleclient import Resolution, asking_from, resolve
from mingwu.identity.secondlevel.model import Mode
from mingwu.kernel.errors import Unavailable
from mingwu.lab.enterprises.settings import EnterpriseLabSettings
from mingwu.lab.enterprises.trade import E_DRIVE, Enterprise, enterprises, registers_much
from mingwu.wire.handle.errors import ProtocolError

log = logging.getLogger(__name__)

RECURSIVE_FROM: Final = "127.53.0.1"
OWNER_NETWORK: Final = "127.61.1.0/24"
_OWNER_FROM = "127.61.1.5"
_NETWORKS, _CLIENTS = 20, 3
CLIENTS: Final = tuple(
    f"127.60.{network}.{10 + client}"
    for network in range(1, _NETWORKS + 1)
    for client in range(_CLIENTS)
)
_TIMEOUT_S = 2.0
_MOST_UNDER_WAY = 64


def is_ours(address: str) -> bool:
    """Whether this machine may ask from an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class Load:
    """Asks until told to stop. ``asked`` counts questions by kind, ``failed`` those unanswered."""

    def __init__(self, settings: EnterpriseLabSettings, recursive: str) -> None:
        self._settings, self._recursive = settings, recursive
        all_ = enterprises(settings)
        self._much = registers_much(all_)
        self._hosted = [one for one in all_ if one.mode is Mode.HOSTED and one is not self._much]
        self._drives = [one for one in self._hosted if one.trade is E_DRIVE]
        self._chance = random.Random(settings.seed)
        self._clients, self._owner_from = CLIENTS, _OWNER_FROM
        if not is_ours(CLIENTS[0]):
            log.warning("clients=1: this system has no other loopback addresses")
            self._clients, self._owner_from = ("",), ""
        self.asked: Counter[str] = Counter()
        self.failed = 0
        self._kinds: Sequence[tuple[str, Callable[[], Awaitable[Resolution]], int]] = (
            ("client", self._client, 60),
            ("recursive", self._through_recursive, 15),
            ("chain", self._chain, 10),
            ("missing", self._missing, 5),
            ("owner", self._owner, 10),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Ask at the set rate; a slow answer holds nobody else up."""
        under_way: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            if len(under_way) < _MOST_UNDER_WAY:
                task = asyncio.create_task(self.turn())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.expovariate(self._settings.asked_per_s)):
                    await stop.wait()
        await asyncio.gather(*under_way)

    async def turn(self) -> None:
        """One question (or a chain of two)."""
        weights = [weight for *_, weight in self._kinds]
        kind, ask, _ = self._chance.choices(self._kinds, weights)[0]
        self.asked[kind] += 1
        try:
            await ask()
        except (Unavailable, ProtocolError) as error:
            self.failed += 1
            log.debug("unanswered kind=%s %s", kind, error)

    def _any(self, of: Sequence[Enterprise]) -> str:
        """A name; early numbers are asked for more often, as new products are."""
        one = self._chance.choice(of)
        return one.identifier(int(one.names * self._chance.random() ** 2))

    async def _ask(self, source: str, name: str, server: str = "") -> Resolution:
        transport = "tcp" if self._chance.random() < 0.25 else "udp"  # noqa: PLR2004 - a quarter
        with asking_from(source):
            return await resolve(
                name, server or self._settings.resolver, transport=transport, timeout_s=_TIMEOUT_S
            )

    async def _client(self) -> Resolution:
        return await self._ask(self._chance.choice(self._clients), self._any(self._hosted))

    async def _through_recursive(self) -> Resolution:
        name = self._any(self._hosted)
        return await self._ask(self._chance.choice(self._clients), name, self._recursive)

    async def _chain(self) -> Resolution:
        source = self._chance.choice(self._clients)
        found = await self._ask(source, self._any(self._drives))
        inside = next((one.text() for one in found.values if one.type == "REL.contains"), "")
        return await self._ask(source, inside) if inside else found

    async def _missing(self) -> Resolution:
        one = self._chance.choice(self._hosted)
        return await self._ask(self._chance.choice(self._clients), one.identifier(one.names + 7))

    async def _owner(self) -> Resolution:
        number = self._chance.randrange(self._much.names)
        return await self._ask(self._owner_from, self._much.identifier(number))
