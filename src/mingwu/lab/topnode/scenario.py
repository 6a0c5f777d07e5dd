"""Scenario S3: a second-level node of the electric-vehicle industry, 60 simulated enterprises.

48 enterprises are hosted, 12 run own nodes (served by a few real resolvers of this process). One
hosted tenant registers a sixth of all identifiers and has two in a thousand of them resolved. The
load is real: every counted resolution went through the node's resolver by the Handle protocol;
only who asks is made up (addresses of the documentation ranges).
"""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import msgspec

from mingwu.identity.cards import prefix_admin
from mingwu.identity.client.handleclient import connected, request
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.hosted import MOST_ITEMS
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.values import HandleValue

ENTERPRISES, OWN_NODES = 60, 12
_REGISTERS_MUCH = 1 / 6
_RESOLVED_OF_MUCH = 0.002
_OWN_NAMES = 200
_BATTERY, _VEHICLE = "C3841", "C3670"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRODUCTS = {_BATTERY: ("BAT", "动力电池包"), _VEHICLE: ("EDU", "电驱动总成")}


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Size of the scenario; the default fits a laptop, the notice's plant has 1,200,000."""

    identifiers: int = 60_000
    resolutions: int = 5_000
    real_nodes: int = 3
    seed: int = 3


class S3Summary(msgspec.Struct, kw_only=True):
    """What was made, with rates of this run."""

    enterprises: int = 0
    hosted: int = 0
    own: int = 0
    identifiers: int = 0
    register_per_s: float = 0.0
    resolutions: int = 0
    resolved: int = 0
    registers_much: str = ""


def enterprise_form(node: str, number: int, mode: Mode, site: SiteForm | None) -> ApplicationForm:
    """The application of enterprise ``number`` (simulated: no such company)."""
    first = f"91330000MB{number:07d}"
    industry = _BATTERY if number % 2 else _VEHICLE
    return ApplicationForm(
        prefix=f"{node}.{1000 + number}",
        organisation=Organisation(
            uscc=first + check_digit(first), name=f"模拟新能源企业{number:02d}",
            name_en=f"Simulated enterprise {number:02d}", industry=industry, region="330100",
        ),
        legal_person=Person(name=f"模拟法人{number:02d}"),
        contact=Person(name=f"模拟联系人{number:02d}", phone=f"0571-8{number:07d}"),
        mode=mode,
        site=site,
        purpose="模拟数据 / simulated data",
    )  # fmt: skip


def items(prefix: str, industry: str, count: int, seed: int) -> Iterator[HostedItem]:
    """Identifiers of one tenant that keep the code rule of its industry."""
    chance = random.Random(f"{seed} {prefix}")
    head, product = _PRODUCTS[industry]
    for number in range(count):
        if industry == _BATTERY:
            tail = "".join(chance.choices(_ALPHABET, k=16))
            suffix = f"{head}.{number:08d}{tail}"
        else:
            suffix = f"{head}.2026-{number:08d}"
        values = {
            "product": product,
            "batch": f"L{number // 500:05d}",
            "simulated": "true",
            "t9.product": product,
            "t9.product_type": head,
        }
        yield HostedItem(name=f"{prefix}/{suffix}", template=f"{prefix}/T.1", values=values)


