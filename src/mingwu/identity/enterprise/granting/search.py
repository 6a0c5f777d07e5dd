"""Finding grants: by grantee, kind of grantee, template, identifier; with the words to show them.

Grantees and targets are stored folded; here they get back the spelling and the labels of the group,
application, template or identifier they mean, each looked up once per page.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.granting.grants import GROUP, Grant, May, Scope, read_grants
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold

PUBLIC = "*"
_PREFIX_RECORD = "0.NA/"
_MAX_PAGE = 500


class Who(StrEnum):
    """What kind of grantee a name is."""

    PUBLIC = "public"
    GROUP = "group"
    ACCOUNT = "account"
    APPLICATION = "application"
    ENTERPRISE = "enterprise"
    IDENTITY = "identity"


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


def grants_found(connection: Connection, search: GrantSearch) -> tuple[list[Told], int]:
    """A page of grants, latest first, and how many match."""
    table, where = schema.grant, _terms(connection, search)
    count = connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    order = (table.c.at_ms.desc(), table.c.grantee, table.c.target, table.c.item)
    query = select(table).where(*where).order_by(*order)
    page = query.offset(search.offset).limit(search.limit)
    return worded(connection, read_grants(connection.execute(page).mappings())), count


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


def worded(connection: Connection, grants: Sequence[Grant]) -> list[Told]:
    """Grants with the words of their grantees and targets, each looked up once."""
    keys = {one.grantee for one in grants}
    groups = group_labels(connection, keys)
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


def group_labels(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The labels of those grantees that are groups, by grantee."""
    names = {key[len(GROUP) :] for key in keys if key.startswith(fold(GROUP))}
    table = schema.group
    query = select(table.c.name, table.c.zh, table.c.en).where(table.c.name.in_(names))
    return {fold(GROUP + name): (zh, en) for name, zh, en in connection.execute(query)}
