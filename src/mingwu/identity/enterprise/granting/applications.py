"""Application identities: programs of the enterprise that register in its name.

An application has a handle (``88.888.101/App_mes``), acts for an account (whose role decides what
it may do), and logs in with a secret or with an RSA key. Of the secret only the SHA-256 is kept;
that is what the deployed token scheme needs (``sha256(sha256(secret) + yyyy-MM-dd)``), so secrets
are generated here, long and random, never chosen, and differ from the account's password.
Challenges and failures live in the process; sessions are those of ``trust``. All methods block.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sqlalchemy import Connection, Engine, delete, insert, select, update

from mingwu.identity.access.authentication import Failures
from mingwu.identity.enterprise import schema
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from mingwu.kernel.names import fold, parse
from mingwu.store.engine import reading, writing
from mingwu.trust.passwords import generate_password
from mingwu.wire.handle.values import Reference

_RSA_BITS = 2048
_MOST_CHALLENGES = 10_000
_TOUCH_MS = 60_000
_PROVEN = ("enabled", "account", "secret_sha256", "public_key")
# The deployed scheme stamps the date of the client's clock; any zone of the earth may be meant.
_DATE_SHIFTS_H = (-12, 0, 14)


A = TypeVar("A", bound="Application")


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application identity as others see it."""

    handle: str
    login: str
    title: str
    account: str
    public_key: str
    enabled: bool
    created_at_ms: int
    last_used_at_ms: int = 0


class Proven(Application, frozen=True, kw_only=True):
    """An application that has just proven itself, with what it is known by: never shown."""

    secret_sha256: str


