"""Sessions of people and tokens of programs.

A token is 32 random bytes in base64url behind ``mw_``; the store holds only its SHA-256, so a
copy of the database logs nobody in. Every check looks at the account too: a disabled account or a
lowered role counts at once (after at most ``cache_s`` in another process).

Cookies: HttpOnly, SameSite=Lax, Secure behind TLS, named ``mw_session``. Requests that change
something and carry the cookie must also carry ``csrf`` of the session in ``X-CSRF-Token``
(:meth:`Sessions.check_csrf`); requests with a bearer token need not.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Engine, delete, insert, select, update

from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import Denied, NotAuthenticated, NotFound
from mingwu.store.engine import reading, writing
from mingwu.trust import schema
from mingwu.trust.accounts import Account
from mingwu.trust.roles import Permission, Role, may, require, weaker
from mingwu.trust.settings import SessionSettings

_PREFIX = "mw_"
_TOKEN_BYTES = 32
_TOUCH_MS = 60_000
_MAX_CACHE = 10_000
_NEVER_MS = 2**62


class Kind(StrEnum):
    """What holds the token."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 — a word, not a password


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. ``id`` names the session (not secret); ``csrf`` belongs into its pages."""

    account: str
    display: str
    role: Role
    language: str
    must_change: bool
    kind: Kind
    id: str
    csrf: str
    expires_at_ms: int

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return may(self.role, permission)

    def require(self, permission: Permission) -> None:
        """Raise Denied unless the role has the permission."""
        require(self.role, permission)


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session or token in a list."""

    id: str
    kind: Kind
    account: str
    label: str
    role: str
    address: str
    created_at_ms: int
    used_at_ms: int
    expires_at_ms: int


