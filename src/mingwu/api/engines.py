"""The house's own engines behind the API's ports.

Registry, trust, history and identity speak their own records; here, and nowhere else in the API,
they are turned into the ports' ones. ``node`` opens the engines, builds a ``Services`` of these
and calls :func:`mingwu.api.feed.follow_bus`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import numpy as np

from mingwu.api.ports import (
    AccountRow,
    CompletenessRow,
    JournalRow,
    JournalVerdict,
    PlaceRow,
    PlantState,
    Principal,
    RelationRow,
    ResolveAnswer,
    SeriesColumns,
    TagRow,
    ThingRow,
)
from mingwu.history.client import History
from mingwu.history.records import Schedule
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.kernel.batch import Columns
from mingwu.kernel.errors import NotAuthenticated, NotFound
from mingwu.kernel.plant import ValueType
from mingwu.registry.plantfile import dump, parse
from mingwu.registry.rows import Page, PlaceNode
from mingwu.registry.rows import TagRow as RegisteredTag
from mingwu.registry.rows import ThingRow as RegisteredThing
from mingwu.registry.service import Registry
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.sessions import Principal as Holder

_PAGE = 5000

# A tag reports at least once a heartbeat; one report may be lost.
HEARTBEATS_BACK = 2.0


class RegistryPlant:
    """:class:`mingwu.api.ports.Plant` over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def revision(self) -> int:
        """The registry's generation."""
        return self._registry.generation()

    def state(self) -> PlantState:
        """Everything that lists show, read after the generation it is filed under."""
        revision = self._registry.generation()
        plants = self._registry.plants()
        tags = self._registry.all_tags()
        types = {one.name: one for one in self._registry.types()}
        heartbeats = self._heartbeats()
        lines = {tag.thing: (tag.gateway, tag.device) for tag in reversed(tags) if tag.gateway}
        return PlantState(
            revision=revision,
            name_en=" · ".join(plant.en or plant.name for plant in plants),
            name_zh=" · ".join(plant.zh or plant.name for plant in plants),
            places=list(_flat(self._registry.places())),
            things=[_thing(row, types, lines) for row in self._all_things()],
            tags=[_tag(row, heartbeats) for row in tags],
        )

    def _all_things(self) -> list[RegisteredThing]:
        found: list[RegisteredThing] = []
        while True:
            rows, total = self._registry.things(page=Page(offset=len(found), limit=_PAGE))
            found += rows
            if not rows or len(found) >= total:
                return found

    def _heartbeats(self) -> dict[int, float]:
        return {
            tag.number: tag.deadband.heartbeat_s
            for gateway in self._registry.gateways()
            for device in self._registry.gateway(gateway.name).devices
            for tag in device.tags
        }

    def relations(self, identifier: str) -> list[RelationRow]:
        """Both directions, as the registry tells them."""
        return [
            RelationRow(
                kind=row.kind, inverse=not row.outward, id=row.id, name_en=row.en, name_zh=row.zh
            )
            for row in self._registry.relations(identifier)
        ]

    def thing_description(self, identifier: str) -> dict[str, Any]:
        """W3C Thing Description."""
        return self._registry.thing_description(identifier)

    def import_text(self, text: str, actor: str) -> dict[str, int]:
        """Import a plant file; what was added, changed and removed, by section."""
        summary = self._registry.import_plant(parse(text).file, actor=actor)
        data = msgspec.to_builtins(summary)
        return {
            f"{section}.{change}": len(names)
            for section, delta in data.items()
            if isinstance(delta, dict)
            for change, names in delta.items()
            if names
        }

    def export_text(self) -> str:
        """The first plant's file; an API process serves one plant as a rule."""
        plants = self._registry.plants()
        if not plants:
            raise NotFound("api.no-plant")
        return dump(self._registry.export_plant(plants[0].name))


def _flat(nodes: Sequence[PlaceNode]) -> list[PlaceRow]:
    rows: list[PlaceRow] = []
    for node in nodes:
        rows.append(PlaceRow(path=node.path, level=node.level, name_en=node.en, name_zh=node.zh))
        rows += _flat(node.children)
    return rows


