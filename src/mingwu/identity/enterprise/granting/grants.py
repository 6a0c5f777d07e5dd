"""Who may see and change restricted values: identity groups × identifiers × items.

A grantee is an account, a handle identity or a group (``group:NAME``). A grant speaks of a
template (all its identifiers, 同类授权) or of one identifier (单个授权), of one item or all, and
of reading or writing; writing includes reading. An identifier may be given access of its own:
then grants of its template do not count for it; access of its own may be open to everybody
(:func:`open_keys`). Public items need no grant. Handle identities are
written as HANDLE, or INDEX:HANDLE for one key of it. All methods block (SQL).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, insert, or_, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.model import Actor, IdentifierRow, Item, Template
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.store.engine import lock, reading, writing
from mingwu.wire.handle.values import Reference

EVERYTHING = "*"
GROUP = "group:"
_LOCK = "enterprise-grants"
_CHUNK = 500


class Scope(StrEnum):
    """What a grant speaks of."""

    TEMPLATE = "template"
    IDENTIFIER = "identifier"


class May(StrEnum):
    """What a grant allows."""

    READ = "read"
    WRITE = "write"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One grant. ``target``: number of a template as text, or an identifier."""

    grantee: str
    scope: Scope
    target: str
    item: str = EVERYTHING
    may: May = May.READ
    granted_by: str = ""
    at_ms: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """An identity group with its members."""

    name: str
    zh: str = ""
    en: str = ""
    members: tuple[str, ...] = ()


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one identifier and one asker.

    ``own``: it has access of its own, so its template's grants do not count; ``is_public``:
    everybody may read it.
    """

    grants: tuple[Grant, ...]
    own: bool = False
    is_public: bool = False


class Grants:
    """Groups and grants of a store."""

    def __init__(self, engine: Engine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms

    # -- groups -------------------------------------------------------------------------------

    def put_group(self, group: Group) -> None:
        """Create a group or give it these names and members."""
        key, table = fold(group.name), schema.member
        with writing(self._engine) as connection:
            lock(connection, _LOCK)
            connection.execute(delete(schema.group).where(schema.group.c.name == key))
            connection.execute(delete(table).where(table.c.group_name == key))
            connection.execute(insert(schema.group).values(name=key, zh=group.zh, en=group.en))
            members = sorted({fold(member) for member in group.members})
            if members:
                rows = [{"group_name": key, "member": member} for member in members]
                connection.execute(insert(table), rows)

    def groups(self) -> list[Group]:
        """All groups by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.group).order_by("name")).mappings().all()
            members: dict[str, list[str]] = {}
            table = schema.member
            query = select(table.c.group_name, table.c.member).order_by(table.c.member)
            for group, member in connection.execute(query):
                members.setdefault(group, []).append(member)
        return [
            Group(
                name=row["name"], zh=row["zh"], en=row["en"],
                members=tuple(members.get(row["name"], ())),
            )
            for row in rows
        ]  # fmt: skip

    def remove_group(self, name: str) -> None:
        """Forget a group and what was granted to it; NotFound ``enterprise.group-unknown``."""
        key = fold(name)
        with writing(self._engine) as connection:
            gone = connection.execute(delete(schema.group).where(schema.group.c.name == key))
            if not gone.rowcount:
                raise NotFound("enterprise.group-unknown", group=name)
            connection.execute(delete(schema.member).where(schema.member.c.group_name == key))
            table = schema.grant
            connection.execute(delete(table).where(table.c.grantee == fold(GROUP + key)))

    # -- grants -------------------------------------------------------------------------------

    def grant(self, grants: Iterable[Grant], *, actor: str) -> None:
        """Grant; what is granted already stays as it is."""
        with writing(self._engine) as connection:
            lock(connection, _LOCK)
            for one in grants:
                self._check_grantee(connection, one.grantee)
                key = _key(one)
                here = _same(key)
                if connection.execute(select(schema.grant.c.may).where(here)).first() is None:
                    row = {**key, "granted_by": actor, "at_ms": self._now_ms()}
                    connection.execute(insert(schema.grant).values(row))

    def revoke(self, grants: Iterable[Grant]) -> int:
        """Take grants back; returns how many there were."""
        with writing(self._engine) as connection:
            return sum(
                connection.execute(delete(schema.grant).where(_same(_key(one)))).rowcount
                for one in grants
            )

    def list(self, scope: Scope | None = None, target: str = "") -> list[Grant]:
        """Grants, of one target or all."""
        table = schema.grant
        query = select(table).order_by(table.c.target, table.c.grantee, table.c.item)
        if scope is not None:
            query = query.where(table.c.scope == scope.value)
        if target:
            query = query.where(table.c.target == fold(target))
        with reading(self._engine) as connection:
            return read_grants(connection.execute(query).mappings())

    @staticmethod
    def set_own_access(
        connection: Connection, name: str, *, own: bool, is_public: bool = False
    ) -> None:
        """Store whether an identifier has access of its own (``EnterpriseNode.set_access``)."""
        key, table = fold(name), schema.own_access
        connection.execute(delete(table).where(table.c.key == key))
        if own:
            connection.execute(insert(table).values(key=key, is_public=is_public))

    @staticmethod
    def _check_grantee(connection: Connection, grantee: str) -> None:
        if fold(grantee).startswith(fold(GROUP)):
            name = fold(grantee)[len(GROUP) :]
            query = select(schema.group.c.name).where(schema.group.c.name == name)
            if connection.execute(query).first() is None:
                raise NotFound("enterprise.group-unknown", group=name)

    # -- asking -------------------------------------------------------------------------------

    def readable(
        self,
        name: str,
        template: Template,
        askers: Iterable[str],
        readings: Iterable[Item] = (),
    ) -> frozenset[int]:
        """Indexes of restricted items of ``name`` that somebody known by ``askers`` may read.

        ``readings``: further ones that the name has (``granting.readings``).
        """
        items = (*template.definition.items, *readings)
        restricted = {item.type: item.index for item in items if item.restricted}
        if not restricted:
            return frozenset()
        key = fold(name)
        with reading(self._engine) as connection:
            found = _effective(connection, key, template.number, grantees(connection, askers))
        granted = {one.item for one in found.grants}
        if found.is_public or EVERYTHING in granted:
            return frozenset(restricted.values())
        return frozenset(index for kind, index in restricted.items() if kind in granted)

    def writable(
        self, connection: Connection, known: Mapping[str, Mapping[str, Any]], actor: Actor
    ) -> dict[str, frozenset[str]]:
        """Per identifier (key, row) the item types that ``actor`` may change by grants."""
        found = {}
        for key, row in known.items():
            if fold(row["owner"]) in actor.names:
                continue
            names = grantees(connection, actor.names)
            here = _effective(connection, key, row["template"], names).grants
            granted = frozenset(one.item for one in here if one.may is May.WRITE)
            if granted:
                found[key] = granted
        return found

    def effective(self, name: str, template: int, askers: Iterable[str] | None) -> Effective:
        """The grants that count for an identifier; for somebody known by ``askers``, or all."""
        with reading(self._engine) as connection:
            names = None if askers is None else grantees(connection, askers)
            return _effective(connection, fold(name), template, names)

    def changeable(self, row: IdentifierRow, actor: Actor) -> frozenset[str]:
        """The item types of one identifier that ``actor`` may change by grants."""
        key = fold(row.name)
        with reading(self._engine) as connection:
            known = {key: msgspec.structs.asdict(row)}
            return self.writable(connection, known, actor).get(key, frozenset())


