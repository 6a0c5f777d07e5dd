"""Asking about access: who is meant by a grantee, and why somebody may read what.

An explanation is made from the same grants that decide (``grants.Grants.effective``), name by name
and item by item, and says every reason there is, not only the first. Administrators of a record
(HS_ADMIN with the right to read) are told for handle identities; those of the whole node stand in
its configuration and are not looked up here. All methods block (SQL).
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, Engine, select

from mingwu.identity.access.authority import readable as admin_readable
from mingwu.identity.access.authority import rights
from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.granting.grants import (
    EVERYTHING,
    Grants,
    Group,
    May,
    grantees,
    names_of,
)
from mingwu.identity.enterprise.granting.readings import reading_items
from mingwu.identity.enterprise.granting.search import (
    PUBLIC,
    GrantSearch,
    Told,
    Who,
    grants_found,
    group_labels,
    kind_of,
    worded,
)
from mingwu.identity.enterprise.lifecycle import RESOLVABLE, State
from mingwu.identity.enterprise.model import Identifier, Item, Template
from mingwu.identity.records import RecordStore
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.store.engine import reading
from mingwu.wire.handle.codes import AdminRight
from mingwu.wire.handle.values import Reference

_GROUP_CHARS = 64
_GRANTEE_CHARS = 300


class Because(StrEnum):
    """Why somebody may read or change a value."""

    PUBLIC = "public"  # the item is not restricted
    OPEN = "open"  # the identifier is open to everybody
    OWNER = "owner"
    ROLE = "role"
    GRANT = "grant"
    ADMIN = "admin"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason. ``via``: the group or handle by which a grant reaches the asker."""

    because: Because
    grant: Told | None = None
    via: str = ""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One item of an identifier, and what somebody may do with it, and why."""

    index: int
    type: str
    name_zh: str
    name_en: str
    restricted: bool
    filled: bool
    read: list[Reason]
    change: list[Reason]


class Inquired(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as explanations see them. ``may_all``: the role reads and changes everything."""

    who: str
    kind: Who
    names: tuple[str, ...]
    label_zh: str = ""
    label_en: str = ""
    role: str = ""
    may_all: bool = False
    known: bool = True
    enabled: bool = True
    groups: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Who may see what of one identifier, and why."""

    name: str
    owner: str
    state: State
    resolves: bool
    template: int
    template_zh: str
    template_en: str
    own: bool
    is_public: bool
    asker: Inquired
    items: list[Sight]


class AccessDesk:
    """Questions about the access of one store."""

    def __init__(self, engine: Engine, grants: Grants, store: RecordStore) -> None:
        self._engine = engine
        self._grants = grants
        self._store = store

    # -- grants in pages ------------------------------------------------------------------------

    def search(self, search: GrantSearch) -> tuple[list[Told], int]:
        """A page of grants, latest first, and how many match."""
        with reading(self._engine) as connection:
            return grants_found(connection, search)

    def of_name(self, name: str, template: int) -> tuple[list[Told], bool, bool]:
        """All grants that count for an identifier; whether it has access of its own; is open."""
        found = self._grants.effective(name, template, None)
        with reading(self._engine) as connection:
            return worded(connection, found.grants), found.own, found.is_public

    # -- who ------------------------------------------------------------------------------------

    def asker(self, who: str) -> Inquired:
        """What is known here about a grantee; accounts are known to the caller only."""
        kind = kind_of(who)
        with reading(self._engine) as connection:
            if kind is Who.GROUP:
                labels = group_labels(connection, {fold(who)})
                label = labels.get(fold(who))
                found = label or ("", "")
                return Inquired(who=who, kind=kind, names=(who,), known=label is not None,
                             label_zh=found[0], label_en=found[1])  # fmt: skip
            table = schema.application
            row = connection.execute(select(table).where(table.c.handle_key == fold(who))).first()
            if row is not None:
                names: tuple[str, ...] = (row.handle,)
                return Inquired(who=row.handle, kind=Who.APPLICATION, names=names,
                             label_zh=row.title, label_en=row.title, enabled=row.enabled,
                             groups=_group_names(connection, names))  # fmt: skip
            names = () if kind is Who.PUBLIC else (who,)
            if kind in {Who.IDENTITY, Who.ENTERPRISE} and (reference := _reference(who)):
                names = names_of(reference)
            return Inquired(who=who, kind=kind, names=names, groups=_group_names(connection, names))

    # -- why ------------------------------------------------------------------------------------

    def explain(self, identifier: Identifier, template: Template, asker: Inquired) -> Explanation:
        """Item by item what ``asker`` may read and change of an identifier, and why."""
        row = identifier.row
        found = self._grants.effective(row.name, template.number, asker.names)
        with reading(self._engine) as connection:
            grants = worded(connection, found.grants)
        is_owner = fold(row.owner) in {fold(name) for name in asker.names}
        shared = [Reason(because=Because.OWNER)] if is_owner else []
        shared += [Reason(because=Because.ROLE)] if asker.may_all else []
        opened = [Reason(because=Because.OPEN)] if found.is_public else []
        administered = self._administered(row.name, asker)
        acts = asker.kind in {Who.ACCOUNT, Who.APPLICATION, Who.GROUP}
        readings = reading_items(self._store, row.name)
        filled = {value.index for value in identifier.values} | {one.index for one in readings}
        items = []
        for item in (*template.definition.items, *readings):
            given = [_reason(one, asker) for one in grants if one.item in {EVERYTHING, item.type}]
            written = [one for one in given if one.grant and one.grant.may is May.WRITE]
            read = [Reason(because=Because.PUBLIC)]
            if item.restricted:
                admin = [Reason(because=Because.ADMIN)] if item.index in administered else []
                read = [*shared, *opened, *given, *admin]
            change = [] if item in readings else [*shared, *(written if acts else [])]
            items.append(_sight(item, item.index in filled, read, change))
        return Explanation(
            name=row.name, owner=row.owner, state=row.state, resolves=row.state in RESOLVABLE,
            template=template.number, template_zh=template.definition.name_zh,
            template_en=template.definition.name_en, own=found.own, is_public=found.is_public,
            asker=asker, items=items,
        )  # fmt: skip

    def _administered(self, name: str, asker: Inquired) -> frozenset[int]:
        """Indexes that the record's own administrators may read, when the asker is one."""
        who = _reference(asker.who)
        record = self._store.get(name)
        if who is None or record is None or asker.kind not in {Who.IDENTITY, Who.ENTERPRISE}:
            return frozenset()
        granted = rights(record, who, self._store.get) or 0
        if not granted & AdminRight.READ_VALUE:
            return frozenset()
        return admin_readable(record) | frozenset(self._store.unpublished(name).values())


