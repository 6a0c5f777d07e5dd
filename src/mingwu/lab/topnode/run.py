"""Root, top node and recursive node as one simulated service: ``run_topnode``.

The root delegates the national prefix to the top node; the top node delegates each admitted node's
prefix (and all below it) to that node, receives what it owes, probes it, and at the agreed share
of failed probes lets the emergency resolver answer from escrow instead, until probes are good.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import msgspec
from aiohttp import web

from mingwu.identity.cards import prefix_admin
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.iiidap.client import bootstrap_document
from mingwu.identity.secondlevel.model import iso
from mingwu.identity.secondlevel.monitoring import Probe, probe
from mingwu.identity.secondlevel.notices import HANDBACK, TAKEOVER
from mingwu.identity.secondlevel.prefixes import referral_value, site_at
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.signing import CERTIFICATE
from mingwu.kernel.errors import MingwuError, Unavailable
from mingwu.kernel.names import fold
from mingwu.lab.topnode.emergency import forget, restore
from mingwu.lab.topnode.eppserver import EppServer
from mingwu.lab.topnode.receiver import Receiver
from mingwu.lab.topnode.recursive import RecursiveNode
from mingwu.lab.topnode.registry import Registry
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.trust import secrets, sm2
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.site import Site
from mingwu.wire.handle.values import HandleValue

log = logging.getLogger(__name__)
_SIMULATED = "simulated"
BOOTSTRAP_PATH = "/iiidap/bootstrap.json"


def topnode_key(directory: Path) -> bytes:
    """The simulated top node's SM2 key; deposits are sealed for its public half."""
    return secrets.load_or_make(directory, "topnode-sm2.key", sm2.generate)


