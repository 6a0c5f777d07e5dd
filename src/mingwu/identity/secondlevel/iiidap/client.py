"""Asking a data access service, found through the bootstrap file (modelled on RFC 9224).

The file lists services with the prefixes they answer for; the longest prefix that holds the name,
label by label, decides. Second-level nodes and the simulated top node write it
(:func:`bootstrap_document`). Answers are
taken from http and https only, up to :data:`MOST_BYTES`, without following redirects to elsewhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from mingwu.identity.secondlevel.iiidap.names import NAMES
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import (
    InvalidInput,
    MingwuError,
    NotFound,
    Overloaded,
    PeerError,
    Unavailable,
)

MOST_BYTES = 4 << 20
_OK, _NOT_FOUND, _BUSY, _CLIENT_ERROR, _SERVER_ERROR = 200, 404, 429, 400, 500
_WAIT_S = 60
SINGLE = tuple(NAMES[kind] for kind in ("identifier", "prefix", "entity"))
MANY = tuple(NAMES[kind] for kind in ("identifiers", "prefixes", "entities"))


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9224 section 3: each service is a list of entries and a list of base URLs."""

    version: str
    publication: str
    services: list[tuple[list[str], list[str]]]
    description: str = ""

    def bases(self) -> list[str]:
        """Every base URL that is named, once."""
        return list(dict.fromkeys(url for _, urls in self.services for url in urls))


class _Event(msgspec.Struct):
    eventAction: str = ""  # noqa: N815 - RFC 9083's names, here and below
    eventDate: str = ""  # noqa: N815


class _Link(msgspec.Struct):
    href: str
    rel: str = ""


class _Notice(msgspec.Struct):
    title: str = ""
    description: list[str] = []
    links: list[_Link] = []
    type: str = ""


class _Reason(msgspec.Struct):
    description: str = ""


class _Redacted(msgspec.Struct):
    reason: _Reason = msgspec.field(default_factory=_Reason)


class _Paging(msgspec.Struct):
    links: list[_Link] = []
    totalCount: int | None = None  # noqa: N815


class _Object(msgspec.Struct):
    objectClassName: str = ""  # noqa: N815
    handle: str = ""
    status: list[str] = []
    events: list[_Event] = []
    links: list[_Link] = []
    notices: list[_Notice] = []
    vcardArray: tuple[str, list[list[Any]]] = ("vcard", [])  # noqa: N815
    iiidap_prefixes: list[str] = []
    redacted: list[_Redacted] = []
    paging_metadata: _Paging = msgspec.field(default_factory=_Paging)
    entities: "list[_Object]" = []


def bootstrap_document(
    services: Iterable[tuple[str, str]], publication: str, description: str
) -> Bootstrap:
    """The file for (prefix, base URL) pairs; a base URL ends in a slash."""
    entries: dict[str, list[str]] = {}
    for prefix, url in services:
        entries.setdefault(url.rstrip("/") + "/", []).append(prefix)
    made = [(sorted(prefixes), [url]) for url, prefixes in sorted(entries.items())]
    return Bootstrap(version="1.0", publication=publication, services=made, description=description)


def read_bootstrap(data: bytes) -> Bootstrap:
    """A bootstrap file; raises InvalidInput."""
    try:
        found = msgspec.json.decode(data, type=Bootstrap)
    except msgspec.MsgspecError as error:
        raise InvalidInput("input.invalid", path="bootstrap", fault=told(error)) from error
    if not found.version.startswith("1."):
        raise InvalidInput("input.invalid", path="$.version", fault=found.version[:20])
    return found


def authority(bootstrap: Bootstrap, prefix: str, source: str = "bootstrap") -> str:
    """The base URL for a prefix: of the longest entry, https before http.

    Raises NotFound ``secondlevel.authority-unknown``.
    """
    labels = prefix.split(".")
    heads = [".".join(labels[:count]) for count in range(len(labels), 0, -1)]
    for head in heads:
        urls = [url for entries, bases in bootstrap.services if head in entries for url in bases]
        usable = [url for url in urls if urlsplit(url).scheme in {"http", "https"}]
        if usable:
            return max(usable, key=lambda url: url.startswith("https://"))
    raise NotFound("secondlevel.authority-unknown", prefix=prefix, source=source)


def address(base: str, kind: str, asked: str = "", query: Mapping[str, str] | None = None) -> str:
    """The URL of a lookup (``asked``) or a search (``query``)."""
    path = base.rstrip("/") + "/" + kind
    if asked:
        path += "/" + quote(asked, safe="/")
    return path + ("?" + urlencode(query) if query else "")


async def fetch(url: str, *, token: str = "", lang: str = "", timeout_s: float = 10.0) -> bytes:
    """The body of a good answer.

    Raises NotFound, Overloaded or InvalidInput with what the service said; Unavailable when it
    does not answer, PeerError when it answers something else.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in {"http", "https"}:
        raise InvalidInput(
            "input.invalid", path=url[:200], fault=Phrase("http or https", "应为 http 或 https")
        )
    headers = {"Accept": f"{NAMES['media']}, application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if lang:
        headers["Accept-Language"] = lang
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as reply,
        ):
            body = await _whole(reply, url)
    except (OSError, TimeoutError, aiohttp.ClientError) as error:
        detail = told(error)
        raise Unavailable("secondlevel.service-silent", url=url, detail=detail) from error
    if reply.status != _OK:
        raise refusal(url, reply.status, body, reply.headers.get("Retry-After", ""))
    return body


async def _whole(reply: aiohttp.ClientResponse, url: str) -> bytes:
    body = b""
    async for chunk in reply.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MOST_BYTES:
            raise PeerError(
                "secondlevel.service-silent", url=url, detail=Phrase("too much", "应答过大")
            )
    return body


def refusal(url: str, status: int, body: bytes, retry: str) -> MingwuError:
    """The error for a refusing answer, with what the service said (RFC 9083 6)."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
        lines = [told.get("title") or told.get("message") or "", *(told.get("description") or [])]
        detail = " — ".join(str(line) for line in lines if line)[:300]
    except (msgspec.MsgspecError, TypeError):
        detail = ""
    detail = detail or f"HTTP {status}"
    if status == _BUSY:
        wait = int(retry) if retry.isascii() and retry.isdigit() else _WAIT_S
        return Overloaded("secondlevel.service-said", url=url, detail=detail, wait_s=wait)
    kind: type[MingwuError] = PeerError
    if status == _NOT_FOUND:
        kind = NotFound
    elif _CLIENT_ERROR <= status < _SERVER_ERROR:
        kind = InvalidInput
    elif status >= _SERVER_ERROR:
        kind = Unavailable
    return kind("secondlevel.service-said", url=url, detail=detail)


def read_answer(body: bytes, url: str) -> dict[str, Any]:
    """An answer, of whose members those that this house reads have their shapes.

    Raises PeerError ``secondlevel.service-silent`` for anything else.
    """
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
        msgspec.convert(answer, _Object)
        for name, value in answer.items():
            if name.endswith("SearchResults"):
                msgspec.convert(value, list[_Object])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PeerError("secondlevel.service-silent", url=url, detail=told(error)) from error
    return answer


def next_page(answer: Mapping[str, Any], url: str) -> str:
    """Where a search goes on (RFC 8977), resolved against the page's own address, or empty."""
    links = answer.get("paging_metadata", {}).get("links", [])
    following = next((str(one["href"]) for one in links if one.get("rel") == "next"), "")
    if not following:
        return ""
    _, question, query = following.partition("?")
    # the service it came from, whatever it calls itself: a page never leads elsewhere
    return url.partition("?")[0] + question + query
