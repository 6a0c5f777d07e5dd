"""The door: who is asking, in which language, from which site.

A session travels in the cookie ``mw_session`` (HttpOnly, SameSite=Lax) or as a bearer token.
Unsafe methods and WebSockets that come with the cookie must carry our own Origin (RFC 6454), so
another site cannot act in a user's name. Guessing is slowed by the accounts themselves.
"""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mingwu.api.ports import People, Principal
from mingwu.kernel.errors import Denied, NotAuthenticated
from mingwu.kernel.languages import LANGUAGES, accepted_language
from mingwu.trust.roles import WORDS

COOKIE = "mw_session"
LANGUAGE_COOKIE = "mw_lang"
ROLES = ("viewer", "operator", "engineer", "admin")


def token_of(connection: HTTPConnection) -> str:
    """The session token a request carries, or an empty string."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return connection.cookies.get(COOKIE, "")


class Doorkeeper:
    """Tells who is asking; a checked session is believed for ``believe_s`` without asking again."""

    def __init__(
        self,
        people: People,
        *,
        believe_s: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._people = people
        self._believe_s = believe_s
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Principal]] = {}

    async def principal(self, connection: HTTPConnection) -> Principal | None:
        """Who is asking, or None."""
        token = token_of(connection)
        if not token:
            return None
        now = self._monotonic()
        known = self._known.get(token)
        if known is not None and now < known[0]:
            return known[1]
        principal = await run_in_threadpool(self._people.verify, token)
        if principal is None:
            self._known.pop(token, None)
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[token] = now + self._believe_s, principal
        return principal

    def forget(self) -> None:
        """Believe nothing (after a logout or a change of accounts)."""
        self._known.clear()


_MOST_KNOWN = 10_000


def require_role(principal: Principal | None, role: str) -> Principal:
    """Raise NotAuthenticated or Denied unless ``principal`` has at least ``role``."""
    if principal is None:
        raise NotAuthenticated("api.login-required")
    if principal.must_change:
        raise Denied("api.must-change")
    if ROLES.index(principal.role) < ROLES.index(role):
        raise Denied("api.role-required", role=WORDS[role], have=WORDS[principal.role])
    return principal


def require_own_origin(connection: HTTPConnection) -> None:
    """Raise Denied when a browser says that the request was made by another site."""
    site = connection.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise Denied("api.foreign-origin", origin=connection.headers.get("origin", site))
    origin = connection.headers.get("origin")
    if origin is None:
        return
    allowed = {connection.headers.get("host", ""), connection.headers.get("x-forwarded-host", "")}
    if urlsplit(origin).netloc not in allowed - {""}:
        raise Denied("api.foreign-origin", origin=origin)


def language_of(connection: HTTPConnection, principal: Principal | None) -> str:
    """``zh`` or ``en``: the page's choice, then the account's, then the browser's."""
    chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    if principal is not None and principal.language in LANGUAGES:
        return principal.language
    return accepted_language(connection.headers.get("accept-language", ""))


# NiceGUI's page template starts its modules from inline scripts and Vue compiles templates at run
# time, hence the two unsafe words; everything else is same-origin only, nothing may be framed.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class SecurityHeaders:
    """ASGI middleware: the same protective headers on every HTTP reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        api = scope["path"].startswith("/api/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = Headers(raw=headers)
                headers += [
                    pair
                    for pair in (_API_HEADERS if api else _PAGE_HEADERS)
                    if pair[0].decode() not in own
                ]
                if api and "cache-control" not in own:
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


_COMMON = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_API_HEADERS = [*_COMMON, (b"content-security-policy", _API_POLICY.encode())]
_PAGE_HEADERS = [*_COMMON, (b"content-security-policy", _PAGE_POLICY.encode())]
