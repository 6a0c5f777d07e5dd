"""Roles and what they may do. A role may all that the one below it may."""

from enum import StrEnum

from mingwu.kernel.errors import Denied


class Permission(StrEnum):
    """One thing somebody may do."""

    READ = "read"
    EXPORT = "export"
    ACKNOWLEDGE = "acknowledge"
    OPERATE = "operate"
    CONFIGURE = "configure"
    REGISTER = "register"
    ACCOUNTS = "accounts"
    JOURNAL = "journal"
    SYSTEM = "system"


class Role(StrEnum):
    """Roles, weakest first."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"


_ADDS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ, Permission.EXPORT}),
    Role.OPERATOR: frozenset({Permission.ACKNOWLEDGE, Permission.OPERATE}),
    Role.ENGINEER: frozenset({Permission.CONFIGURE, Permission.REGISTER}),
    Role.ADMIN: frozenset({Permission.ACCOUNTS, Permission.JOURNAL, Permission.SYSTEM}),
}
_ORDER = list(Role)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    role: frozenset().union(*(_ADDS[lower] for lower in _ORDER[: at + 1]))
    for at, role in enumerate(_ORDER)
}


def may(role: Role, permission: Permission) -> bool:
    """Whether the role has the permission."""
    return permission in PERMISSIONS[role]


def require(role: Role, permission: Permission) -> None:
    """Raise Denied ``trust.no-permission`` unless the role has the permission."""
    if not may(role, permission):
        raise Denied("trust.no-permission", role=role.value, permission=permission.value)


def weaker(one: Role, other: Role) -> Role:
    """The weaker of two roles."""
    return min(one, other, key=_ORDER.index)
