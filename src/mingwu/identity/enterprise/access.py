"""Asking about access: grants in pages, who is meant by a grantee, and why somebody may read what.

An explanation is made from the same grants that decide (``grants.Grants.effective``), name by name
and item by item, and says every reason there is, not only the first. Administrators of a record
(HS_ADMIN with the right to read) are told for handle identities; those of the whole node stand in
its configuration and are not looked up here. All methods block (SQL).
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select

from mingwu.identity.access.authority import readable as admin_readable
from mingwu.identity.access.authority import rights
from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.grants import (
    EVERYTHING,
    GROUP,
    Grant,
    Grants,
    Group,
    May,
    Scope,
    grantees,
    names_of,
    read_grants,
)
from mingwu.identity.enterprise.lifecycle import RESOLVABLE, State
from mingwu.identity.enterprise.model import Identifier, Item, Template
from mingwu.identity.records import RecordStore
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.store.engine import reading
from mingwu.wire.handle.codes import AdminRight
from mingwu.wire.handle.values import Reference

PUBLIC = "*"
_PREFIX_RECORD = "0.NA/"
_MAX_PAGE = 500
_GROUP_CHARS = 64
_GRANTEE_CHARS = 300


class Who(StrEnum):
    """What kind of grantee a name is."""

    PUBLIC = "public"
    GROUP = "group"
    ACCOUNT = "account"
    APPLICATION = "application"
    ENTERPRISE = "enterprise"
    IDENTITY = "identity"


class Because(StrEnum):
    """Why somebody may read or change a value."""

    PUBLIC = "public"  # the item is not restricted
    OPEN = "open"  # the identifier is open to everybody
    OWNER = "owner"
    ROLE = "role"
    GRANT = "grant"
    ADMIN = "admin"


class GrantSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which grants. ``name``: those of an identifier and of its template; ``text``: part of a
    grantee or an identifier.
    """

    text: Annotated[str, Meta(max_length=255)] = ""
    grantee: str = ""
    kind: Who | None = None
    scope: Scope | None = None
    target: str = ""
    template: int | None = None
    name: str = ""
    item: str = ""
    may: May | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=_MAX_PAGE)] = 100


class Told(Grant, frozen=True, kw_only=True):
    """A grant with words: what its grantee is and is called, and what its target is called."""

    kind: Who
    label_zh: str = ""
    label_en: str = ""
    target_zh: str = ""
    target_en: str = ""


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
        table = schema.grant
        with reading(self._engine) as connection:
            where = _terms(connection, search)
            total = select(func.count()).select_from(table).where(*where)
            count = connection.execute(total).scalar_one()
            order = (table.c.at_ms.desc(), table.c.grantee, table.c.target, table.c.item)
            query = select(table).where(*where).order_by(*order)
            page = query.offset(search.offset).limit(search.limit)
            grants = read_grants(connection.execute(page).mappings())
            return _worded(connection, grants), count

    def of_name(self, name: str, template: int) -> tuple[list[Told], bool, bool]:
        """All grants that count for an identifier; whether it has access of its own; is open."""
        found = self._grants.effective(name, template, None)
        with reading(self._engine) as connection:
            return _worded(connection, found.grants), found.own, found.is_public

    # -- who ------------------------------------------------------------------------------------

    def asker(self, who: str) -> Inquired:
        """What is known here about a grantee; accounts are known to the caller only."""
        kind = kind_of(who)
        with reading(self._engine) as connection:
            if kind is Who.GROUP:
                labels = _groups(connection, {fold(who)})
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
            grants = _worded(connection, found.grants)
        is_owner = fold(row.owner) in {fold(name) for name in asker.names}
        shared = [Reason(because=Because.OWNER)] if is_owner else []
        shared += [Reason(because=Because.ROLE)] if asker.may_all else []
        opened = [Reason(because=Because.OPEN)] if found.is_public else []
        administered = self._administered(row.name, asker)
        acts = asker.kind in {Who.ACCOUNT, Who.APPLICATION, Who.GROUP}
        filled = {value.index for value in identifier.values}
        items = []
        for item in template.definition.items:
            given = [_reason(one, asker) for one in grants if one.item in {EVERYTHING, item.type}]
            written = [one for one in given if one.grant and one.grant.may is May.WRITE]
            read = [Reason(because=Because.PUBLIC)]
            if item.restricted:
                admin = [Reason(because=Because.ADMIN)] if item.index in administered else []
                read = [*shared, *opened, *given, *admin]
            change = [*shared, *(written if acts else [])]
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
        return admin_readable(record) if granted & AdminRight.READ_VALUE else frozenset()


def kind_of(who: str) -> Who:
    """What a grantee's name looks like (an application is known by the store only)."""
    key = fold(who)
    if who == PUBLIC:
        return Who.PUBLIC
    if key.startswith(fold(GROUP)):
        return Who.GROUP
    if "/" not in key:
        return Who.ACCOUNT
    handle = key.partition(":")[2] if key.split(":", 1)[0].isdigit() else key
    return Who.ENTERPRISE if handle.startswith(_PREFIX_RECORD) else Who.IDENTITY


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


# -- rows -----------------------------------------------------------------------------------------


