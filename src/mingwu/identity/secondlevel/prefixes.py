"""Prefixes of tenants, and their image in the record store.

The relational row decides; the record store is its projection. Both are written in one call:
row first (``projected`` false), then the record, then the mark, so that a crash in between is
repaired by :meth:`Prefixes.replay` at the next start. A hosted prefix is homed here; one served by
the enterprise's own node gets a record ``0.NA/<prefix>`` with HS_SITE (or HS_SERV) and is referred.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, func, insert, select, update

from mingwu.identity.cards import prefix_admin
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import Mode, PrefixRow, SiteForm
from mingwu.identity.server.process import home_prefixes
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.store.engine import reading, writing
from mingwu.wire.handle.codes import ALL_RIGHTS
from mingwu.wire.handle.site import (
    Interface,
    Server,
    Service,
    Site,
    Transport,
    encode_site,
    pack_address,
)
from mingwu.wire.handle.values import HandleValue

_T = schema.prefix
_SITE_TTL_S = 300
_OWNER_INDEX = 5
ACTIVE, LEFT = "active", "left"


def site_at(host: str, port: int, http_port: int = 0, *, desc: str = "") -> Site:
    """A one-server site; raises InvalidInput ``input.invalid`` for a host that is no address."""
    both = Service.ADMIN | Service.QUERY
    try:
        address = pack_address(host)
    except ValueError as error:
        raise InvalidInput("input.invalid", path="$.site.host", fault=told(error)) from error
    interfaces = [
        Interface(both, Transport.TCP, port),
        Interface(Service.QUERY, Transport.UDP, port),
    ]
    if http_port:
        interfaces.append(Interface(both, Transport.HTTP, http_port))
    return Site(
        servers=(Server(1, address, b"", tuple(interfaces)),),
        attributes=(("desc", desc),) if desc else (),
    )


def referral_value(site: Site | None, service: str = "", *, derived: bool = False) -> HandleValue:
    """HS_SITE or HS_SERV; ``derived`` for all prefixes below too (HS_SITE.PREFIX)."""
    tail = ".PREFIX" if derived else ""
    kind, data = ("HS_SITE", encode_site(site)) if site else ("HS_SERV", service.encode())
    return HandleValue(2 if derived else 1, kind + tail, data, ttl=_SITE_TTL_S)


class Prefixes:
    """Given prefixes. ``site`` is this node's own site, told for hosted prefixes."""

    def __init__(self, engine: Engine, records: RecordStore, site: Site) -> None:
        self._engine = engine
        self._records = records
        self._site = site
        self.follow: Callable[[PrefixRow], object] = lambda _row: None
        """Told of each prefix that changes, before it does: names go with their prefix."""

    def get(self, prefix: str) -> PrefixRow:
        """One prefix; raises NotFound ``secondlevel.prefix-unknown``."""
        with reading(self._engine) as connection:
            return find(connection, prefix)

    def all(self, *, uscc: str = "", active: bool = True) -> list[PrefixRow]:
        """Prefixes in their order, of one tenant if given; with ``active`` only those in use."""
        query = select(_T).order_by(_T.c.prefix)
        if uscc:
            query = query.where(_T.c.uscc == uscc)
        if active:
            query = query.where(_T.c.state == ACTIVE)
        with reading(self._engine) as connection:
            return [prefix_row(row) for row in connection.execute(query)]

    def some(self, prefixes: Collection[str]) -> dict[str, PrefixRow]:
        """Those of these prefixes that were given, by prefix."""
        query = select(_T).where(_T.c.prefix.in_(prefixes))
        with reading(self._engine) as connection:
            return {row.prefix: prefix_row(row) for row in connection.execute(query)}

    def held_by(self, usccs: Collection[str]) -> dict[str, list[str]]:
        """The prefixes in use of each of these tenants."""
        query = select(_T.c.uscc, _T.c.prefix).where(_T.c.uscc.in_(usccs), _T.c.state == ACTIVE)
        found: dict[str, list[str]] = {uscc: [] for uscc in usccs}
        with reading(self._engine) as connection:
            for uscc, prefix in connection.execute(query.order_by(_T.c.prefix)):
                found[uscc].append(prefix)
        return found

    def set_upstream(self, prefix: str, state: str) -> None:
        """Remember what the top node said about a prefix."""
        with writing(self._engine) as connection:
            connection.execute(update(_T).where(_T.c.prefix == prefix).values(upstream=state))

    def replay(self) -> int:
        """Bring the record store up to date with the rows; returns how many were behind."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(_T).where(~_T.c.projected)).all()
        self.change([prefix_row(row) for row in rows])
        return len(rows)

    def rehome(self) -> None:
        """Write every active prefix again: after this node's address changed."""
        self.project(self.all())

    def change(self, rows: Sequence[PrefixRow]) -> None:
        """Write prefixes that are served otherwise now, and what follows them."""
        for row in rows:
            self.follow(row)
        self.project(rows)

    def project(self, rows: Sequence[PrefixRow]) -> None:
        """Write prefixes to the record store and mark them done."""
        owners = self._owners([row.uscc for row in rows])
        for row in rows:
            self._project(row, owners.get(row.uscc, ""))
        if rows:
            done = [row.prefix for row in rows]
            with writing(self._engine) as connection:
                for start in range(0, len(done), 500):
                    some = done[start : start + 500]
                    query = update(_T).where(_T.c.prefix.in_(some))
                    connection.execute(query.values(projected=True))

    def _owners(self, usccs: Sequence[str]) -> dict[str, str]:
        """Names of the enterprises with these credit codes."""
        table, found = schema.enterprise, dict[str, str]()
        with reading(self._engine) as connection:
            for start in range(0, len(usccs), 500):
                query = select(table.c.uscc, table.c.name)
                some = query.where(table.c.uscc.in_(usccs[start : start + 500]))
                found.update((one.uscc, one.name) for one in connection.execute(some))
        return found

    def _project(self, row: PrefixRow, owner: str) -> None:
        name = f"{PREFIX_HOME}/{row.prefix}"
        if row.state != ACTIVE:
            if self._records.is_homed(row.prefix):
                self._records.unhome(row.prefix)
            self._records.delete_many([name])
        elif row.mode == Mode.HOSTED:
            home_prefixes(self._records, (row.prefix,), self._site, owner)
        else:
            if self._records.is_homed(row.prefix):
                self._records.unhome(row.prefix)
            form = row.site or SiteForm()
            site = None if form.service else site_at(form.host, form.port, form.http_port)
            told = HandleValue(_OWNER_INDEX, "OWNER", owner.encode())
            values = (referral_value(site, form.service), *((told,) if owner else ()))
            now = int(time.time())
            stamped = (replace(one, timestamp=now) for one in values)
            self._records.put(Record(name, (*stamped, prefix_admin(row.prefix, ALL_RIGHTS))))