def checked_group(group: Group) -> Group:
    """A group as it may be stored; InvalidInput where a name or a member is none."""
    if not group.name.strip() or len(group.name) > _GROUP_CHARS or not group.name.isprintable():
        raise InvalidInput(
            "input.invalid",
            path="name",
            fault=Phrase("1 to 64 printable characters", "应为 1 至 64 个可见字符"),
        )
    for member in group.members:
        if kind_of(member) in {Who.GROUP, Who.PUBLIC}:
            fault = Phrase(
                "groups have people, programs and enterprises as members, not groups",
                "身份组的成员为人员、应用和企业，不能是身份组",
            )
            raise InvalidInput("input.invalid", path="members", fault=fault)
        checked_grantee(member, path="members")
    return group


def checked_grantee(who: str, *, path: str = "grantee") -> str:
    """A grantee as it may be stored."""
    if not who.strip() or len(who) > _GRANTEE_CHARS or not who.isprintable() or who == PUBLIC:
        raise InvalidInput(
            "input.invalid",
            path=path,
            fault=Phrase("an account, a handle or group:NAME", "应为账号、标识或 group:名称"),
        )
    return who


def _reference(who: str) -> Reference | None:
    """``INDEX:HANDLE`` or ``HANDLE`` (index 0: any key of it)."""
    index, colon, handle = who.partition(":")
    if colon and index.isdigit():
        return Reference(handle, int(index)) if handle else None
    return Reference(who, 0) if "/" in who else None


def _sight(item: Item, filled: bool, read: list[Reason], change: list[Reason]) -> Sight:
    return Sight(
        index=item.index, type=item.type, name_zh=item.name_zh, name_en=item.name_en,
        restricted=item.restricted, filled=filled, read=read, change=change,
    )  # fmt: skip


def _reason(grant: Told, asker: Inquired) -> Reason:
    direct = {fold(name) for name in asker.names}
    return Reason(because=Because.GRANT, grant=grant,
                  via="" if fold(grant.grantee) in direct else grant.grantee)  # fmt: skip


def _group_names(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """The groups somebody is in, as grantees."""
    direct = {fold(name) for name in names}
    return tuple(one for one in grantees(connection, names) if one not in direct)