class Applications:
    """The application identities of a store."""

    def __init__(
        self,
        engine: Engine,
        *,
        challenge_s: float,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._challenge_s = challenge_s
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._failures = Failures(monotonic)
        self._challenges: dict[str, tuple[str, float]] = {}

    # -- administration -----------------------------------------------------------------------

    def create(
        self, handle: str, *, login: str, account: str, title: str = "", public_key: str = ""
    ) -> str:
        """A new application; returns its secret, shown once. ``public_key``: PEM, may come later.

        Raises Conflict ``enterprise.application-taken``, InvalidInput ``enterprise.bad-key``.
        """
        parse(handle)
        if public_key:
            _rsa_key(handle, public_key)
        table, secret = schema.application, generate_password()
        with writing(self._engine) as connection:
            taken = (table.c.handle_key == fold(handle)) | (table.c.login == login)
            if connection.execute(select(table.c.handle).where(taken)).first() is not None:
                raise Conflict("enterprise.application-taken", handle=handle)
            connection.execute(
                insert(table).values(
                    handle_key=fold(handle), handle=handle, login=login, title=title,
                    account=account, secret_sha256=_sha256(secret), public_key=public_key,
                    enabled=True, created_at_ms=self._now_ms(), last_used_at_ms=0,
                )
            )  # fmt: skip
        return secret

    def set_key(self, handle: str, public_key: str) -> None:
        """Give an application another public key (PEM); its tokens stop."""
        _rsa_key(handle, public_key)
        self._set(handle, ends_sessions=True, public_key=public_key)

    def reset_secret(self, handle: str) -> str:
        """A new secret, shown once; tokens got with the old one stop."""
        secret = generate_password()
        self._set(handle, ends_sessions=True, secret_sha256=_sha256(secret))
        return secret

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """Let an application in or keep it out (its tokens stop at once)."""
        self._set(handle, ends_sessions=not enabled, enabled=enabled)

    def set_profile(self, handle: str, *, title: str, account: str) -> None:
        """Another title, another account to act for (its tokens stop when the account changes)."""
        moved = self.get(handle).account != account
        self._set(handle, ends_sessions=moved, title=title, account=account)

    def _set(self, handle: str, *, ends_sessions: bool = False, **values: Any) -> None:
        table = schema.application
        with writing(self._engine) as connection:
            statement = update(table).where(table.c.handle_key == fold(handle)).values(**values)
            if not connection.execute(statement).rowcount:
                raise NotFound("enterprise.application-unknown", handle=handle)
            if ends_sessions:
                _end_sessions(connection, handle)

    def remove(self, handle: str) -> None:
        """Forget an application, its grants and memberships; its tokens stop. Its names stay its.

        A later application of this handle owns them again, but nothing that was granted.
        """
        table, key = schema.application, fold(handle)
        with writing(self._engine) as connection:
            _end_sessions(connection, handle)
            if not connection.execute(delete(table).where(table.c.handle_key == key)).rowcount:
                raise NotFound("enterprise.application-unknown", handle=handle)
            connection.execute(delete(schema.grant).where(schema.grant.c.grantee == key))
            connection.execute(delete(schema.member).where(schema.member.c.member == key))

    def list(self) -> list[Application]:
        """All applications by handle."""
        table = schema.application
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).order_by(table.c.handle_key)).mappings()
            return [_application(row) for row in rows]

    def get(self, handle: str) -> Application:
        """One application; NotFound ``enterprise.application-unknown``."""
        row = self._row(schema.application.c.handle_key == fold(handle))
        if row is None:
            raise NotFound("enterprise.application-unknown", handle=handle)
        return _application(row)

    # -- logging in ---------------------------------------------------------------------------

    def check_secret(self, login: str, secret: str, address: str) -> Proven | None:
        """The application of this login and secret, or None when ``login`` is none.

        Raises NotAuthenticated ``enterprise.bad-credentials`` for a wrong secret.
        """
        return self._check(login, address, lambda stored: hmac.compare_digest(
            stored.encode(), _sha256(secret).encode()))  # fmt: skip

    def check_dated(self, login: str, digest: str, address: str) -> Proven:
        """The application whose ``sha256(sha256(secret) + date)`` this is, today somewhere."""

        def proves(stored: str) -> bool:
            now = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
            days = {f"{now + timedelta(hours=hours):%Y-%m-%d}" for hours in _DATE_SHIFTS_H}
            good = [
                hmac.compare_digest(_sha256(stored + day).encode(), digest.lower().encode())
                for day in days
            ]
            return any(good)

        application = self._check(login, address, proves)
        if application is None:
            raise NotAuthenticated("enterprise.bad-credentials")
        return application

    def _check(self, login: str, address: str, proves: Callable[[str], bool]) -> Proven | None:
        row = self._row(schema.application.c.login == login)
        if row is None:
            return None
        who = Reference(f"app/{login}", 0)
        if self._failures.too_many(address, who):
            raise NotAuthenticated("enterprise.bad-credentials")
        if not proves(row["secret_sha256"]) or not row["enabled"]:
            self._failures.note(address, who)
            raise NotAuthenticated("enterprise.bad-credentials")
        return self._used(_proven(row))

    def challenge(self, handle: str) -> str:
        """A nonce for an application to sign; NotFound ``enterprise.application-unknown``."""
        self.get(handle)
        now = self._monotonic()
        if len(self._challenges) >= _MOST_CHALLENGES:
            self._challenges = {k: v for k, v in self._challenges.items() if v[1] > now}
            if len(self._challenges) >= _MOST_CHALLENGES:
                self._challenges.clear()
        nonce = str(secrets.randbits(63))
        self._challenges[fold(handle)] = nonce, now + self._challenge_s
        return nonce

    def answer(self, handle: str, signature: str, address: str) -> Proven:
        """The application that signed its nonce (RSA PKCS#1 v1.5, SHA-256, Base64).

        Each nonce is good for one answer. Raises NotAuthenticated ``enterprise.bad-credentials``.
        """
        who = Reference(handle, 0)
        nonce, until = self._challenges.pop(fold(handle), ("", 0.0))
        if not nonce or until < self._monotonic() or self._failures.too_many(address, who):
            raise NotAuthenticated("enterprise.bad-credentials")
        row = self._row(schema.application.c.handle_key == fold(handle))
        if row is None:
            raise NotFound("enterprise.application-unknown", handle=handle)
        application = _proven(row)
        if not application.enabled or not _signed(application, nonce, signature):
            self._failures.note(address, who)
            raise NotAuthenticated("enterprise.bad-credentials")
        return self._used(application)

    def _used(self, application: A) -> A:
        """Note when an application was last in, at most once a minute."""
        now = self._now_ms()
        if now - application.last_used_at_ms > _TOUCH_MS:
            table = schema.application
            here = table.c.handle_key == fold(application.handle)
            with writing(self._engine) as connection:
                connection.execute(update(table).where(here).values(last_used_at_ms=now))
        return application

    # -- sessions -----------------------------------------------------------------------------

    def remember(self, session: str, by: Proven, expires_at_ms: int) -> None:
        """Note that a session of ``trust`` was opened by an application.

        Raises NotAuthenticated ``enterprise.bad-credentials`` when what it had proven itself with
        was replaced meanwhile; the session then stands for nobody.
        """
        table, known = schema.session, schema.application
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.expires_at_ms <= self._now_ms()))
            query = select(known).where(known.c.handle_key == fold(by.handle))
            row = connection.execute(query).mappings().first()
            still = row is not None and all(row[name] == getattr(by, name) for name in _PROVEN)
            handle = by.handle if still else ""
            connection.execute(
                insert(table).values(session=session, handle=handle, expires_at_ms=expires_at_ms)
            )
        if not handle:
            raise NotAuthenticated("enterprise.bad-credentials")

    def of_session(self, session: str) -> Application | None:
        """The application that opened a session, or None for a person's; it must be enabled."""
        table = schema.session
        query = select(table.c.handle).where(table.c.session == session)
        with reading(self._engine) as connection:
            handle = connection.execute(query).scalar_one_or_none()
        if handle is None:
            return None
        # a session that was ended stays known, with no application: it is nobody's, not a person's
        row = self._row(schema.application.c.handle_key == fold(handle)) if handle else None
        if row is None or not row["enabled"]:
            raise NotAuthenticated("enterprise.login-needed")
        return self._used(_application(row))

    def _row(self, where: Any) -> Any:
        with reading(self._engine) as connection:
            return connection.execute(select(schema.application).where(where)).mappings().first()


def _end_sessions(connection: Connection, handle: str) -> None:
    """Tokens got so far stand for nobody any more."""
    table, known = schema.session, schema.application
    spelt = select(known.c.handle).where(known.c.handle_key == fold(handle)).scalar_subquery()
    connection.execute(update(table).where(table.c.handle == spelt).values(handle=""))


def _proven(row: Any) -> Proven:
    return Proven(**{name: row[name] for name in Proven.__struct_fields__})


def _application(row: Any) -> Application:
    return Application(**{name: row[name] for name in Application.__struct_fields__})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _rsa_key(handle: str, pem: str) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError as error:
        fault = str(error).partition("\n")[0][:100]
        raise InvalidInput("enterprise.bad-key", handle=handle, fault=fault) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _RSA_BITS:
        raise InvalidInput(
            "enterprise.bad-key",
            handle=handle,
            fault=Phrase("not RSA or too short", "不是 RSA 密钥，或长度不足"),
        )
    return key


def _signed(application: Application, nonce: str, signature: str) -> bool:
    if not application.public_key:
        return False
    key = _rsa_key(application.handle, application.public_key)
    try:
        data = base64.b64decode(signature, validate=True)
        key.verify(data, nonce.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True
