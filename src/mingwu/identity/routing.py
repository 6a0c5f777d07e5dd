"""HTTP routes of the identity plane: one declaration per route, the rest is made from it.

The API mounts the routes behind its door, which leaves ``request.state.principal`` (``account``,
``role``; absent for strangers) and ``request.state.lang``. An :class:`Operation` says what may be
asked and by whom; the route made from it checks that before the work runs, reads query and body,
and answers JSON, the Response that the work returns, or an error as ``{code, message, next}``. The
API's reference is made from the same declarations. Façades with schemes of their own (SNMS, IDHub,
GS1, carriers' exchange, IIIDAP) do not use it.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError, NotAuthenticated
from mingwu.kernel.shapes import Nothing, read_json, read_query
from mingwu.trust.roles import PERMISSIONS, Permission, Role, may, require

JSON = "application/json"
BODY_BYTES = 1 << 20
_WORD = re.compile(r"(?<!:)\b\w+")
_encode = msgspec.json.Encoder().encode

Journal = Callable[[str, str, str, dict[str, Any], str], None]
"""Writes (actor, action, object, detail, address) into the journal; may block."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, parsed; ``role`` is None for a stranger at an open route.

    ``admitted`` is what the operation's own ``admit`` gave.
    """

    request: Request
    lang: str
    account: str = ""
    role: Role | None = None
    query: Any = None
    body: Any = None
    admitted: Any = None

    @property
    def address(self) -> str:
        """The client's network address."""
        return self.request.client.host if self.request.client else ""

    def path(self, name: str) -> str:
        """A parameter of the path."""
        return str(self.request.path_params[name])

    def may(self, permission: Permission) -> bool:
        """Whether the asker's role has the permission."""
        return self.role is not None and may(self.role, permission)


Work = Callable[[Asked], Any]
"""What a route does: a function that may block (it runs in the thread pool), or a coroutine's."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route. ``permission`` None lets anybody in; ``body`` is a type or ``bytes``.

    ``admit`` looks at who is at an open route, in the thread pool and before the body is read; it
    raises MingwuError for those it turns away.

    ``media_type`` of the reply is for the reference; a work that returns no JSON returns a
    Response.
    """

    method: str
    path: str
    work: Work
    summary: str
    tag: str
    permission: Permission | None = Permission.READ
    admit: Callable[[Request], Any] | None = None
    query: type[msgspec.Struct] = Nothing
    body: Any = None
    body_bytes: int = BODY_BYTES
    reply: Any = dict
    media_type: str = JSON
    status: int = 200
    errors: tuple[int, ...] = ()

    @property
    def operation_id(self) -> str:
        """A name of its own in the reference, made from method and path."""
        words = _WORD.findall(self.path.removeprefix("/api"))
        return "_".join((self.method.lower(), *words))

    @property
    def role(self) -> str | None:
        """The least role that may call it; None: anybody."""
        if self.permission is None:
            return None
        return next(role for role in Role if self.permission in PERMISSIONS[role]).value


def routes_of(operations: Iterable[Operation]) -> list[Route]:
    """The routes, in their order; each carries its declaration, see :func:`operation_of`."""
    return [Route(one.path, _endpoint(one), methods=[one.method]) for one in operations]


def operation_of(route: Route) -> Operation | None:
    """The declaration that a route was made from."""
    found = getattr(route.endpoint, "operation", None)
    return found if isinstance(found, Operation) else None


def language_of(request: Request) -> str:
    """``zh`` or ``en``: the parameter ``lang``, else the door's choice, else English."""
    asked = request.query_params.get("lang") or getattr(request.state, "lang", "")
    return "zh" if asked == "zh" else "en"


def json_reply(content: object, status: int = 200, media: str = JSON) -> Response:
    """A JSON reply."""
    return Response(_encode(content), status, media_type=media)


async def read_body(request: Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes; raises InvalidInput ``input.invalid`` beyond."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise InvalidInput(
                "input.invalid",
                path="body",
                fault=Phrase(f"more than {limit} bytes", f"超过 {limit} 字节"),
            )
    return bytes(data)


def _endpoint(operation: Operation) -> Any:
    async def serve(request: Request) -> Response:
        lang = language_of(request)
        try:
            account, role = _who(request, operation.permission)
            admitted = None
            if operation.admit is not None:
                admitted = await run_in_threadpool(operation.admit, request)
            query = read_query(operation.query, request.query_params.multi_items())
            body = None
            if operation.body is not None:
                body = await read_body(request, operation.body_bytes)
                if operation.body is not bytes:
                    body = read_json(operation.body, body)
            asked = Asked(request, lang, account, role, query, body, admitted)
            if inspect.iscoroutinefunction(operation.work):
                result = await operation.work(asked)
            else:
                result = await run_in_threadpool(operation.work, asked)
        except MingwuError as error:
            return json_reply(error.as_dict(lang), error.status)
        return result if isinstance(result, Response) else json_reply(result, operation.status)

    serve.operation = operation  # type: ignore[attr-defined]
    return serve


def _who(request: Request, permission: Permission | None) -> tuple[str, Role | None]:
    principal = getattr(request.state, "principal", None)
    account = getattr(principal, "account", "")
    if not account:
        if permission is not None:
            raise NotAuthenticated("trust.no-session")
        return "", None
    role = Role(str(principal.role))  # type: ignore[union-attr]
    if permission is not None:
        require(role, permission)
    return account, role
