"""The door: who is asking, in which language, from which site, and how often they may fail.

A session travels in the cookie ``mw_session`` (HttpOnly, SameSite=Lax) or as a bearer token.
Unsafe methods and WebSockets that come with the cookie must carry our own Origin (RFC 6454), so
another site cannot act in a user's name. Failed logins are counted per account and per address.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mingwu.api.ports import People, Principal
from mingwu.kernel.errors import Denied, NotAuthenticated, Overloaded

COOKIE = "mw_session"
LANGUAGE_COOKIE = "mw_lang"
LANGUAGES = ("zh", "en")
ROLES = ("viewer", "operator", "engineer", "admin")


def token_of(connection: HTTPConnection) -> str:
    """The session token a request carries, or an empty string."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return connection.cookies.get(COOKIE, "")


def principal_of(connection: HTTPConnection, people: People) -> Principal | None:
    """Who is asking, or None."""
    token = token_of(connection)
    return people.verify(token) if token else None


def require_role(principal: Principal | None, role: str) -> Principal:
    """Raise NotAuthenticated or Denied unless ``principal`` has at least ``role``."""
    if principal is None:
        raise NotAuthenticated("api.login_required")
    if ROLES.index(principal.role) < ROLES.index(role):
        raise Denied("api.role_required", role=role, have=principal.role)
    return principal


def require_own_origin(connection: HTTPConnection) -> None:
    """Raise Denied when a browser says that the request was made by another site."""
    origin = connection.headers.get("origin")
    if origin is None:
        return
    allowed = {connection.headers.get("host", ""), connection.headers.get("x-forwarded-host", "")}
    if urlsplit(origin).netloc not in allowed:
        raise Denied("api.foreign_origin", origin=origin)


def language_of(connection: HTTPConnection, principal: Principal | None) -> str:
    """``zh`` or ``en``: the page's choice, then the account's, then the browser's."""
    chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    if principal is not None and principal.language in LANGUAGES:
        return principal.language
    return accepted_language(connection.headers.get("accept-language", ""))


def accepted_language(header: str) -> str:
    """The first of our languages by the weights of Accept-Language (RFC 9110 12.5.4)."""
    best, weight = "en", 0.0
    for part in header.split(","):
        name, _, parameter = part.strip().partition(";")
        language = name.split("-")[0].lower()
        if language not in LANGUAGES:
            continue
        try:
            q = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if q > weight:
            best, weight = language, q
    return best


class AttemptLimiter:
    """Failures per key in a sliding minute; memory bounded by dropping the oldest keys."""

    def __init__(
        self, limit: int, *, window_s: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._monotonic = monotonic
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, *keys: str) -> None:
        """Raise Overloaded ``api.too_many_attempts`` when one of the keys used up its failures."""
        now = self._monotonic()
        for key in keys:
            recent = [at for at in self._failures.get(key, ()) if now - at < self._window_s]
            if len(recent) >= self._limit:
                wait_s = max(1, round(self._window_s - (now - recent[0])))
                raise Overloaded("api.too_many_attempts", wait_s=wait_s)

    def failed(self, *keys: str) -> None:
        """Count a failure under each key."""
        now = self._monotonic()
        for key in keys:
            recent = [at for at in self._failures.pop(key, ()) if now - at < self._window_s]
            self._failures[key] = [*recent, now]
        while len(self._failures) > _MAX_KEYS:
            self._failures.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of each key."""
        for key in keys:
            self._failures.pop(key, None)


_MAX_KEYS = 10_000

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
                headers += _API_HEADERS if api else _PAGE_HEADERS
                if api and "cache-control" not in Headers(raw=headers):
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
