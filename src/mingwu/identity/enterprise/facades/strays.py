"""What a façade answers where it has no route: its own form of an error, as its callers read it.

HTTP status 404, or 405 with Allow where the path is known and the method is not.
"""

from collections.abc import Callable, Iterable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from mingwu.identity.enterprise.door import language_of
from mingwu.kernel.errors import MingwuError, NotFound

Tell = Callable[[str], Response]
"""An error's sentence in the form of the façade."""


class _Nowhere:
    """ASGI: takes every method of a path that no route took."""

    def __init__(self, routes: Sequence[Route], tell: Tell) -> None:
        self._routes = routes
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        lang = language_of(request, "zh")
        allowed = {
            method
            for route in self._routes
            if route.matches(scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        code = "enterprise.facade-method" if allowed else "enterprise.facade-path"
        fault: MingwuError = NotFound(code, method=request.method, path=request.url.path[:200])
        gap = "" if lang == "zh" else " "
        stop = "。" if lang == "zh" else "."
        response = self._tell(f"{fault.text(lang)}{stop}{gap}{fault.next_step(lang)}")
        response.status_code = 405 if allowed else 404
        if allowed:
            response.headers["allow"] = ", ".join(sorted(allowed))
        await response(scope, receive, send)


def with_strays(routes: Sequence[Route], roots: Iterable[str], tell: Tell) -> list[Route]:
    """The routes, and behind them what answers everything else below ``roots``."""
    nowhere = _Nowhere(routes, tell)
    paths = [path for root in roots for path in (root, root + "/{rest:path}")]
    return [*routes, *(Route(path, nowhere, include_in_schema=False) for path in paths)]
