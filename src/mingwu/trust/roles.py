"""Roles and what they may do. A role may all that the one below it may."""

from enum import StrEnum

from mingwu.kernel.catalogue import Phrase
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


WORDS: dict[str, Phrase] = {
    Permission.READ: Phrase("read", "查看"),
    Permission.EXPORT: Phrase("export", "导出"),
    Permission.ACKNOWLEDGE: Phrase("acknowledge", "确认报警"),
    Permission.OPERATE: Phrase("operate", "操作"),
    Permission.CONFIGURE: Phrase("configure", "配置"),
    Permission.REGISTER: Phrase("register", "注册标识"),
    Permission.ACCOUNTS: Phrase("accounts", "管理账号"),
    Permission.JOURNAL: Phrase("journal", "查看审计日志"),
    Permission.SYSTEM: Phrase("system", "管理系统"),
    Role.VIEWER: Phrase("viewer", "访客"),
    Role.OPERATOR: Phrase("operator", "操作员"),
    Role.ENGINEER: Phrase("engineer", "工程师"),
    Role.ADMIN: Phrase("admin", "管理员"),
}
"""Permissions and roles as sentences name them."""

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
        raise Denied("trust.no-permission", role=WORDS[role], permission=WORDS[permission])


def weaker(one: Role, other: Role) -> Role:
    """The weaker of two roles."""
    return min(one, other, key=_ORDER.index)
