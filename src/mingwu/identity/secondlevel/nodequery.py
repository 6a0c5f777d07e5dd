"""Asking an enterprise's own node for data, through the façades that such nodes have.

Login by challenge as IDHub has it (``/api/v1/doip/public/…``), signed with this node's RSA key; the
question itself goes to ``/identityv2/data/query`` of its SNMS façade. What a node may be asked for
is what it granted to the application. Answers are checked: names outside the node's prefix or out
of order are not taken. No redirect is followed, so that a token goes nowhere else.
"""

import asyncio
import base64
import ssl
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
from msgspec import Meta

from mingwu.identity.secondlevel.links import NodeLink
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, Denied, MingwuError, PeerError, Unavailable
from mingwu.kernel.names import fold
from mingwu.trust.keys import PrivateKey

T = TypeVar("T")
CHALLENGE_PATH: Final = "/api/v1/doip/public/challenge"
VERIFY_PATH: Final = "/api/v1/doip/public/verify-response"
QUERY_PATH: Final = "/identityv2/data/query"
MOST_BYTES = 8 << 20
_OK, _NOT_FOUND, _SERVER_ERROR = 200, 404, 500
_DONE, _LOGIN_AGAIN = 1, -1
_GRANTED = {1, 10_000}  # both stand for success in IDHub's documents
_MOST_TOKENS = 10_000


class NodeRow(msgspec.Struct, frozen=True):
    """A name with the values that the node lets us read."""

    name: Annotated[str, Meta(max_length=255)]
    template: str
    at_ms: int
    values: Mapping[str, str]


class NodePage(msgspec.Struct, frozen=True):
    """Rows in the order of names, and behind which name the next page begins."""

    rows: list[NodeRow]
    after: Annotated[str, Meta(max_length=255)] = ""
    known: bool = True


class _Reply(msgspec.Struct, frozen=True):
    status: int = 0
    code: int = 0
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Token(msgspec.Struct, frozen=True):
    token: str