class Scenario:
    """Fills ``node`` (whose resolver is ``resolver``, host:port) and keeps own nodes running."""

    def __init__(
        self, node: SecondLevel, resolver: tuple[str, int], directory: Path, settings: S3Settings
    ) -> None:
        self.node = node
        self.summary = S3Summary()
        self._resolver = resolver
        self._directory = directory
        self._settings = settings
        self._stack = AsyncExitStack()
        self._names: dict[str, list[str]] = {}
        self._chance = random.Random(settings.seed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def fill(self) -> S3Summary:
        """Applications, own nodes, registrations, load; may be called once on an empty node."""
        addresses = await self._own_nodes()
        await asyncio.to_thread(self._enterprises, addresses)
        await asyncio.to_thread(self._register)
        await self._load()
        return self.summary

    async def _own_nodes(self) -> list[tuple[str, int]]:
        """Real resolvers, each serving some of the enterprises with own nodes."""
        count = max(1, self._settings.real_nodes)
        found = []
        for at in range(count):
            folder = self._directory / f"own-{at}"
            store = RecordStore(folder, map_bytes=2**28, durable=False)
            self._stack.callback(store.close)
            prefixes = tuple(
                f"{self.node.settings.prefix}.{1000 + number}"
                for number in range(1, OWN_NODES + 1)
                if number % count == at
            )
            await asyncio.to_thread(store.put_many, _own_records(prefixes))
            server = ResolverServer(
                ResolverSettings(
                    directory=str(folder), port=0, http_port=0, prefixes=prefixes,
                    durable=False, site_description="own node (simulated)",
                ),
                store,
            )  # fmt: skip
            await self._stack.enter_async_context(server)
            found.append(("127.0.0.1", server.port))
        return found

    def _enterprises(self, addresses: Sequence[tuple[str, int]]) -> None:
        queue = self.node.applications
        for number in range(1, ENTERPRISES + 1):
            own = number <= OWN_NODES
            host, port = addresses[number % len(addresses)]
            site = SiteForm(host=host, port=port) if own else None
            mode = Mode.OWN if own else Mode.HOSTED
            form = enterprise_form(self.node.settings.prefix, number, mode, site)
            queue.accept(queue.submit(form, "simulated applicant").id, "simulated reviewer")
        self.summary.enterprises = ENTERPRISES
        self.summary.own, self.summary.hosted = OWN_NODES, ENTERPRISES - OWN_NODES

    def _register(self) -> None:
        hosted = [row for row in self.node.prefixes.all() if row.mode == Mode.HOSTED]
        much, others = hosted[0], hosted[1:]
        total = self._settings.identifiers
        counts = {much.prefix: int(total * _REGISTERS_MUCH)}
        counts |= dict.fromkeys((one.prefix for one in others), 0)
        for at in range(total - counts[much.prefix]):
            counts[others[at % len(others)].prefix] += 1
        self.summary.registers_much = much.prefix
        began = time.perf_counter()
        for row in hosted:
            industry = self.node.tenants.get(row.uscc).industry
            made = list(items(row.prefix, industry, counts[row.prefix], self._settings.seed))
            for start in range(0, len(made), MOST_ITEMS):
                outcomes = self.node.hosted.register(row.prefix, made[start : start + MOST_ITEMS])
                self.summary.identifiers += sum(one.code == Rc.SUCCESS for one in outcomes)
            self._names[row.prefix] = [one.name for one in made]
        self.summary.register_per_s = self.summary.identifiers / (time.perf_counter() - began)

    async def _load(self) -> None:
        """Resolve: of the tenant that registers much 0.2 %, of the others at random."""
        much = self._names[self.summary.registers_much]
        asked = much[: int(len(much) * _RESOLVED_OF_MUCH)]
        rest = [name for key, names in self._names.items() for name in names
                if key != self.summary.registers_much]  # fmt: skip
        if rest:
            left = max(0, self._settings.resolutions - len(asked))
            asked += self._chance.choices(rest, k=left)
        async with connected(*self._resolver) as client:
            for name in asked:
                body = Resolve(name).encode()
                reply = await client.ask(request(Op.RESOLVE, body, flags=OpFlag.PUBLIC_ONLY))
                source = f"198.51.100.{self._chance.randrange(1, 255)}"
                self.node.usage.count(name, source, ok=reply.rc == Rc.SUCCESS)
                self.summary.resolved += reply.rc == Rc.SUCCESS
        self.summary.resolutions = len(asked)
        await asyncio.to_thread(self.node.usage.flush)


def _own_records(prefixes: Sequence[str]) -> Iterator[Record]:
    for prefix in prefixes:
        for number in range(_OWN_NAMES):
            value = HandleValue(2000, "PRODUCT", "电机（模拟）".encode())
            yield Record(f"{prefix}/MTR.{number:06d}", (value, prefix_admin(prefix)))