def _effective(
    connection: Connection, key: str, template: int, names: Sequence[str] | None
) -> Effective:
    """The grants of ``names`` (None: everybody's) that count for an identifier."""
    own = connection.execute(
        select(schema.own_access.c.is_public).where(schema.own_access.c.key == key)
    ).scalar_one_or_none()
    table = schema.grant
    target = and_(table.c.scope == Scope.IDENTIFIER.value, table.c.target == key)
    if own is None:
        whole = and_(table.c.scope == Scope.TEMPLATE.value, table.c.target == str(template))
        target = or_(target, whole)
    query = select(table).where(target).order_by(table.c.grantee, table.c.item, table.c.may)
    if names is not None:
        query = query.where(table.c.grantee.in_(names))
    grants = tuple(read_grants(connection.execute(query).mappings()))
    return Effective(grants=grants, own=own is not None, is_public=bool(own))


def open_keys(connection: Connection, keys: Sequence[str] | None = None) -> set[str]:
    """Which of these names (folded; None: of all) everybody may read whole.

    Their restricted values are public wherever they are told: by this node's own interfaces
    (:class:`Effective`) and, as records are written accordingly, by every resolver.
    """
    table = schema.own_access
    query = select(table.c.key).where(table.c.is_public)
    if keys is None:
        return set(connection.execute(query).scalars())
    if connection.execute(query.limit(1)).first() is None:
        return set()
    found: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        found.update(connection.execute(query.where(table.c.key.in_(chunk))).scalars())
    return found


def grantees(connection: Connection, askers: Iterable[str]) -> list[str]:
    """The folded names under which an asker may have been granted something."""
    names = {fold(asker) for asker in askers if asker}
    table = schema.member
    query = select(table.c.group_name).where(table.c.member.in_(names))
    groups = {fold(GROUP + group) for group in connection.execute(query).scalars()}
    return sorted(names | groups)


def read_grants(rows: Iterable[Mapping[Any, Any]]) -> list[Grant]:
    """Rows of the table as grants."""
    data = [{str(name): value for name, value in row.items()} for row in rows]
    return msgspec.convert(data, list[Grant])


def names_of(who: Reference) -> tuple[str, str]:
    """How grants may name a handle identity: by its key, or by the handle alone."""
    return str(who), who.handle


def _key(grant: Grant) -> dict[str, str]:
    return {
        "grantee": fold(grant.grantee),
        "scope": grant.scope.value,
        "target": fold(grant.target),
        "item": grant.item,
        "may": grant.may.value,
    }


def _same(key: Mapping[str, str]) -> Any:
    return and_(*(schema.grant.c[name] == value for name, value in key.items()))
