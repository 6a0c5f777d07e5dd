"""Over HTTP: codes, aliases, chains, OID answers.

=================================  =====================================================
``GET /api/identity/codes``        ``?text=``: all readings of a text
``GET /api/identity/chain/{t}``    the graph from a code or name; ``depth`` 1-20
``GET /api/identity/record/{t}``   what a name answers, also one of another node (viewer)
``GET /api/identity/aliases/{t}``  names that a code leads to, and their aliases
``POST /api/identity/aliases``     {"name", "alias"}: give an alias (permission register)
``DELETE /api/identity/aliases``   the same, take it away
``GET /api/identity/oid/{oid}``    NAPTR answers, see ``aliases.naptr``
=================================  =====================================================

Reading is as open as resolving, but other nodes are asked only for those who are logged in. Text
language: ``lang`` (zh, en), default en.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import DEPTH, Source, chain
from mingwu.identity.aliases.naptr import answer
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.codes.recognition import NAMES, readings, require
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated
from mingwu.trust.roles import Permission, Role, may
from mingwu.wire.handle.jsonform import value_to_json

_encode = msgspec.json.Encoder().encode
_DEEPEST = 20
_MOST_BODY = 16_384


class AliasChange(msgspec.Struct, frozen=True):
    """Body of POST and DELETE."""

    name: str
    alias: str


Handler = Callable[[Request], Awaitable[Any]]


def language_of(request: Request) -> str:
    """The language asked for by the ``lang`` parameter."""
    return "zh" if request.query_params.get("lang", "en") == "zh" else "en"


def json_route(path: str, handler: Handler, method: str = "GET") -> Route:
    """A route whose handler returns JSON-ready data or raises errors of the house."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await handler(request)
        except MingwuError as error:
            body = error.as_dict(language_of(request))
            return Response(_encode(body), error.status, media_type="application/json")
        return Response(_encode(body), media_type="application/json")

    return Route(path, endpoint, methods=[method])


def routes(store: RecordStore, *, source: Source | None = None) -> list[Route]:
    """Routes over a store; ``source`` is where chains ask (default: the store alone)."""
    book = AliasBook(store)
    here = local_source(store)
    anywhere = source or here

    async def codes(request: Request) -> Any:
        lang = language_of(request)
        text = request.query_params.get("text", "")
        found = [code.as_dict(lang) for code in readings(text)]
        for body in found:
            names = NAMES.get(str(body["system"]), ("", ""))
            body["system_name"] = names[lang == "zh"]
        return {"text": text, "readings": found}

    async def graph(request: Request) -> Any:
        depth = request.query_params.get("depth", str(DEPTH))
        if not (depth.isascii() and depth.isdigit() and 1 <= int(depth[:4]) <= _DEEPEST):
            raise InvalidInput("input.invalid", path="depth", fault=f"1 to {_DEEPEST}")
        asked = anywhere if _is_known(request) else here
        return await chain(request.path_params["text"], asked, depth=int(depth))

    async def record(request: Request) -> Any:
        if not _is_known(request):
            raise NotAuthenticated("aliases.login-needed")
        name = request.path_params["text"]
        seen = await anywhere.look(name, True)  # noqa: FBT003 — may ask other nodes
        return {
            "handle": name,
            "state": seen.state,
            "site": seen.site,
            "owner": seen.owner,
            "values": [value_to_json(value) for value in seen.values if value.is_public],
        }

    async def names(request: Request) -> Any:
        lang = language_of(request)
        code = require(request.path_params["text"])
        found = await run_in_threadpool(book.names_of, code)
        return {
            "code": code.as_dict(lang),
            "names": [
                {"name": name, "aliases": [one.as_dict(lang) for one in book.aliases(name)]}
                for name in found
            ],
        }

    async def give(request: Request) -> Any:
        change = await _change(request)
        code = await run_in_threadpool(book.add, change.name, change.alias)
        return {"name": change.name, "alias": code.as_dict(language_of(request))}

    async def take(request: Request) -> Any:
        change = await _change(request)
        await run_in_threadpool(book.remove, change.name, change.alias)
        return {"name": change.name}

    async def oid(request: Request) -> Any:
        text = request.path_params["oid"]
        code = require(text if text[:1].isdigit() or ":" in text else "/" + text)
        if code.system != "oid":
            raise InvalidInput("codes.oid", text=text[:60], detail=f"it is a {code.system} code")
        return await run_in_threadpool(answer, store, code)

    return [
        json_route("/api/identity/codes", codes),
        json_route("/api/identity/chain/{text:path}", graph),
        json_route("/api/identity/record/{text:path}", record),
        json_route("/api/identity/aliases/{text:path}", names),
        json_route("/api/identity/aliases", give, "POST"),
        json_route("/api/identity/aliases", take, "DELETE"),
        json_route("/api/identity/oid/{oid:path}", oid),
    ]


def _is_known(request: Request) -> bool:
    principal = getattr(request.state, "principal", None)
    return principal is not None and bool(getattr(principal, "account", ""))


async def _change(request: Request) -> AliasChange:
    principal = getattr(request.state, "principal", None)
    if principal is None or not getattr(principal, "account", ""):
        raise NotAuthenticated("aliases.not-allowed")
    if not may(Role(str(principal.role)), Permission.REGISTER):
        raise Denied("aliases.not-allowed")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_BODY:
            raise InvalidInput("input.invalid", path="body", fault=f"over {_MOST_BODY} bytes")
    try:
        return msgspec.json.decode(bytes(data), type=AliasChange)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("input.invalid", path="body", fault=str(error)) from error
