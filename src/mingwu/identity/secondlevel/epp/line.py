"""The line to an EPP service: over TCP (RFC 5734) or HTTP, whichever the address says.

``host:port`` is TCP, framed by 4 bytes of length, with TLS when an authority is given. A URL is
HTTP, modelled on draft-ietf-regext-epp-https: GET brings the greeting and a session cookie, a POST
carries one command, the result stands in the document and not in the HTTP status. Plain http is
for loopback only. :class:`EppClient` logs in when it must: a session that has expired is begun anew
and the command sent again, which is harmless because the server knows it by its clTRID.
"""

import asyncio
import ipaddress
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from mingwu.identity.client.handleclient import parse_server
from mingwu.identity.secondlevel.epp.messages import (
    MOST_BYTES,
    NAMES,
    Command,
    Result,
    login_payload,
    write_command,
)
from mingwu.identity.secondlevel.epp.reply import Response, read_greeting, read_response
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError, InvalidInput, PeerError, Unavailable

HEAD_BYTES = 4
_LENGTH = struct.Struct(">I")
_OK = 200
_ENDED = frozenset({Result.USE, Result.CLOSING})
_TRANSIENT = frozenset({Result.FAILED, Result.CLOSING})
_LOST = (OSError, TimeoutError, asyncio.IncompleteReadError, aiohttp.ClientError, InvalidInput)


