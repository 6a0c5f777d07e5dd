"""Nodes that enterprises run themselves: a resolver each, at the same port at every start.

The second-level node refers to them. A node that is *down* does not listen; its records stay.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from mingwu.identity.cards import prefix_admin
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.model import Mode, SiteForm
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.lab.enterprises.settings import FACADES, EnterpriseLabSettings
from mingwu.lab.enterprises.trade import ITEMS, Enterprise, described, enterprises
from mingwu.wire.handle.values import HandleValue

HOST = "127.0.0.1"
_MAP_BYTES = 2**26


def site(one: Enterprise, settings: EnterpriseLabSettings) -> SiteForm | None:
    """Where an enterprise's own node answers; None for a hosted one."""
    if one.mode is not Mode.OWN:
        return None
    return SiteForm(host=HOST, port=settings.own_first_port + one.number - 1)


class OwnNode:
    """The node of one enterprise. ``port`` is where it listens, 0 while it is down.

    ``bare``: nobody else fills its store ``records``.
    """

    def __init__(self, one: Enterprise, directory: Path, port: int, *, bare: bool = True) -> None:
        self.enterprise = one
        self._wanted = port
        self._directory = directory
        self.records = RecordStore(directory, map_bytes=_MAP_BYTES, durable=False)
        if bare and self.records.count_names(one.prefix) < one.names:
            self.records.put_many(_records(one))
        self._server: ResolverServer | None = None

    @property
    def port(self) -> int:
        """The Handle port."""
        return self._server.port if self._server else 0

    async def start(self) -> None:
        """Listen; doing so twice changes nothing."""
        if self._server:
            return
        settings = ResolverSettings(
            directory=str(self._directory), host=HOST, port=self._wanted, http_port=0,
            prefixes=(self.enterprise.prefix,), owner=self.enterprise.name, durable=False,
            writable=False, site_description="own node (simulated)",
        )  # fmt: skip
        self._server = await ResolverServer(settings, self.records).__aenter__()

    async def stop(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server:
            await server.__aexit__(None, None, None)

    def close(self) -> None:
        """Give the store back."""
        self.records.close()


class OwnNodes:
    """The own nodes of all enterprises that have one, by prefix."""

    def __init__(self, settings: EnterpriseLabSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self.nodes: dict[str, OwnNode] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        base = Path(self._settings.directory)
        for one in enterprises(self._settings):
            if one.mode is not Mode.OWN:
                continue
            first = self._settings.own_first_port
            port = first + one.number - 1 if first else 0
            bare = not (self._settings.facade_first_port and one.number <= FACADES)
            node = OwnNode(one, base / f"own-{one.number:02d}", port, bare=bare)
            self._stack.callback(node.close)
            self._stack.push_async_callback(node.stop)
            await node.start()
            self.nodes[one.prefix] = node

    def site(self, prefix: str) -> SiteForm | None:
        """Where the own node of a prefix really answers; None when there is none."""
        node = self.nodes.get(prefix)
        return SiteForm(host=HOST, port=node.port) if node else None


def _records(one: Enterprise) -> Iterator[Record]:
    for number in range(one.names):
        told = zip(ITEMS, described(one, number), strict=True)
        values = [
            HandleValue(2000 + at, kind, text.encode()) for at, (kind, text) in enumerate(told)
        ]
        yield Record(one.identifier(number), (*values, prefix_admin(one.prefix)))