class TopNode:
    """All simulated services. ``taken_over`` holds the prefixes that escrow answers for, ``cut``
    those whose nodes cannot be reached from here for the time being (a drill).
    """

    def __init__(self, settings: TopNodeSettings) -> None:
        self.settings = settings
        self._directory = Path(settings.directory)
        self._scalar = topnode_key(self._directory)
        self.public_key = sm2.public_point(self._scalar)
        known = {node.app_id: node for node in settings.nodes}
        self.receiver = Receiver(self._directory, known)
        self.registry = Registry(self._directory, review_s=settings.transfer_review_s)
        self.epp = EppServer(known, self.registry, session_s=settings.epp_session_s)
        self._since = iso(time.time_ns() // 1_000_000)
        self.taken_over: set[str] = set()
        self.cut: set[str] = set()
        self._certificates: dict[str, tuple[HandleValue, ...]] = {}
        self.probes = {n.prefix: deque[bool](maxlen=settings.probe_window) for n in settings.nodes}
        self._stack = AsyncExitStack()

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
        settings, stack = self.settings, self._stack
        host = settings.host
        self._top = self._store("top")
        self.top = await self._serve(self._top, "top", settings.top_port, (settings.prefix,))
        roots = self._store("root")
        where = referral_value(site_at(host, self.top.port, desc=_SIMULATED), derived=True)
        roots.put(Record(f"{PREFIX_HOME}/{settings.prefix}", (where,)))
        self.root = await self._serve(roots, "root", settings.root_port, ())
        self._spare = self._store("emergency")
        self.emergency = await self._serve(self._spare, "emergency", settings.emergency_port, ())
        self.recursive = await RecursiveNode(
            f"{host}:{self.root.port}", ttl_s=settings.cache_ttl_s,
            negative_ttl_s=settings.negative_ttl_s, entries=settings.cache_entries,
            source=settings.recursive_source,
        ).start(host, settings.recursive_port)  # fmt: skip
        stack.push_async_callback(self.recursive.close)
        await self.epp.start(host, settings.epp_port)
        stack.push_async_callback(self.epp.close)
        more = [*self.epp.web_routes(), web.get(BOOTSTRAP_PATH, self._bootstrap)]
        await self.receiver.start(host, settings.http_port, more)
        stack.push_async_callback(self.receiver.close)
        self._nowhere = stack.enter_context(socket.socket())
        self._nowhere.bind((host, 0))  # nobody listens there: connections are refused
        for node in settings.nodes:
            self._delegate(node.prefix, site_at(node.host, node.port))

    def _store(self, name: str) -> RecordStore:
        path = self._directory / name
        store = RecordStore(path, map_bytes=self.settings.map_bytes, durable=False)
        self._stack.callback(store.close)
        return store

    async def _serve(
        self, store: RecordStore, name: str, port: int, prefixes: tuple[str, ...]
    ) -> ResolverServer:
        server = ResolverServer(
            ResolverSettings(
                directory=str(self._directory / name), host=self.settings.host, port=port,
                http_port=0, prefixes=prefixes, writable=False, durable=False,
                site_description=f"Mingwu {name} ({_SIMULATED})",
            ),
            store,
        )  # fmt: skip
        return await self._stack.enter_async_context(server)

    def _delegate(self, prefix: str, site: Site) -> None:
        value = referral_value(site, derived=True)
        more = self._certificates.get(prefix, ())
        self._top.put(Record(f"{PREFIX_HOME}/{prefix}", (value, prefix_admin(prefix), *more)))

    async def _bootstrap(self, request: web.Request) -> web.Response:
        """Which data access service answers for which prefix (RFC 9224 as a model)."""
        del request
        services = [(one.prefix, one.iiidap_url) for one in self.settings.nodes if one.iiidap_url]
        made = bootstrap_document(services, self._since, f"IIIDAP services ({_SIMULATED})")
        headers = {"Cache-Control": "max-age=3600", "Access-Control-Allow-Origin": "*"}
        return web.Response(
            body=msgspec.json.encode(made), content_type="application/json", headers=headers
        )

    async def probe_nodes(self) -> list[Probe]:
        """Probe every node once (its own prefix record), and take over or hand back."""
        found = await asyncio.gather(*(self._probe(node) for node in self.settings.nodes))
        for node, one in zip(self.settings.nodes, found, strict=True):
            self.probes[node.prefix].append(one.ok)
            if one.ok and not self._certificates.get(node.prefix):
                await self._take_certificate(node)
            await self._judge(node)
        return list(found)

    async def _take_certificate(self, node: KnownNode) -> None:
        """Keep the certificates of a node's key with its delegation, where verifiers look first."""
        name = f"{PREFIX_HOME}/{node.prefix}"
        try:
            found = await resolve(name, f"{node.host}:{node.port}", types=(CERTIFICATE,))
        except (Unavailable, ProtocolError):
            return  # the next probe comes soon
        if found.values and node.prefix not in self.taken_over:
            self._keep_certificates(node.prefix, found.values)
            self._delegate(node.prefix, site_at(node.host, node.port))

    def _keep_certificates(self, prefix: str, values: Iterable[HandleValue]) -> None:
        told = (value for value in values if fold(value.type) == CERTIFICATE)
        self._certificates[prefix] = tuple(told)

    async def is_everybody_up(self) -> bool:
        """Whether all nodes answer now; a look that no window counts."""
        found = await asyncio.gather(*(self._probe(node) for node in self.settings.nodes))
        return all(one.ok for one in found)

    async def _probe(self, node: KnownNode) -> Probe:
        host, port = node.host, node.port
        if node.prefix in self.cut:
            host, port = self._nowhere.getsockname()
        return await probe(
            node.prefix, host, port, name=f"{PREFIX_HOME}/{node.prefix}",
            timeout_s=self.settings.probe_timeout_s,
        )  # fmt: skip

    def failed_percent(self, prefix: str) -> float:
        """Share of failed probes in a full window; 0 while the window fills."""
        window = self.probes[prefix]
        if len(window) < (window.maxlen or 1):
            return 0.0
        return 100 * window.count(False) / len(window)

    async def _judge(self, node: KnownNode) -> None:
        down = self.failed_percent(node.prefix) >= self.settings.takeover_percent
        if down and node.prefix not in self.taken_over:
            try:
                await asyncio.to_thread(self.take_over, node)
            except MingwuError:
                log.exception("takeover failed node=%s", node.prefix)
            else:
                self.registry.notify(node, f"escrow answers for {node.prefix}", event=TAKEOVER)
        elif not down and node.prefix in self.taken_over and self.probes[node.prefix][-1]:
            await asyncio.to_thread(self.hand_back, node)
            self.registry.notify(node, f"{node.prefix} answers itself again", event=HANDBACK)

    def take_over(self, node: KnownNode) -> int:
        """Answer for a node from its escrow; returns how many objects were restored."""
        site = site_at(self.settings.host, self.emergency.port, desc=f"emergency ({_SIMULATED})")
        deposits = self.receiver.deposits.get(node.prefix, [])
        forget(self._spare, node.prefix)
        restored = restore(
            self._spare, self.receiver.folder(node.prefix), deposits,
            scalar=self._scalar, signer=bytes.fromhex(node.public_key), site=site,
        )  # fmt: skip
        deposited = self._spare.get(f"{PREFIX_HOME}/{node.prefix}")
        if deposited is not None and not self._certificates.get(node.prefix):
            self._keep_certificates(node.prefix, deposited.values)
        self._delegate(node.prefix, site)
        self.taken_over.add(node.prefix)
        log.warning("took over node=%s objects=%d", node.prefix, restored)
        return restored

    def hand_back(self, node: KnownNode) -> None:
        """Delegate to the node itself again."""
        self._delegate(node.prefix, site_at(node.host, node.port))
        self.taken_over.discard(node.prefix)
        log.warning("handed back node=%s", node.prefix)

    async def watch(self, stop: asyncio.Event) -> None:
        """Probe at the set interval until ``stop``."""
        while not stop.is_set():
            await self.probe_nodes()
            self.registry.settle()
            try:
                async with asyncio.timeout(self.settings.probe_interval_s):
                    await stop.wait()
            except TimeoutError:
                continue


async def run_topnode(settings: TopNodeSettings, stop: asyncio.Event) -> None:
    """Serve root, top node and recursive node, all simulated, until ``stop``."""
    async with TopNode(settings) as top:
        log.info("simulated top node up root=%d recursive=%d", top.root.port, top.recursive.port)
        await top.watch(stop)