class NodeClient:
    """Asks nodes; keeps their tokens as long as they are taken. For use in one event loop.

    ``key`` gives this node's RSA key and may block; ``authority`` is a PEM file, ConfigError
    ``config.invalid`` when it cannot be used.
    """

    def __init__(self, key: Callable[[], PrivateKey], authority: str = "") -> None:
        self._key = key
        self._tokens: dict[tuple[str, str], str] = {}
        self._tls: ssl.SSLContext | None = None
        if authority:
            try:
                self._tls = ssl.create_default_context(cafile=authority)
            except (OSError, ssl.SSLError) as error:
                fault = f"{authority}: {error}"
                raise ConfigError(
                    "config.invalid", path="$.secondlevel.query_ca", fault=fault
                ) from error

    def session(self, lang: str = "zh") -> aiohttp.ClientSession:
        """A session for the questions of one query; the caller closes it.

        ``lang``: in which language nodes are to say why they refuse.
        """
        connector = aiohttp.TCPConnector(ssl=self._tls or True, limit=0)
        other = "en" if lang == "zh" else "zh"
        headers = {"Accept-Language": f"{lang}, {other};q=0.5"}
        return aiohttp.ClientSession(connector=connector, headers=headers)

    async def ask(
        self, session: aiohttp.ClientSession, link: NodeLink, question: Mapping[str, object]
    ) -> NodePage:
        """One page. Raises Denied ``secondlevel.node-refused``, Unavailable ``…node-silent`` or
        PeerError ``…node-bad``. The time limit is the caller's.
        """
        body = msgspec.json.encode(question)
        reply = await self._post(session, link, await self.token(session, link), body)
        if reply.status == _LOGIN_AGAIN:
            self._tokens.pop((link.url, link.application), None)
            reply = await self._post(session, link, await self.token(session, link), body)
        if reply.status != _DONE:
            raise refused(link, reply.message or f"status {reply.status}")
        try:
            page = msgspec.json.decode(reply.data, type=NodePage)
        except msgspec.MsgspecError as error:
            raise bad(link, str(error)) from error
        _check(link, page, str(question.get("after", "")))
        return page

    async def token(self, session: aiohttp.ClientSession, link: NodeLink) -> str:
        """A token of the node, kept or made anew by answering its challenge."""
        key = link.url, link.application
        if key not in self._tokens:
            if len(self._tokens) >= _MOST_TOKENS:
                self._tokens.clear()
            self._tokens[key] = await self._login(session, link)
        return self._tokens[key]

    async def _login(self, session: aiohttp.ClientSession, link: NodeLink) -> str:
        query = urlencode({"handle": link.application})
        asked = await self._call(session, link, "GET", f"{CHALLENGE_PATH}?{query}")
        nonce = self._granted(link, asked, str)
        signature = await asyncio.to_thread(self._signed, nonce)
        proof = msgspec.json.encode({"handle": link.application, "signature": signature})
        answered = await self._call(session, link, "POST", VERIFY_PATH, proof)
        return self._granted(link, answered, _Token).token

    def _signed(self, nonce: str) -> str:
        return base64.b64encode(self._key().sign(nonce.encode())).decode()

    @staticmethod
    def _granted(link: NodeLink, reply: _Reply, kind: type[T]) -> T:
        if reply.code not in _GRANTED:
            raise refused(link, reply.message or f"code {reply.code}")
        try:
            return msgspec.json.decode(reply.data, type=kind)
        except msgspec.MsgspecError as error:
            raise bad(link, str(error)) from error

    async def _post(
        self, session: aiohttp.ClientSession, link: NodeLink, token: str, body: bytes
    ) -> _Reply:
        return await self._call(session, link, "POST", QUERY_PATH, body, token)

    async def _call(
        self,
        session: aiohttp.ClientSession,
        link: NodeLink,
        method: str,
        path: str,
        body: bytes = b"",
        token: str = "",
    ) -> _Reply:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with session.request(
                method, link.url + path, data=body or None, headers=headers, allow_redirects=False
            ) as reply:
                data = await _whole(reply, link)
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise silent(link, told(error)) from error
        if reply.status == _NOT_FOUND:
            raise refused(link, f"HTTP 404: {path}")
        if reply.status >= _SERVER_ERROR:
            raise silent(link, f"HTTP {reply.status}")
        if reply.status != _OK:
            raise refused(link, f"HTTP {reply.status}")
        try:
            return msgspec.json.decode(data, type=_Reply)
        except msgspec.MsgspecError as error:
            raise bad(link, str(error)) from error


async def _whole(reply: aiohttp.ClientResponse, link: NodeLink) -> bytes:
    data = bytearray()
    async for chunk in reply.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > MOST_BYTES:
            raise bad(link, f"more than {MOST_BYTES} bytes")
    return bytes(data)


def _check(link: NodeLink, page: NodePage, after: str) -> None:
    """Refuse names that are not the node's to tell, and pages that lead nowhere."""
    last = fold(after)
    head = fold(link.prefix)
    for row in page.rows:
        key = fold(row.name)
        if not key.startswith((head + "/", head + ".")):
            raise bad(link, f"{row.name[:60]} is not under {link.prefix}")
        if key <= last:
            raise bad(link, f"{row.name[:60]} is out of order")
        last = key
    if page.after and (fold(page.after) < last or fold(page.after) == fold(after)):
        raise bad(link, "the next page begins before this one ends")


def refused(link: NodeLink, detail: str) -> MingwuError:
    """The node answers, but not this."""
    return Denied("secondlevel.node-refused", prefix=link.prefix, detail=detail[:300])


def silent(link: NodeLink, detail: str) -> MingwuError:
    """The node does not answer."""
    return Unavailable("secondlevel.node-silent", prefix=link.prefix, detail=detail[:300])


def bad(link: NodeLink, detail: str) -> MingwuError:
    """The node answers what cannot be used."""
    return PeerError("secondlevel.node-bad", prefix=link.prefix, detail=detail[:300])