def _thing(
    row: RegisteredThing, types: dict[str, Any], lines: dict[str, tuple[str, str]]
) -> ThingRow:
    kind = types.get(row.type)
    gateway, device = lines.get(row.id, ("", ""))
    return ThingRow(
        id=row.id,
        kind=row.kind,
        type=row.type,
        name_en=row.en,
        name_zh=row.zh,
        type_en=kind.en if kind else "",
        type_zh=kind.zh if kind else "",
        place=row.place,
        documentation=row.documentation,
        gateway=gateway,
        device=device,
        simulated=row.simulated,
    )


def _tag(row: RegisteredTag, heartbeats: dict[int, float]) -> TagRow:
    return TagRow(
        number=row.number,
        thing=row.thing,
        name=row.name,
        name_en=row.en,
        name_zh=row.zh,
        type=row.type,
        unit=row.unit,
        low=row.low,
        high=row.high,
        period_ms=row.period_ms,
        heartbeat_s=heartbeats.get(row.number, 1800.0),
        address=row.address,
        exposed=row.exposed,
        writable=row.writable,
    )


class TrustPeople:
    """:class:`mingwu.api.ports.People` over trust's accounts and sessions."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    def login(self, account: str, password: str, address: str) -> tuple[str, Principal]:
        """Authenticate and begin a session."""
        known = self._trust.accounts.authenticate(account, password, address=address)
        token, holder = self._trust.sessions.open(known, address=address)
        return token, _principal(holder)

    def verify(self, token: str) -> Principal | None:
        """Whose token this is, or None."""
        try:
            return _principal(self._trust.sessions.check(token))
        except NotAuthenticated:
            return None

    def logout(self, token: str) -> None:
        """End the session."""
        self._trust.sessions.close(token)

    def set_language(self, account: str, language: str) -> None:
        """Remember the language of the account."""
        known = self._trust.accounts.get(account)
        self._trust.accounts.set_profile(account, display=known.display, language=language)
        self._trust.sessions.forget()

    def change_password(self, account: str, old: str, new: str, address: str) -> None:
        """Check the old one, set the new one; sessions of the account end."""
        self._trust.accounts.authenticate(account, old, address=address)
        self._trust.accounts.set_password(account, new)

    def accounts(self) -> list[AccountRow]:
        """All accounts."""
        return [
            AccountRow(
                name=one.name,
                role=one.role,
                language=one.language,
                disabled=not one.enabled,
                must_change=one.must_change,
            )
            for one in self._trust.accounts.list()
        ]

    def create(self, name: str, password: str, role: str) -> None:
        """A new account that must choose its own password at its first login."""
        self._trust.accounts.create(name, password, Role(role), must_change=True)

    def update(self, name: str, *, role: str | None, disabled: bool | None) -> None:
        """Another role, or in or out of use."""
        if role is not None:
            self._trust.accounts.set_role(name, Role(role))
        if disabled is not None:
            self._trust.accounts.set_enabled(name, enabled=not disabled)


def _principal(holder: Holder) -> Principal:
    return Principal(
        account=holder.account,
        role=holder.role,
        language=holder.language,
        must_change=holder.must_change,
        expires_ms=holder.expires_at_ms,
    )


class TrustJournal:
    """:class:`mingwu.api.ports.Journal` over trust's journal."""

    def __init__(self, trust: Trust) -> None:
        self._journal = trust.journal

    def append(
        self, actor: str, action: str, subject: str, detail: dict[str, Any], address: str
    ) -> None:
        """Add an entry."""
        self._journal.append(actor, action, subject, address=address, detail=detail)

    def tail(
        self,
        limit: int,
        *,
        before: int = 0,
        actor: str = "",
        action: str = "",
        subject: str = "",
        since_ms: int = 0,
        until_ms: int = 0,
    ) -> list[JournalRow]:
        """The last entries that match, newest first."""
        found = self._journal.entries(
            actor=actor, action=action, object=subject, before=before, limit=limit,
            since_ns=since_ms * 1_000_000, until_ns=until_ms * 1_000_000,
        )  # fmt: skip
        return [
            JournalRow(
                seq=entry.number,
                time_ns=entry.at_ns,
                actor=entry.actor,
                action=entry.action,
                subject=entry.object,
                detail=json.loads(entry.detail),
                outcome=entry.outcome,
                address=entry.address,
            )
            for entry in found
        ]

    def verify(self) -> JournalVerdict:
        """Walk the whole chain."""
        return msgspec.convert(self._journal.verify(), JournalVerdict, from_attributes=True)


