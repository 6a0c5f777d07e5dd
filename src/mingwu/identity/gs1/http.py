"""The resolver over HTTP: ``/{key}/{value}[/{qualifier}/{value}…]`` and its description file.

Answers (GS1 Resolver 1.2): 307 to the link asked for or the default one, the whole query passed
on; 200 with a linkset for ``linkType=linkset`` (or ``all``) or when JSON is accepted; 300 with the
candidates when several fit equally; 400 for a bad code, 404 for nothing known or no such link.
GET, HEAD and OPTIONS, CORS for everybody, trailing slash tolerated, no header needed. Compressed
paths and EPC binary strings (§2.3: ``eh…``, ``ex…``) are read, ``compress=true`` gives the
compressed URI (in a linkset: compressed anchors). The routes stand at the root of a host or behind
a mount, whose path then is the stem.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.gs1 import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.gs1.choosing import narrow, weighted
from mingwu.identity.gs1.links import VOCABULARY, Level, Link, levels, relation
from mingwu.identity.gs1.linkset import HTML, JSON, JSON_LD, LINKSET, json_ld, linkset, only, page
from mingwu.identity.gs1.settings import Gs1Settings
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import InvalidInput, MingwuError, NotFound
from mingwu.wire.epc.linkform import SEGMENT, elements_of
from mingwu.wire.gs1.ai import PRIMARY_KEYS
from mingwu.wire.gs1.link import (
    DigitalLink,
    expanded,
    from_elements,
    parse_path,
    parse_query,
    path_of,
)

Pairs = tuple[tuple[str, str], ...]
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Language, Content-Type",
    "Access-Control-Expose-Headers": "Link, Location",
    "Vary": "Accept, Accept-Language",
    "X-Content-Type-Options": "nosniff",
}
_WANTS_LINKSET = frozenset({"linkset", "all"})
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
_FORMS = (LINKSET, JSON_LD, JSON)
_SHOWN = (*_FORMS, HTML)
# Characters of a query that go on as they came; others can only be somebody's raw bytes.
_KEPT = "".join(char for char in map(chr, range(33, 127)) if char not in '"<>\\^`{|}')


def routes(store: RecordStore, settings: Gs1Settings | None = None) -> list[Route]:
    """Routes of the resolver over a store."""
    resolver = _Resolver(store, settings or Gs1Settings())
    found = [Route("/.well-known/gs1resolver", resolver.description, methods=["GET", "OPTIONS"])]
    found += [
        Route(f"/{ai}/{{rest:path}}", resolver.resolve, methods=["GET", "OPTIONS"])
        for ai in PRIMARY_KEYS
    ]
    found.append(Route("/{packed}", resolver.resolve, methods=["GET", "OPTIONS"]))
    return found


class _Resolver:
    def __init__(self, store: RecordStore, settings: Gs1Settings) -> None:
        self._store = store
        self._settings = settings

    async def description(self, request: Request) -> Response:
        """The description file (§3)."""
        if request.method == "OPTIONS":
            return _reply(204)
        body: dict[str, Any] = {
            "name": self._settings.name,
            "resolverRoot": self._root(request),
            "supportedPrimaryKeys": ["all"],
            "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
            "linkTypeDefaultCanBeLinkset": False,
            "jsonLdContextLocation": self._settings.context_url,
        }
        if self._settings.terms_of_use:
            body["termsOfUse"] = self._settings.terms_of_use
        return _reply(200, orjson.dumps(body), JSON)

    async def resolve(self, request: Request) -> Response:
        """One Digital Link URI."""
        if request.method == "OPTIONS":
            return _reply(204, headers={"Allow": "GET, HEAD, OPTIONS"})
        try:
            return self._resolve(request)
        except MingwuError as error:
            return _reply(error.status, orjson.dumps(error.as_dict(_language(request))), JSON)

    def _resolve(self, request: Request) -> Response:
        query = _query(request)
        raw = _raw_path(request)
        written, attributes, more = _spelled(raw)
        if "packed" in request.path_params and written == raw:
            raise NotFound("gs1.nothing-known", path=raw[:100])
        packed_query = [
            f"{quote(key, safe='')}={quote(data, safe='')}" for key, data in (*attributes, *more)
        ]
        query = "&".join([*packed_query, *filter(None, [query])])
        _, entity = parse_path(written)
        _, words = parse_query(query)
        path = path_of(entity)
        # some reads of mapped memory: no thread is worth it
        known = levels(self._store, entity, _language(request))
        if not known:
            raise NotFound("gs1.nothing-known", path=path)
        named = {name.lower(): value for name, value in words}
        wanted = named.get("linktype", "")
        accept = request.headers.get("accept", "")
        form = next((name for name, _ in weighted(accept) if name in _SHOWN), "")
        form = "" if form == HTML else form
        packed = named.get("compress", "") == "true"
        if wanted in _WANTS_LINKSET or (not wanted and form):
            document = linkset(known, self._root(request), packed=packed)
            return self._linkset(request, document, form or accept)
        if packed:
            link = DigitalLink(entity, attributes, (), self._root(request))
            body = {"uri": link.uri, "compressed": link.compressed}
            return _reply(200, orjson.dumps(body), JSON)
        level, links = _candidates(known, wanted)
        if not links:
            raise NotFound("gs1.no-such-link", path=path, kind=wanted[:100])
        chosen = narrow(
            links,
            language=request.headers.get("accept-language", ""),
            media=accept,
            context=named.get("context", ""),
        )
        if len(chosen) > 1:
            document = only(level, chosen, self._root(request))
            return self._linkset(request, document, form or accept, status=300)
        headers = {
            "Location": _passed_on(chosen[0].href, query),
            "Link": f'<{self._root(request)}/{path}?linkType=linkset>; rel="linkset"; '
            f'type="{LINKSET}"',
        }
        return _reply(307, headers=headers)

    def _linkset(
        self, request: Request, document: dict[str, Any], form: str, status: int = 200
    ) -> Response:
        context = self._settings.context_url
        headers = {
            "Link": f'<{context}>; rel="http://www.w3.org/ns/json-ld#context"; type="{JSON_LD}"'
        }
        if form == JSON_LD:
            return _reply(status, orjson.dumps(json_ld(document, context)), JSON_LD, headers)
        if form not in _FORMS and any(name == HTML for name, _ in weighted(form)):
            headers["Content-Security-Policy"] = "default-src 'none'"
            body = page(document, context, str(request.scope["path"]), _language(request))
            return _reply(status, body, HTML + "; charset=utf-8", headers)
        return _reply(status, orjson.dumps(document), form if form == JSON else LINKSET, headers)

    def _root(self, request: Request) -> str:
        return (self._settings.resolver_root or _own_root(request)).rstrip("/")


def _language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").startswith("zh") else "en"


def _candidates(known: list[Level], wanted: str) -> tuple[Level, list[Link]]:
    """The most specific level that has links of the type asked for, and these."""
    if not wanted:
        level = known[0]
        return level, list(level.defaults) or [level.default]
    rel = relation(wanted)
    for level in known:
        links = [link for link in (*level.links, *level.defaults) if link.rel == rel]
        if rel == VOCABULARY + "defaultLink":
            links = [level.default]
        if links:
            return level, links
    return known[0], []


def _spelled(path: str) -> tuple[str, Pairs, Pairs]:
    """(path, attributes, words) of any path: compressed or an EPC binary string written out."""
    stem, _, last = path.removesuffix("/").rpartition("/")
    if SEGMENT.fullmatch(last):
        try:
            link = from_elements(elements_of(last))
        except InvalidInput:
            return expanded(path)  # "export" and its like are words
        return f"{stem}/{link.path}", link.attributes, ()
    return expanded(path)


def _raw_path(request: Request) -> str:
    """The path as sent, so that %2F within data is not a slash; without the mount's stem."""
    raw: Iterable[int] = request.scope.get("raw_path") or request.scope["path"].encode()
    path = bytes(raw).partition(b"?")[0].decode("ascii", errors="replace")
    return path.removeprefix(request.scope.get("root_path", ""))


def _own_root(request: Request) -> str:
    """The address the request was sent to, with the mount's path."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else str(name)
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '')}"


def _query(request: Request) -> str:
    """The query as sent, made of URI characters only."""
    return quote(request.scope.get("query_string", b""), safe=_KEPT)


def _passed_on(href: str, query: str) -> str:
    if not query:
        return href
    address, mark, fragment = href.partition("#")
    return address + ("&" if "?" in address else "?") + query + mark + fragment


def _reply(
    status: int, body: bytes = b"", media: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    return Response(body, status, {**_CORS, **(headers or {})}, media)