class Sessions:
    """Sessions and tokens in a store (migrated by ``Trust.open``)."""

    def __init__(self, engine: Engine, settings: SessionSettings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._cache: dict[str, tuple[int, Principal]] = {}

    def open(self, account: Account, *, address: str = "") -> tuple[str, Principal]:
        """Begin a session after a login; the token goes into the cookie and nowhere else."""
        lasts_ms = int(self._settings.hours * 3_600_000)
        token = self._insert(
            Kind.SESSION, account.name, label="", role="", address=address, lasts_ms=lasts_ms
        )
        return token, self.check(token)

    def create_token(
        self, account: str, label: str, *, role: Role | None = None, days: float | None = None
    ) -> str:
        """A bearer token for a program, shown once.

        It acts for ``account`` with at most ``role``, until revoked or for ``days``.
        """
        lasts_ms = int(days * 86_400_000) if days is not None else 0
        return self._insert(
            Kind.TOKEN,
            account.casefold(),
            label=label,
            role=role.value if role else "",
            address="",
            lasts_ms=lasts_ms,
        )

    def check(self, token: str) -> Principal:
        """Who holds the token; raises NotAuthenticated ``trust.no-session``."""
        hashed = _hash(token)
        now = self._now_ms()
        known = self._cache.get(hashed)
        if known is not None and now < known[0]:
            return known[1]
        row = self._row(hashed)
        if row is None or not self._is_alive(row, now):
            self._cache.pop(hashed, None)
            raise NotAuthenticated("trust.no-session")
        if now - row["used_at_ms"] > _TOUCH_MS:
            self._touch(hashed, now)
        principal = _principal(row, token)
        until = min(now + int(self._settings.cache_s * 1000), row["expires_at_ms"])
        if len(self._cache) >= _MAX_CACHE:
            self._cache.clear()
        self._cache[hashed] = until, principal
        return principal

    def check_csrf(self, principal: Principal, sent: str) -> None:
        """Raise Denied ``trust.csrf`` unless a cookie session's page sent its own token."""
        if principal.kind is Kind.SESSION and not hmac.compare_digest(
            principal.csrf.encode(), sent.encode()
        ):
            raise Denied("trust.csrf")

    def close(self, token: str) -> None:
        """End the session of this token (logout); an unknown one is no fault."""
        hashed = _hash(token)
        self._cache.pop(hashed, None)
        table = schema.session
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.token_hash == hashed))

    def revoke(self, session_id: str) -> None:
        """End a session or token by its id; NotFound for an unknown one."""
        self._cache.clear()
        table = schema.session
        with writing(self._engine) as connection:
            done = connection.execute(delete(table).where(table.c.id == session_id))
            if done.rowcount == 0:
                raise NotFound("trust.unknown-session", id=session_id)

    def close_all(self, account: str, *, tokens: bool = False) -> None:
        """End all sessions of an account, its bearer tokens too if asked."""
        self._cache.clear()
        table = schema.session
        statement = delete(table).where(table.c.account == account.casefold())
        if not tokens:
            statement = statement.where(table.c.kind == Kind.SESSION.value)
        with writing(self._engine) as connection:
            connection.execute(statement)

    def list(self, account: str = "") -> Sequence[SessionRow]:
        """Sessions and tokens, of one account or of all, latest first."""
        table = schema.session
        query = select(*(table.c[name] for name in SessionRow.__struct_fields__))
        if account:
            query = query.where(table.c.account == account.casefold())
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.created_at_ms.desc())).mappings()
            data = [{str(name): value for name, value in row.items()} for row in rows]
        return msgspec.convert(data, list[SessionRow])

    def sweep(self) -> int:
        """Delete what has expired; returns how many. Call it now and then."""
        table, now = schema.session, self._now_ms()
        idle = now - self._idle_ms()
        with writing(self._engine) as connection:
            done = connection.execute(
                delete(table).where(
                    (table.c.expires_at_ms <= now)
                    | ((table.c.kind == Kind.SESSION.value) & (table.c.used_at_ms <= idle))
                )
            )
            return done.rowcount

    def forget(self) -> None:
        """Believe nothing that was checked before (after a change of accounts)."""
        self._cache.clear()

    # ------------------------------------------------------------ inside

    def _insert(
        self, kind: Kind, account: str, *, label: str, role: str, address: str, lasts_ms: int
    ) -> str:
        token = _PREFIX + _encode(secrets.token_bytes(_TOKEN_BYTES))
        now = self._now_ms()
        with writing(self._engine) as connection:
            found = select(schema.account.c.name).where(schema.account.c.name == account)
            if connection.execute(found).first() is None:
                raise NotFound("trust.no-account", name=account)
            connection.execute(
                insert(schema.session).values(
                    token_hash=_hash(token),
                    id=_encode(secrets.token_bytes(9)),
                    kind=kind.value,
                    account=account,
                    label=label,
                    role=role,
                    address=address,
                    created_at_ms=now,
                    used_at_ms=now,
                    expires_at_ms=now + lasts_ms if lasts_ms else _NEVER_MS,
                )
            )
        return token

    def _row(self, hashed: str) -> dict[str, Any] | None:
        table, account = schema.session, schema.account
        query = (
            select(
                table,
                account.c.role.label("account_role"),
                account.c.display,
                account.c.language,
                account.c.must_change,
                account.c.enabled,
            )
            .join(account, account.c.name == table.c.account)
            .where(table.c.token_hash == hashed)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else {str(name): value for name, value in row.items()}

    def _is_alive(self, row: dict[str, Any], now: int) -> bool:
        if not row["enabled"] or now >= row["expires_at_ms"]:
            return False
        return row["kind"] == Kind.TOKEN or now < int(row["used_at_ms"]) + self._idle_ms()

    def _touch(self, hashed: str, now: int) -> None:
        table = schema.session
        with writing(self._engine) as connection:
            statement = update(table).where(table.c.token_hash == hashed)
            connection.execute(statement.values(used_at_ms=now))

    def _idle_ms(self) -> int:
        return int(self._settings.idle_minutes * 60_000)

    def _now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000


def _principal(row: dict[str, Any], token: str) -> Principal:
    role = Role(row["account_role"])
    return Principal(
        account=row["account"],
        display=row["display"],
        role=weaker(role, Role(row["role"])) if row["role"] else role,
        language=row["language"],
        must_change=row["must_change"],
        kind=Kind(row["kind"]),
        id=row["id"],
        csrf=_encode(hmac.digest(token.encode(), b"csrf", "sha256")),
        expires_at_ms=row["expires_at_ms"],
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
