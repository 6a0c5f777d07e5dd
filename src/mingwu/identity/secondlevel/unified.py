"""Unified data queries: hosted names and enterprises' own nodes asked at once, one answer.

Own nodes are asked side by side, each with a time limit; the answer says of each whether it
answered, refused, could not be reached or gave this node no access, and never fails as a whole.
Pages are cut where the slowest source has got to, so that no name is skipped; a node that failed
is asked again with the next page, from there on. Who asks sees the prefixes that its permission
group allows; what an own node gives is what it granted to this node.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import aiohttp
import msgspec
from msgspec import Meta

from mingwu.identity.secondlevel.hostedlookup import HostedLookup
from mingwu.identity.secondlevel.links import Links, NodeLink, Target
from mingwu.identity.secondlevel.nodequery import NodeClient, silent
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.tenants import Tenants
from mingwu.kernel.errors import Denied, MingwuError
from mingwu.kernel.names import fold

_AT_ONCE = 64
_ROUNDS = 3  # of time limits that all nodes together may take
HOSTED = "hosted"


class DataQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query over a template; ``asker`` is a tenant's credit code, empty for the operator."""

    template: Annotated[str, Meta(max_length=255)]
    conditions: Annotated[Mapping[str, str], Meta(max_length=20)] = {}
    asker: str = ""
    after: Annotated[str, Meta(max_length=255)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class NodeState(StrEnum):
    """How a node took part."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNLINKED = "unlinked"


class NodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of asking one node. ``rows`` counts those in this answer; of a node without an
    answer ``message_…`` say why and ``next_…`` what the operator can do about it.
    """

    prefix: str
    uscc: str
    name: str
    state: NodeState
    rows: int = 0
    known: bool = True
    took_ms: int = 0
    code: str = ""
    message_zh: str = ""
    message_en: str = ""
    next_zh: str = ""
    next_en: str = ""


class Source(msgspec.Struct, frozen=True):
    """Rows of one source in the order of names; ``stopped_at`` where it has more behind."""

    rows: Sequence[dict[str, Any]]
    stopped_at: str = ""


def merged(sources: Sequence[Source], limit: int) -> tuple[list[dict[str, Any]], str]:
    """The first ``limit`` rows of all sources, and behind which name the next page begins."""
    bounds = [fold(one.stopped_at) for one in sources if one.stopped_at]
    bound = min(bounds, default="")
    rows = sorted((row for one in sources for row in one.rows), key=lambda row: fold(row["name"]))
    if bound:
        rows = [row for row in rows if fold(row["name"]) <= bound]
    if len(rows) > limit:
        return rows[:limit], str(rows[limit - 1]["name"])
    stopped = (one.stopped_at for one in sources if fold(one.stopped_at) == bound)
    return rows, next(stopped, "") if bound else ""


class UnifiedQueries:
    """Asks hosted names and nodes. For use in one event loop."""

    def __init__(
        self,
        settings: SecondLevelSettings,
        *,
        lookup: HostedLookup,
        links: Links,
        tenants: Tenants,
        client: NodeClient,
    ) -> None:
        self._settings = settings
        self._lookup = lookup
        self._links = links
        self._tenants = tenants
        self._client = client

    async def query(self, asked: DataQuery, lang: str = "zh") -> dict[str, Any]:
        """One page: ``rows``, ``after``, ``nodes``, ``counts``.

        ``lang``: of what own nodes say when they refuse.

        Raises Denied ``secondlevel.not-granted`` when the asker's group may not query.
        """
        own, targets = await asyncio.to_thread(self._begin, asked)
        found = await self._nodes(asked, targets, lang)
        rows, after = merged([own, *(source for source, _ in found)], asked.limit)
        told = [self._here(), *(answer for _, answer in found)]
        counted = [
            msgspec.structs.replace(one, rows=sum(row["source"] == one.prefix for row in rows))
            for one in told
        ]
        return {
            "rows": rows,
            "after": after,
            "nodes": counted,
            "counts": {
                state.value: sum(one.state is state for one in counted) for state in NodeState
            },
            "simulated": self._settings.simulated,
        }

    async def try_link(self, link: NodeLink, lang: str = "zh") -> NodeAnswer:
        """Log in at a node once, to see whether its link works."""
        target = Target(link.prefix, link.uscc, "", link)
        began = time.monotonic()
        try:
            async with self._client.session(lang) as session:
                await self._limited(link, self._client.token(session, link))
        except MingwuError as error:
            return _answer(target, _state(error), began, error=error)
        return _answer(target, NodeState.ANSWERED, began)

    def _begin(self, asked: DataQuery) -> tuple[Source, list[Target]]:
        only = ""
        if asked.asker:
            self._tenants.require(asked.asker, "query")
            if not self._tenants.may(asked.asker, "query-all"):
                only = asked.asker
        rows = self._lookup.query(
            asked.asker, asked.template, asked.conditions,
            after=asked.after, limit=asked.limit + 1,
        )  # fmt: skip
        shown = [{**row, "source": self._settings.prefix} for row in rows[: asked.limit]]
        more = len(rows) > asked.limit
        return Source(shown, shown[-1]["name"] if more else ""), self._links.targets(only)

    def _here(self) -> NodeAnswer:
        settings = self._settings
        return NodeAnswer(prefix=settings.prefix, uscc=settings.operator_uscc, name=HOSTED,
                          state=NodeState.ANSWERED)  # fmt: skip

    async def _nodes(
        self, asked: DataQuery, targets: Sequence[Target], lang: str
    ) -> list[tuple[Source, NodeAnswer]]:
        gate = asyncio.Semaphore(_AT_ONCE)
        until = asyncio.get_running_loop().time() + _ROUNDS * self._settings.query_timeout_s
        async with self._client.session(lang) as session:

            async def one(target: Target) -> tuple[Source, NodeAnswer]:
                async with gate:
                    return await self._ask(session, asked, target, until)

            return await asyncio.gather(*(one(target) for target in targets))

    async def _ask(
        self, session: aiohttp.ClientSession, asked: DataQuery, target: Target, until: float
    ) -> tuple[Source, NodeAnswer]:
        link = target.link
        began = time.monotonic()
        nothing = Source(())
        if link is None:
            error = Denied("secondlevel.node-unlinked", prefix=target.prefix)
            return nothing, _answer(target, NodeState.UNLINKED, began, error=error)
        question = {
            "template": link.templates.get(asked.template, asked.template),
            "prefix": link.prefix,
            "conditions": asked.conditions,
            "after": asked.after,
            "limit": asked.limit,
            "asker": asked.asker or self._settings.operator_uscc,
        }
        try:
            if asyncio.get_running_loop().time() > until:
                raise silent(link, "no time was left")  # noqa: TRY301
            page = await self._limited(link, self._client.ask(session, link, question))
        except MingwuError as fault:
            return nothing, _answer(target, _state(fault), began, error=fault)
        rows = [
            {"name": row.name, "prefix": link.prefix, "template": row.template,
             "values": dict(row.values), "at_ms": row.at_ms, "source": link.prefix}
            for row in page.rows
        ]  # fmt: skip
        answered = _answer(target, NodeState.ANSWERED, began, known=page.known)
        return Source(rows, page.after), answered

    async def _limited(self, link: NodeLink, work: Any) -> Any:
        limit = self._settings.query_timeout_s
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError as error:
            raise silent(link, f"no answer in {limit:g} s") from error


def _state(error: MingwuError) -> NodeState:
    return NodeState.REFUSED if isinstance(error, Denied) else NodeState.UNREACHABLE


def _answer(
    target: Target,
    state: NodeState,
    began: float,
    *,
    known: bool = True,
    error: MingwuError | None = None,
) -> NodeAnswer:
    return NodeAnswer(
        prefix=target.prefix, uscc=target.uscc, name=target.name, state=state, known=known,
        took_ms=int((time.monotonic() - began) * 1000),
        code=error.code if error else "",
        message_zh=error.text("zh") if error else "",
        message_en=error.text("en") if error else "",
        next_zh=error.next_step("zh") if error else "",
        next_en=error.next_step("en") if error else "",
    )  # fmt: skip
