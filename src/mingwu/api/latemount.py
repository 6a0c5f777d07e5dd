"""Routes whose engine may come later: made at the first request that finds it there."""

from collections.abc import Callable, Iterable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from mingwu.api.door import language_of
from mingwu.api.routing import error_response
from mingwu.kernel.errors import MingwuError


def late_routes(base: str, make: Callable[[], Iterable[Route]]) -> list[Route]:
    """Everything at and below ``base`` goes to the routes of ``make`` (full paths, GET only).

    ``make`` may block and raises an error of the house, which is the answer, until it succeeds.
    """
    late = _Late(make)
    return [Route(path, late, methods=["GET"]) for path in (base, base + "/{rest:path}")]


class _Late:
    def __init__(self, make: Callable[[], Iterable[Route]]) -> None:
        self._make = make
        self._router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._router is None:
            try:
                made = await run_in_threadpool(lambda: list(self._make()))
            except MingwuError as error:
                request = Request(scope, receive)
                lang = getattr(request.state, "lang", "") or language_of(request, None)
                await error_response(error, lang)(scope, receive, send)
                return
            self._router = Router(routes=made)
        await self._router(scope, receive, send)
