"""Routes that other packages offer, mounted behind the API's door.

Their handlers are plain Starlette ones and judge for themselves what a role may; the door only
tells them who asks (``request.state.principal``, absent for strangers) and in which language
(``request.state.lang``), and turns away what another site's page sends in a user's name. Routes
with a token scheme of their own (façades, GS1 resolver) are mounted without it: ``Services.free``.
"""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mingwu.api.door import Doorkeeper, language_of, require_own_origin
from mingwu.api.routing import error_response
from mingwu.kernel.errors import Denied, MingwuError

_SAFE = {"GET", "HEAD", "OPTIONS"}


def guard(routes: Iterable[Route], door: Doorkeeper) -> list[Route]:
    """The routes, each behind the door; errors of the house that they raise become replies."""
    guarded = list(routes)
    for route in guarded:
        if not isinstance(route.app, _Guarded):
            route.app = _Guarded(route.app, door)
    return guarded


class _Guarded:
    """ASGI: one route's application behind the door."""

    def __init__(self, app: ASGIApp, door: Doorkeeper) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        lang = language_of(request, None)
        try:
            principal = await self._door.principal(request)
            lang = language_of(request, principal)
            if principal is not None and principal.must_change:
                raise Denied("api.must-change")  # noqa: TRY301 — one form of refusal
            if request.method not in _SAFE:
                require_own_origin(request)
        except MingwuError as error:
            await error_response(error, lang)(scope, receive, send)
            return
        # a state of the request's own: the server shares one dictionary between requests
        state = dict(scope.get("state", {}))
        state.pop("principal", None)
        state["lang"] = lang
        if principal is not None:
            state["principal"] = principal
        try:
            await self._app({**scope, "state": state}, receive, send)
        except MingwuError as error:  # raised before anything was sent: handlers return replies
            await error_response(error, lang)(scope, receive, send)
