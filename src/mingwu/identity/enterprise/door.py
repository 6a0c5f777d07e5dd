"""Who is asking the enterprise node over HTTP, and how requests are read.

Own routes come through the API's door, which left ``request.state.principal`` (account, role).
The façades have token schemes of their own over the same accounts: a person logs in with account
and password, a program as an application identity; the token is a session of ``trust``, so it can
be revoked and dies with the account. Registering needs the permission ``register`` of the role.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.granting.applications import Application, Proven
from mingwu.identity.enterprise.model import Actor
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.routing import Journal, read_body
from mingwu.kernel.errors import (
    Conflict,
    Denied,
    InvalidInput,
    MingwuError,
    NotAuthenticated,
    NotFound,
)
from mingwu.kernel.languages import accepted_language
from mingwu.kernel.shapes import read_json as read_json_body
from mingwu.trust.accounts import Accounts
from mingwu.trust.roles import WORDS, Permission, Role, may
from mingwu.trust.sessions import Sessions

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EnterpriseServices:
    """What the routes work with. ``accounts`` and ``sessions`` are needed by the façades only."""

    node: EnterpriseNode
    accounts: Accounts | None = None
    sessions: Sessions | None = None
    journal: Journal | None = None

    def note(self, actor: Actor, action: str, subject: str, address: str, **detail: Any) -> None:
        """A line of the journal, where there is one."""
        if self.journal is not None:
            self.journal(
                actor.account or actor.name, f"identity.{action}", subject, detail, address
            )

    def note_of(
        self, actor: Actor, action: str, subject: str, address: str, detail: dict[str, Any]
    ) -> None:
        """:meth:`note` with the details at hand."""
        self.note(actor, action, subject, address, **detail)


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody let in: as whom they act, and what their role is."""

    actor: Actor
    role: Role
    application: Application | None = None

    def require(self, permission: Permission) -> None:
        """Raise Denied ``enterprise.no-access`` unless the role has the permission."""
        if not may(self.role, permission):
            raise Denied(
                "enterprise.no-access", who=self.actor.name, right=WORDS[permission], name="*"
            )


def asker_of(request: Request) -> Asker:
    """Who the API's door let in; raises NotAuthenticated when it did not say."""
    principal = getattr(request.state, "principal", None)
    if principal is None or not getattr(principal, "account", ""):
        raise NotAuthenticated("enterprise.login-needed")
    role = Role(str(principal.role))
    actor = Actor(
        name=principal.account,
        account=principal.account,
        may_all=may(role, Permission.REGISTER),
    )
    return Asker(actor, role)


def address_of(request: Request) -> str:
    """The client's network address."""
    return request.client.host if request.client else ""


def language_of(request: Request, default: str) -> str:
    """``zh`` or ``en``: the door's choice, or the one that Accept-Language prefers."""
    chosen = getattr(request.state, "lang", "")
    return str(chosen) or accepted_language(request.headers.get("accept-language", ""), default)


async def read_json(request: Request, cls: type[T], limit: int) -> T:
    """The body as ``cls``; numbers may come as text, as deployed programs send them."""
    return read_json_body(cls, await read_body(request, limit), strict=False)


_KINDS: dict[str, type[MingwuError]] = {
    "enterprise.name-unknown": NotFound,
    "enterprise.template-unknown": NotFound,
    "enterprise.no-access": Denied,
    "enterprise.name-taken": Conflict,
    "enterprise.not-allowed": Conflict,
    "enterprise.changed-meanwhile": Conflict,
    "enterprise.value-taken": Conflict,
}


def raised(fault: Fault) -> MingwuError:
    """The fault of a single item as the error it is."""
    return _KINDS.get(fault.code, InvalidInput)(fault.code, **fault.params)


class FacadeDoor:
    """Tokens of the façades: who a bearer token stands for, and how to get one."""

    def __init__(self, services: EnterpriseServices) -> None:
        if services.accounts is None or services.sessions is None:
            raise ValueError("the façades need accounts and sessions")
        self._node = services.node
        self._accounts = services.accounts
        self._sessions = services.sessions

    def asker(self, request: Request) -> Asker:
        """Who holds the request's bearer token; blocks. NotAuthenticated without a good one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("enterprise.login-needed")
        principal = self._sessions.check(token.strip())
        if principal.must_change:
            raise NotAuthenticated("enterprise.login-needed")
        application = self._node.applications.of_session(principal.id)
        if application is None:
            everything = may(principal.role, Permission.REGISTER)
            actor = Actor(name=principal.account, account=principal.account, may_all=everything)
        else:
            # a program touches what is its own or was granted, whatever its account may
            actor = Actor(name=application.handle, account=principal.account)
        return Asker(actor, principal.role, application)

    def token(self, username: str, password: str, address: str) -> str:
        """A token for an application's secret or an account's password; blocks."""
        application = self._node.applications.check_secret(username, password, address)
        if application is not None:
            return self.token_of(application)
        account = self._accounts.authenticate(username, password, address=address)
        if account.must_change:
            raise NotAuthenticated("enterprise.bad-credentials")
        return self._sessions.create_token(account.name, "SNMS", days=self._days())

    def dated_token(self, username: str, digest: str, address: str) -> str:
        """A token for ``sha256(sha256(secret) + date)`` of an application; blocks."""
        return self.token_of(self._node.applications.check_dated(username, digest, address))

    def token_of(self, application: Proven) -> str:
        """A token for an application that has proven itself; blocks."""
        token = self._sessions.create_token(
            application.account, application.handle, days=self._days()
        )
        principal = self._sessions.check(token)
        self._node.applications.remember(principal.id, application, principal.expires_at_ms)
        return token

    def _days(self) -> float:
        return self._node.settings.token_hours / 24
