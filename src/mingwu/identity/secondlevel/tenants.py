"""Tenants: quotas (Handle codes 603, 604, 605) and permission groups.

Requests are counted by day (``usagecounts``). The record store tells the resolver the limits, which
it holds itself where it keeps the signed log (``usage.dayquota``); without one it is told whom to
refuse, a round of duties late. Registrations are counted in the transaction that stores them.
"""

import ipaddress
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import WORDS, ApplicationForm, Quota, Tenant
from mingwu.identity.secondlevel.outbox import stamp
from mingwu.identity.secondlevel.prefixes import ACTIVE, held, served
from mingwu.kernel import causes
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import Denied, InvalidInput, NotFound, Overloaded
from mingwu.store.engine import reading, writing

_E, _G, _P, _I = schema.enterprise, schema.group, schema.prefix, schema.identifier
DEFAULT_GROUP = "tenant"
PERMISSIONS = ("register", "query", "query-all", "export", "manage")
GROUPS = (
    ("tenant", "普通租户", "Tenant", ("register", "query", "export")),
    ("reader", "只读租户", "Read-only tenant", ("query",)),
    ("regulator", "主管部门", "Authority", ("query", "query-all", "export")),
    ("suspended", "已暂停", "Suspended", ()),
)


class Tenants:
    """Enterprises of the node, their limits and groups."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def ensure_groups(self) -> None:
        """Add the groups that ship with the node where they are missing."""
        with writing(self._engine) as connection:
            known = set(connection.execute(select(_G.c.name)).scalars())
            for name, zh, en, permissions in GROUPS:
                if name not in known:
                    told = " ".join(permissions)
                    connection.execute(insert(_G).values(name=name, zh=zh, en=en, permissions=told))

    def get(self, uscc: str) -> Tenant:
        """One tenant; raises NotFound ``secondlevel.tenant-unknown``."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_E).where(_E.c.uscc == uscc)).first()
        if row is None:
            raise NotFound("secondlevel.tenant-unknown", uscc=uscc)
        return _tenant(row)

    def some(self, usccs: Collection[str]) -> dict[str, Tenant]:
        """Those of these tenants that are known, by credit code."""
        query = select(_E).where(_E.c.uscc.in_(usccs))
        with reading(self._engine) as connection:
            return {row.uscc: _tenant(row) for row in connection.execute(query)}

    def all(self) -> list[Tenant]:
        """All tenants by credit code."""
        with reading(self._engine) as connection:
            return [_tenant(row) for row in connection.execute(select(_E).order_by(_E.c.uscc))]

    def set_quota(self, uscc: str, quota: Quota) -> Tenant:
        """Give a tenant other limits."""
        return self.change(uscc, quota=quota)

    def set_group(self, uscc: str, group: str) -> Tenant:
        """Put a tenant into a permission group; NotFound for a group that does not exist."""
        return self.change(uscc, group=group)

    def change(
        self,
        uscc: str,
        *,
        quota: Quota | None = None,
        group: str = "",
        networks: Sequence[str] | None = None,
    ) -> Tenant:
        """Give a tenant other limits, another group, other networks: all of it or nothing."""
        values: dict[str, object] = {}
        if quota is not None:
            values |= {"max_prefixes": quota.prefixes, "max_identifiers": quota.identifiers,
                       "daily_requests": quota.daily_requests}  # fmt: skip
        if group:
            values["group_name"] = group
        if networks is not None:
            values["networks"] = " ".join(_network(one) for one in networks)
        with writing(self._engine) as connection:
            known = select(_G.c.name).where(_G.c.name == group)
            if group and not connection.execute(known).first():
                raise NotFound("secondlevel.not-granted", group=group, permission=WORDS["be used"])
            values["changed_at_ms"] = stamp(connection, self._clock)
            done = connection.execute(update(_E).where(_E.c.uscc == uscc).values(values))
            if not done.rowcount:
                raise NotFound("secondlevel.tenant-unknown", uscc=uscc)
        return self.get(uscc)

    def require(self, uscc: str, permission: str) -> None:
        """Raise Denied ``secondlevel.not-granted`` unless the tenant's group may."""
        with reading(self._engine) as connection:
            require(connection, uscc, permission)

    def may(self, uscc: str, permission: str) -> bool:
        """Whether the tenant's group has the permission."""
        with reading(self._engine) as connection:
            return may(connection, uscc, permission)

    def owner_networks(self) -> dict[str, tuple[str, ...]]:
        """Prefix in use → networks of the enterprise that holds it, where they are known."""
        query = select(_P.c.prefix, _E.c.networks).join(_E, _E.c.uscc == _P.c.uscc)
        query = query.where(_P.c.state == ACTIVE, _E.c.networks != "")
        with reading(self._engine) as connection:
            return {row[0]: tuple(row[1].split()) for row in connection.execute(query)}

    def over_quota(self, day: str) -> frozenset[str]:
        """Prefixes of tenants whose requests of a Beijing day have reached their limit (603)."""
        daily = schema.daily
        used = (
            select(_P.c.uscc)
            .join(daily, daily.c.prefix == _P.c.prefix)
            .join(_E, _E.c.uscc == _P.c.uscc)
            .where(daily.c.day == day, _P.c.state == ACTIVE)
            .group_by(_P.c.uscc, _E.c.daily_requests)
            .having(func.sum(daily.c.requests) >= _E.c.daily_requests)
        )
        query = select(_P.c.prefix).where(_P.c.state == ACTIVE, _P.c.uscc.in_(used))
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def daily_limits(self) -> dict[str, tuple[str, int]]:
        """Of each prefix in use: its tenant, and the requests a day that its prefixes share."""
        query = select(_P.c.prefix, _P.c.uscc, _E.c.daily_requests).join(_E, _E.c.uscc == _P.c.uscc)
        with reading(self._engine) as connection:
            rows = connection.execute(query.where(_P.c.state == ACTIVE)).all()
        return {row.prefix: (row.uscc, row.daily_requests) for row in rows}