class HistoryEngine:
    """:class:`mingwu.api.ports.HistoryReader` over the history client."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def series(
        self, tag: TagRow, start_ns: int, end_ns: int, *, points: int, method: str
    ) -> SeriesColumns:
        """A thinned series with the value that held at its start."""
        found, before = await asyncio.gather(
            self._history.series(tag.number, start_ns, end_ns, points, method),
            self._history.at(
                [tag.number], start_ns, lookback_s=HEARTBEATS_BACK * tag.heartbeat_s + 60
            ),
        )
        series = SeriesColumns(
            time_ns=found.time_ns,
            value=found.value,
            quality=found.quality,
            low=found.low,
            high=found.high,
            count=found.points,
            source=found.source,
        )
        return _held(series, before, start_ns)

    def raw(self, tag: TagRow, start_ns: int, end_ns: int, *, limit: int) -> AsyncIterator[Columns]:
        """Raw points in pages."""
        texts = tag.type is ValueType.TEXT
        return self._history.raw_pages(tag.number, start_ns, end_ns, limit=limit, texts=texts)

    async def completeness(
        self, tags: Sequence[TagRow], start_ns: int, end_ns: int
    ) -> list[CompletenessRow]:
        """Received ÷ expected by the tags' own schedules."""
        schedules = [
            Schedule(
                tag=tag.number,
                period_ms=tag.period_ms,
                heartbeat_s=tag.heartbeat_s,
                text=tag.type is ValueType.TEXT,
            )
            for tag in tags
        ]
        found = await self._history.completeness(schedules, start_ns, end_ns)
        return [
            CompletenessRow(
                tag=one.tag,
                received=one.received,
                expected=one.expected,
                good=one.good,
                longest_gap_s=one.longest_gap_s,
            )
            for one in found
        ]

    async def statistics(self) -> dict[str, Any]:
        """Rows, bytes, disk."""
        found: dict[str, Any] = msgspec.to_builtins(await self._history.statistics())
        return found


def _held(series: SeriesColumns, before: Columns, start_ns: int) -> SeriesColumns:
    """The series with the value of ``before`` (one row or none) put at its start."""
    if len(before) == 0 or (len(series.time_ns) and series.time_ns[0] <= start_ns):
        return series
    value = before.value[:1]
    has_band = len(series.low) > 0
    return SeriesColumns(
        time_ns=np.concatenate([np.array([start_ns]), series.time_ns]),
        value=np.concatenate([value, series.value]),
        quality=np.concatenate([before.quality[:1], series.quality]),
        low=np.concatenate([value, series.low]) if has_band else series.low,
        high=np.concatenate([value, series.high]) if has_band else series.high,
        count=series.count,
        source=series.source,
    )


class LocalResolve:
    """Resolution in this process, over the record store all processes of the node share."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._face = HttpFace(resolver)

    async def __call__(self, handle: str, query: dict[str, list[str]]) -> ResolveAnswer:
        """The Handle HTTP JSON answer."""
        target = "/api/handles/" + quote(handle)
        if query:
            target += "?" + urlencode(query, doseq=True)
        self._resolver.begin()
        try:
            reply = self._face.read(HttpRequest("GET", target))
        finally:
            self._resolver.end()
        return ResolveAnswer(status=reply.status, body=reply.body, media_type=reply.type)