def find(connection: Connection, prefix: str) -> PrefixRow:
    """One prefix; raises NotFound ``secondlevel.prefix-unknown``."""
    row = connection.execute(select(_T).where(_T.c.prefix == prefix)).first()
    if row is None:
        raise NotFound("secondlevel.prefix-unknown", prefix=prefix)
    return prefix_row(row)


def give(
    connection: Connection,
    prefix: str,
    uscc: str,
    mode: Mode,
    site: SiteForm | None,
    now_ms: int,
    *,
    upstream: str = "pending",
) -> PrefixRow:
    """Insert or change the row of a prefix (inside the caller's transaction)."""
    values = {
        "uscc": uscc,
        "mode": mode.value,
        "site": msgspec.json.encode(site).decode(),
        "state": ACTIVE,
        "changed_at_ms": now_ms,
        "projected": False,
        "upstream": upstream,
    }
    found = connection.execute(select(_T).where(_T.c.prefix == prefix)).first()
    if found is None:
        values |= {"prefix": prefix, "since_ms": now_ms}
        connection.execute(insert(_T).values(values))
    else:
        connection.execute(update(_T).where(_T.c.prefix == prefix).values(values))
    return prefix_row(connection.execute(select(_T).where(_T.c.prefix == prefix)).one())


def leave(connection: Connection, prefix: str, now_ms: int) -> PrefixRow:
    """Take a prefix out of use (inside the caller's transaction)."""
    connection.execute(
        update(_T)
        .where(_T.c.prefix == prefix)
        .values(state=LEFT, changed_at_ms=now_ms, projected=False, upstream="pending")
    )
    return prefix_row(connection.execute(select(_T).where(_T.c.prefix == prefix)).one())


def served(uscc: str = "") -> Select[tuple[str]]:
    """Prefixes in use and hosted here, of one tenant if given.

    Only names under these are found and counted: rows under a prefix that was left, or that the
    enterprise serves itself now, are kept for its return and mean nothing meanwhile.
    """
    query = select(_T.c.prefix).where(_T.c.state == ACTIVE, _T.c.mode == Mode.HOSTED.value)
    return query.where(_T.c.uscc == uscc) if uscc else query


def held(connection: Connection, uscc: str) -> int:
    """How many prefixes a tenant has in use."""
    query = select(func.count()).where(_T.c.uscc == uscc, _T.c.state == ACTIVE)
    return connection.execute(query).scalar_one()


def prefix_row(row: Row[tuple[object, ...]]) -> PrefixRow:
    """A table row as a record."""
    return PrefixRow(
        prefix=row.prefix,
        uscc=row.uscc,
        mode=Mode(row.mode),
        site=msgspec.json.decode(row.site, type=SiteForm | None),
        state=row.state,
        upstream=row.upstream,
        since_ms=row.since_ms,
        changed_at_ms=row.changed_at_ms,
    )
