"""Accounts: who may log in, with which role, and the brakes on guessing.

Invariants: passwords exist only as scrypt hashes; an unknown name costs as much time as a wrong
password and gets the same answer; there is always an enabled administrator once there was one.
Failures are counted per account and address and per address, in the store, so a restart or a
second process does not forget them; a correct password during a pause is refused too.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, Overloaded
from mingwu.store.engine import reading, writing
from mingwu.trust import schema
from mingwu.trust.passwords import check_password, generate_password, hash_password, needs_rehash
from mingwu.trust.roles import Role
from mingwu.trust.settings import LoginSettings, PasswordSettings

log = logging.getLogger(__name__)

FIRST_ADMIN = "admin"
_NAME = re.compile(r"[\w.-]{1,64}")
_MS = 1000
_MAX_PASSWORD_CHARS = 1024


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as others see it: without its password. Times are ms since the epoch."""

    name: str
    display: str
    role: Role
    must_change: bool
    enabled: bool
    language: str
    created_at_ms: int
    changed_at_ms: int


class Accounts:
    """The accounts in a store (migrated by ``Trust.open``)."""

    def __init__(
        self,
        engine: Engine,
        password: PasswordSettings,
        login: LoginSettings,
        clock: Clock,
        *,
        on_change: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._engine = engine
        self._password = password
        self._login = login
        self._clock = clock
        self._on_change = on_change
        # scrypt is hard on memory by design: not more than two at a time in one process.
        self._hashing = threading.BoundedSemaphore(2)

    def ensure_admin(self) -> str | None:
        """With no account yet, make the first administrator; its password is returned once.

        It is stored only as a hash and must be changed at the first login. None when there are
        accounts already.
        """
        anybody = select(schema.account.c.name).limit(1)
        with reading(self._engine) as connection:
            if connection.execute(anybody).first() is not None:
                return None  # the usual start: no hash is worked out
        password = generate_password()
        hashed = self._hash(password)
        with writing(self._engine) as connection:
            if connection.execute(anybody).first() is not None:
                return None
            self._insert(connection, FIRST_ADMIN, hashed, Role.ADMIN, must_change=True)
        log.info("first administrator made name=%s", FIRST_ADMIN)
        return password

    def create(
        self,
        name: str,
        password: str,
        role: Role,
        *,
        display: str = "",
        language: str = "",
        must_change: bool = False,
    ) -> Account:
        """A new account; raises InvalidInput for a bad name or password, Conflict if it exists."""
        if not _NAME.fullmatch(name):
            raise InvalidInput("trust.bad-name", name=name)
        self._check_strength(name, password)
        hashed = self._hash(password)
        try:
            with writing(self._engine) as connection:
                self._insert(
                    connection,
                    _fold(name),
                    hashed,
                    role,
                    display=display,
                    language=language,
                    must_change=must_change,
                )
        except IntegrityError as error:
            raise Conflict("trust.account-exists", name=name) from error
        return self.get(name)

    def get(self, name: str) -> Account:
        """One account; NotFound ``trust.no-account``."""
        with reading(self._engine) as connection:
            row = connection.execute(_by_name(name)).mappings().one_or_none()
        if row is None:
            raise NotFound("trust.no-account", name=name)
        return _account(row)

    def list(self) -> Sequence[Account]:
        """All accounts by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.account).order_by("name")).mappings()
            return [_account(row) for row in rows]

    def authenticate(self, name: str, password: str, *, address: str = "") -> Account:
        """The account if the password is right.

        Raises NotAuthenticated ``trust.bad-credentials`` or, during a pause, Overloaded
        ``trust.locked`` with ``wait_s``. Takes some 60 ms of CPU: call it in a thread.
        """
        brakes = self._brakes(name, address)
        self._refuse_paused(brakes)
        with reading(self._engine) as connection:
            row = connection.execute(_by_name(name)).mappings().one_or_none()
        decoy = self._decoy  # made at the first login of any kind, so its cost tells nothing
        is_right = self._check(password, row["password"] if row is not None else decoy)
        if row is None or not is_right or not row["enabled"]:
            self._count_failure(brakes)
            raise NotAuthenticated("trust.bad-credentials")
        with writing(self._engine) as connection:
            # The address's own counter stays: one good account must not reset a spraying source.
            connection.execute(
                delete(schema.failure).where(schema.failure.c.key == next(iter(brakes)))
            )
        if needs_rehash(row["password"], log2_n=self._password.scrypt_log2_n):
            self._set(name, password=self._hash(password))
        return _account(row)

    def set_password(self, name: str, password: str, *, must_change: bool = False) -> None:
        """Give a new password; sessions of the account end."""
        self._check_strength(name, password)
        self._set(name, password=self._hash(password), must_change=must_change)
        self._on_change(_fold(name))

    def reset_password(self, name: str) -> str:
        """Give a generated password that must be changed at the next login; returned once."""
        password = generate_password()
        self.set_password(name, password, must_change=True)
        return password

    def set_role(self, name: str, role: Role) -> None:
        """Change the role; Conflict ``trust.last-admin`` if no administrator would be left."""
        self._set(name, role=role.value)
        self._on_change(_fold(name))

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """Let the account in or keep it out; accounts are not deleted, the journal names them."""
        self._set(name, enabled=enabled)
        self._on_change(_fold(name))

    def set_profile(self, name: str, *, display: str, language: str) -> None:
        """What people may change themselves: the shown name and the language (zh, en or empty)."""
        self._set(name, display=display, language=language)

    # ------------------------------------------------------------ inside

    @cached_property
    def _decoy(self) -> str:
        """A hash nobody's password has: what unknown names are checked against."""
        return self._hash(generate_password())

    def _hash(self, password: str) -> str:
        with self._hashing:
            return hash_password(password, log2_n=self._password.scrypt_log2_n)

    def _check(self, password: str, stored: str) -> bool:
        # A password too long to be set cannot be right, but must cost as much time.
        with self._hashing:
            is_right = check_password(password[:_MAX_PASSWORD_CHARS], stored)
        return is_right and len(password) <= _MAX_PASSWORD_CHARS

    def _brakes(self, name: str, address: str) -> dict[str, int]:
        """The counters a login moves, each with the failures it allows before a pause."""
        # The name is hashed: what people type there by mistake is sometimes their password.
        digest = hashlib.sha256(_fold(name).encode()).hexdigest()[:32]
        brakes = {f"account:{digest}@{address}": self._login.failures}
        return brakes | ({f"address:{address}": self._login.address_failures} if address else {})

    def _check_strength(self, name: str, password: str) -> None:
        least = self._password.min_chars
        fault = ""
        if len(password) < least:
            fault = Phrase(f"fewer than {least} characters", f"少于 {least} 个字符")
        elif len(password) > _MAX_PASSWORD_CHARS:
            fault = Phrase(
                f"more than {_MAX_PASSWORD_CHARS} characters", f"超过 {_MAX_PASSWORD_CHARS} 个字符"
            )
        elif len(set(password)) < least // 2:
            fault = Phrase("too few different characters", "不同字符过少")
        elif _fold(name) in password.casefold():
            fault = Phrase("it contains the account's name", "包含账号名")
        if fault:
            raise InvalidInput("trust.weak-password", fault=fault)

    def _insert(
        self,
        connection: Connection,
        name: str,
        hashed: str,
        role: Role,
        *,
        display: str = "",
        language: str = "",
        must_change: bool = False,
    ) -> None:
        now = self._now_ms()
        connection.execute(
            insert(schema.account).values(
                name=name,
                display=display,
                role=role.value,
                password=hashed,
                must_change=must_change,
                enabled=True,
                language=language,
                created_at_ms=now,
                changed_at_ms=now,
            )
        )

    def _set(self, name: str, **values: Any) -> None:
        table = schema.account
        is_admin = (table.c.role == Role.ADMIN.value) & table.c.enabled.is_(True)
        admins = select(func.count()).select_from(table).where(is_admin)
        with writing(self._engine) as connection:
            before = connection.execute(admins).scalar_one()
            statement = update(table).where(table.c.name == _fold(name))
            done = connection.execute(statement.values(**values, changed_at_ms=self._now_ms()))
            if done.rowcount == 0:
                raise NotFound("trust.no-account", name=name)
            if before and connection.execute(admins).scalar_one() == 0:
                raise Conflict("trust.last-admin", name=name)

    def _refuse_paused(self, brakes: Iterable[str]) -> None:
        table = schema.failure
        query = select(func.max(table.c.locked_until_ms)).where(table.c.key.in_(list(brakes)))
        with reading(self._engine) as connection:
            until = connection.execute(query).scalar_one() or 0
        wait_ms = until - self._now_ms()
        if wait_ms > 0:
            raise Overloaded("trust.locked", wait_s=-(-wait_ms // _MS))

    def _count_failure(self, brakes: dict[str, int]) -> None:
        table, rules, now = schema.failure, self._login, self._now_ms()
        stale = now - int(rules.forget_s * _MS)
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.last_at_ms < stale))
            for key, allowed in brakes.items():
                query = select(table.c.failures).where(table.c.key == key)
                known = connection.execute(query).scalar_one_or_none()
                failures = (known or 0) + 1
                excess = failures - allowed
                pause_s = min(rules.pause_s * 2 ** min(excess, 30), rules.longest_pause_s)
                values = {
                    "failures": failures,
                    "last_at_ms": now,
                    "locked_until_ms": now + int(pause_s * _MS) if excess >= 0 else 0,
                }
                if known is None:
                    connection.execute(insert(table).values(key=key, **values))
                else:
                    connection.execute(update(table).where(table.c.key == key).values(values))
                if excess == 0:
                    log.warning("login paused key=%s pause_s=%s", key, pause_s)

    def _now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000


def _fold(name: str) -> str:
    return name.casefold()


def _by_name(name: str) -> Any:
    return select(schema.account).where(schema.account.c.name == _fold(name))


def _account(row: Any) -> Account:
    fields = {str(name): value for name, value in row.items() if name != "password"}
    return msgspec.convert(fields, Account)