def _terms(connection: Connection, search: GrantSearch) -> list[ColumnElement[bool]]:
    table = schema.grant
    equal = (
        (table.c.grantee, fold(search.grantee)),
        (table.c.scope, search.scope and search.scope.value),
        (table.c.target, fold(search.target)),
        (table.c.item, search.item),
        (table.c.may, search.may and search.may.value),
    )
    terms = [column == value for column, value in equal if value]
    for word in search.text.split():
        part = fold(word)
        terms.append(or_(*(column.contains(part, autoescape=True)
                           for column in (table.c.grantee, table.c.target))))  # fmt: skip
    if search.template is not None:
        terms += [table.c.scope == Scope.TEMPLATE.value, table.c.target == str(search.template)]
    if search.name:
        terms.append(_about(connection, search.name))
    if search.kind is not None:
        terms.append(_of_kind(search.kind))
    return terms


def _about(connection: Connection, name: str) -> ColumnElement[bool]:
    """The grants of an identifier, and its template's unless it has access of its own."""
    table, key = schema.grant, fold(name)
    known = schema.identifier
    template = connection.execute(
        select(known.c.template).where(known.c.key == key)
    ).scalar_one_or_none()
    if template is None:
        raise NotFound("enterprise.name-unknown", name=name[:255])
    single = and_(table.c.scope == Scope.IDENTIFIER.value, table.c.target == key)
    own = select(schema.own_access.c.key).where(schema.own_access.c.key == key)
    if connection.execute(own).first() is not None:
        return single
    whole = and_(table.c.scope == Scope.TEMPLATE.value, table.c.target == str(template))
    return or_(single, whole)


def _of_kind(kind: Who) -> ColumnElement[bool]:
    grantee = schema.grant.c.grantee
    is_group = grantee.startswith(fold(GROUP), autoescape=True)
    is_handle = grantee.contains("/", autoescape=True)
    is_prefix = or_(
        grantee.startswith(_PREFIX_RECORD, autoescape=True),
        grantee.contains(":" + _PREFIX_RECORD, autoescape=True),
    )
    is_program = grantee.in_(select(schema.application.c.handle_key))
    return {
        Who.GROUP: is_group,
        Who.ACCOUNT: and_(~is_group, ~is_handle),
        Who.APPLICATION: is_program,
        Who.ENTERPRISE: and_(~is_group, is_prefix),
        Who.IDENTITY: and_(~is_group, is_handle, ~is_prefix, ~is_program),
        Who.PUBLIC: grantee == PUBLIC,
    }[kind]


def _worded(connection: Connection, grants: Sequence[Grant]) -> list[Told]:
    """Grants with the words of their grantees and targets, each looked up once."""
    keys = {one.grantee for one in grants}
    groups = _groups(connection, keys)
    table = schema.application
    query = select(table.c.handle_key, table.c.handle, table.c.title)
    programs = {
        row[0]: row for row in connection.execute(query.where(table.c.handle_key.in_(keys)))
    }
    names, templates = _targets(connection, grants)
    found = []
    for one in grants:
        kind = kind_of(one.grantee)
        data: dict[str, Any] = msgspec.structs.asdict(one)
        zh, en = groups.get(one.grantee, ("", ""))
        if kind is Who.ACCOUNT:
            data["grantee"] = one.grantee.lower()
        elif (program := programs.get(one.grantee)) is not None:
            kind, data["grantee"] = Who.APPLICATION, program[1]
            zh = en = program[2]
        if one.scope is Scope.IDENTIFIER:
            data["target"] = names.get(one.target, one.target)
        else:
            data["target_zh"], data["target_en"] = templates.get(one.target, ("", ""))
        found.append(Told(**data, kind=kind, label_zh=zh, label_en=en))
    return found


def _targets(
    connection: Connection, grants: Iterable[Grant]
) -> tuple[Mapping[str, str], Mapping[str, tuple[str, str]]]:
    """Identifiers as they are written, and templates' names, by target."""
    known, template = schema.identifier, schema.template
    keys = {one.target for one in grants if one.scope is Scope.IDENTIFIER}
    wholes = {one.target for one in grants if one.scope is Scope.TEMPLATE}
    numbers = {int(target) for target in wholes if target.isdigit()}
    query = select(known.c.key, known.c.name).where(known.c.key.in_(keys))
    names = {str(row[0]): str(row[1]) for row in connection.execute(query)}
    columns = (template.c.number, template.c.name_zh, template.c.name_en)
    rows = connection.execute(select(*columns).where(template.c.number.in_(numbers)))
    return names, {str(number): (zh, en) for number, zh, en in rows}


def _groups(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The labels of those grantees that are groups, by grantee."""
    names = {key[len(GROUP) :] for key in keys if key.startswith(fold(GROUP))}
    table = schema.group
    query = select(table.c.name, table.c.zh, table.c.en).where(table.c.name.in_(names))
    return {fold(GROUP + name): (zh, en) for name, zh, en in connection.execute(query)}


def _group_names(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """The groups somebody is in, as grantees."""
    direct = {fold(name) for name in names}
    return tuple(one for one in grantees(connection, names) if one not in direct)
