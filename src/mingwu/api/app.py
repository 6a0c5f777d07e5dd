"""The HTTP application: all routes, one door, one error form.

The application is a FastAPI instance because NiceGUI mounts itself on one; every route of ours is
a plain Starlette route made from an :class:`~mingwu.api.routing.Endpoint` (two to four times the
rate), and the OpenAPI document is made from the same declarations.
"""

import logging

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.api import partroutes, plantroutes, sessions, timeroutes
from mingwu.api.docspage import docs_page
from mingwu.api.door import SecurityHeaders, language_of
from mingwu.api.guarding import guard
from mingwu.api.livesocket import live_route
from mingwu.api.openapi import Described, document
from mingwu.api.routing import (
    Endpoint,
    MethodNotAllowed,
    Nowhere,
    encode_reply,
    error_response,
    internal_error,
    mount,
)
from mingwu.api.services import Services
from mingwu.identity.routing import operation_of
from mingwu.kernel.errors import MingwuError, NotFound

log = logging.getLogger(__name__)
METHOD_NOT_ALLOWED = 405


ENDPOINTS: tuple[Endpoint, ...] = (
    *sessions.ENDPOINTS,
    *plantroutes.ENDPOINTS,
    *timeroutes.ENDPOINTS,
    *partroutes.ENDPOINTS,
)


# The reference page brings its style with it; the door's policy for /api allows nothing.
_DOCS_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def create_app(services: Services) -> FastAPI:
    """The API as an ASGI application. Running the hub is the server's business (``api.serve``)."""
    app = FastAPI(
        title="Mingwu",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        default_response_class=Response,
    )
    routes = [*mount(ENDPOINTS, services), *guard(services.guarded, services.door)]
    app.router.routes.extend([*routes, *services.free])
    app.router.routes.append(live_route(services))
    operations = (operation_of(route) for route in services.guarded)
    declared: list[Described] = [*ENDPOINTS, *(one for one in operations if one is not None)]
    described = encode_reply(document(declared, services.product.get("version", "0")))
    page = docs_page(declared)

    async def openapi(_: Request) -> Response:
        return described

    async def docs(_: Request) -> Response:
        return Response(page, media_type="text/html", headers=_DOCS_HEADERS)

    app.router.routes.append(Route("/api/openapi.json", openapi, include_in_schema=False))
    app.router.routes.append(Route("/api/docs", docs, include_in_schema=False))
    for path in ("/api", "/api/{rest:path}"):
        app.router.routes.append(Route(path, Nowhere(routes), include_in_schema=False))
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(SecurityHeaders)
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    """What the routers say of a path or a method that nobody serves, in our form."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these
    path = request.url.path
    fault: MingwuError = NotFound("api.no-route", path=path)
    if error.status_code == METHOD_NOT_ALLOWED:
        fault = MethodNotAllowed("api.method", method=request.method, path=path)
    response = error_response(fault, language_of(request, None))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request method=%s path=%s failed", request.method, request.url.path, exc_info=error)
    return internal_error(type(error).__name__, language_of(request, None))