def _network(text: str) -> str:
    """A CIDR text as it is kept; raises InvalidInput ``input.invalid``."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise InvalidInput("input.invalid", path="$.networks", fault=causes.told(error)) from error


def check_prefix_quota(connection: Connection, uscc: str, default: int) -> None:
    """Raise Overloaded ``secondlevel.prefix-limit`` (605) when a tenant holds all it may."""
    limit = connection.execute(select(_E.c.max_prefixes).where(_E.c.uscc == uscc)).scalar()
    limit = default if limit is None else limit
    if held(connection, uscc) >= limit:
        raise Overloaded("secondlevel.prefix-limit", uscc=uscc, limit=limit)


def room(connection: Connection, uscc: str) -> tuple[int, int]:
    """(identifiers a tenant has, identifiers it may have)."""
    query = select(func.count()).where(_I.c.prefix.in_(served(uscc)), ~_I.c.deleted)
    limit = connection.execute(select(_E.c.max_identifiers).where(_E.c.uscc == uscc)).scalar()
    return connection.execute(query).scalar_one(), limit or 0


def require(connection: Connection, uscc: str, permission: str) -> None:
    """Raise Denied ``secondlevel.not-granted`` unless the tenant's group has the permission."""
    query = (
        select(_G.c.name, _G.c.permissions)
        .join(_E, _E.c.group_name == _G.c.name)
        .where(_E.c.uscc == uscc)
    )
    row = connection.execute(query).first()
    if row is None or permission not in row.permissions.split():
        group = row.name if row else "—"
        told = WORDS.get(permission, permission)
        raise Denied("secondlevel.not-granted", group=group, permission=told)


def may(connection: Connection, uscc: str, permission: str) -> bool:
    """Whether the tenant's group has the permission."""
    try:
        require(connection, uscc, permission)
    except Denied:
        return False
    return True


def _tenant(row: Row[tuple[object, ...]]) -> Tenant:
    return Tenant(
        uscc=row.uscc,
        name=row.name,
        industry=row.industry,
        state=row.state,
        group=row.group_name,
        quota=Quota(
            prefixes=row.max_prefixes,
            identifiers=row.max_identifiers,
            daily_requests=row.daily_requests,
        ),
        form=msgspec.json.decode(row.profile, type=ApplicationForm),
        changed_at_ms=row.changed_at_ms,
        networks=tuple(row.networks.split()),
    )