class EppAddress:
    """Where the service is. Raises ConfigError ``config.invalid`` for what cannot be used."""

    def __init__(self, text: str, authority: str) -> None:
        self.is_http = "://" in text
        self.text = text
        self.tls: ssl.SSLContext | None = None
        if authority:
            try:
                self.tls = ssl.create_default_context(cafile=authority)
            except (OSError, ssl.SSLError) as error:
                raise _invalid("upstream_epp_ca", str(error)) from error
        if self.is_http:
            self._check_url(text)
        elif text:
            try:
                self.host, self.port = parse_server(text)
            except Unavailable as error:
                raise _invalid("upstream_epp", str(error)) from error

    @staticmethod
    def _check_url(text: str) -> None:
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
        except ValueError as error:
            raise _invalid("upstream_epp", str(error)) from error
        if parts.scheme not in {"http", "https"} or not host:
            raise _invalid(
                "upstream_epp",
                Phrase(
                    "host:port, or a URL with http or https", "应为 主机:端口，或 http、https 网址"
                ),
            )
        if parts.scheme == "http" and not _is_loopback(host):
            raise _invalid(
                "upstream_epp",
                Phrase(
                    "plain http is for loopback only; use https",
                    "http 只可用于本机回环，请使用 https",
                ),
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(field: str, fault: str) -> ConfigError:
    return ConfigError("config.invalid", path=f"$.{field}", fault=fault)


def frame(document: bytes) -> bytes:
    """A document with its length in front (RFC 5734 section 4)."""
    return _LENGTH.pack(len(document) + HEAD_BYTES) + document


def frame_size(head: bytes) -> int:
    """Bytes that follow a frame's head; raises InvalidInput for an impossible length."""
    (size,) = _LENGTH.unpack(head)
    if not HEAD_BYTES < size <= MOST_BYTES:
        raise InvalidInput(
            "secondlevel.xml-bad", fault=Phrase(f"frame of {size} bytes", f"帧长 {size} 字节")
        )
    return int(size) - HEAD_BYTES


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """One EPP document from a stream."""
    size = frame_size(await reader.readexactly(HEAD_BYTES))
    return await reader.readexactly(size)


class _Line(Protocol):
    async def greeting(self) -> bytes: ...

    async def exchange(self, document: bytes) -> bytes: ...

    async def close(self) -> None: ...


class _TcpLine:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def greeting(self) -> bytes:
        return await read_frame(self._reader)

    async def exchange(self, document: bytes) -> bytes:
        self._writer.write(frame(document))
        await self._writer.drain()
        return await read_frame(self._reader)

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class _HttpLine:
    def __init__(self, address: EppAddress, cookies: dict[str, str]) -> None:
        self._url = address.text
        self._cookies = cookies
        connector = aiohttp.TCPConnector(ssl=address.tls or True, limit=1)
        # we keep the one cookie ourselves: the jar would refuse it for an IP address
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def greeting(self) -> bytes:
        self._cookies.clear()
        return await self._send("GET", None)

    async def exchange(self, document: bytes) -> bytes:
        return await self._send("POST", document)

    async def _send(self, method: str, document: bytes | None) -> bytes:
        headers = {"Accept": NAMES["media"]}
        if document is not None:
            headers["Content-Type"] = NAMES["media"]
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={one}" for name, one in self._cookies.items())
        async with self._session.request(
            method, self._url, data=document, headers=headers, allow_redirects=False
        ) as reply:
            body = await reply.content.read(MOST_BYTES + 1)
            if reply.status != _OK or reply.content_type != NAMES["media"]:
                fault = f"HTTP {reply.status} {reply.content_type}"
                raise InvalidInput("secondlevel.xml-bad", fault=fault)
            self._cookies.update({one.key: one.value for one in reply.cookies.values()})
            return body

    async def close(self) -> None:
        await self._session.close()


class EppClient:
    """One client of a service; use :meth:`ask`, then :meth:`close`.

    ``sign`` signs a login with the node's key. Between two uses a session over HTTP goes on (its
    cookie is kept), one over TCP ends.
    """

    def __init__(
        self, address: EppAddress, app: str, prefix: str, sign: Callable[[bytes], bytes],
        timeout_s: float,
    ) -> None:  # fmt: skip
        self._address = address
        self._app, self._prefix = app, prefix
        self._sign = sign
        self._timeout_s = timeout_s
        self._cookies: dict[str, str] = {}
        self._line: _Line | None = None
        self._is_in = False

    async def ask(self, command: Command) -> Response:
        """The answer to a command.

        Raises Unavailable ``secondlevel.upstream-down`` when there is none, or one that says to
        try later; PeerError ``secondlevel.upstream-refused`` when the login is refused.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                was_in = self._is_in
                response = await self._once(command)
                if response.code in _ENDED and was_in:
                    await self._drop()
                    response = await self._once(command)
        except _LOST as error:
            await self._drop()
            raise Unavailable("secondlevel.upstream-down", detail=repr(error)) from error
        except BaseException:
            await self._drop()
            raise
        if response.code in _TRANSIENT:
            detail = f"{response.code} {response.text}"
            raise Unavailable("secondlevel.upstream-down", detail=detail)
        return response

    async def _once(self, command: Command) -> Response:
        if self._line is None:
            self._line = await self._open()
        if not self._is_in:
            await self._log_in(self._line)
        return read_response(await self._line.exchange(write_command(command)))

    async def _open(self) -> _Line:
        address = self._address
        if address.is_http:
            return _HttpLine(address, self._cookies)
        return _TcpLine(*await asyncio.open_connection(address.host, address.port, ssl=address.tls))

    async def _log_in(self, line: _Line) -> None:
        server, nonce = read_greeting(await line.greeting())
        payload = login_payload(server, nonce, self._app, self._prefix)
        signature = (await asyncio.to_thread(self._sign, payload)).hex()
        fields = {"app": self._app, "signature": signature}
        login = Command(verb="login", id="login", prefix=self._prefix, fields=fields)
        reply = read_response(await line.exchange(write_command(login)))
        if reply.code != Result.OK:
            detail = f"{reply.code} {reply.text}"
            raise PeerError(
                "secondlevel.upstream-refused", what=Phrase("login", "登录"), detail=detail
            )
        self._is_in = True

    async def log_out(self) -> None:
        """End the session with the server, if there is one."""
        if self._is_in:
            with suppress(Unavailable):
                await self.ask(Command(verb="logout", id="logout"))
        await self._drop()

    async def close(self) -> None:
        """Let go of the connection; over HTTP the session stays for the next use."""
        if not self._address.is_http:
            await self.log_out()
        elif self._line is not None:
            await self._line.close()
            self._line = None

    async def _drop(self) -> None:
        self._is_in = False
        self._cookies.clear()
        if self._line is not None:
            await self._line.close()
            self._line = None
