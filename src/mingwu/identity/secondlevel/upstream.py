"""The line to the top node: EPP sessions for prefixes, HTTP for tables and deposits.

Every HTTP message is signed with the node's SM2 key over its body (header names in
:data:`HEADERS`); the receiver's own refusal (4xx) is final for that message, anything else is tried
again by the outbox.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import msgspec

from mingwu.identity.client import parse_server
from mingwu.identity.secondlevel import epp
from mingwu.identity.secondlevel.outbox import Entry
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.errors import ConfigError, InvalidInput, PeerError, Unavailable
from mingwu.trust import sm2

HEADERS = {"app": "X-App-Id", "prefix": "X-Shr-Prefix", "signature": "X-Signature"}
SYNC_PATH, ESCROW_PATH = "/sync", "/escrow"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_BUSY = 429


class Upstream:
    """Sends outbox entries. ``scalar`` is the node's SM2 key.

    Raises ConfigError ``config.invalid`` when the EPP service's authority cannot be read.
    """

    def __init__(self, settings: SecondLevelSettings, scalar: bytes) -> None:
        self._settings = settings
        self._scalar = scalar
        self._point = sm2.public_point(scalar)
        self._tls = _tls(settings.upstream_epp_ca)

    async def send_table(self, entry: Entry) -> None:
        """Deliver one message of a sync or monitoring table."""
        body = msgspec.json.encode({"id": entry.number} | entry.body)
        await self._post(f"{SYNC_PATH}/{entry.subject}", body)

    async def send_deposit(self, entry: Entry) -> None:
        """Deliver a deposit: the pieces, the signature, and last the manifest."""
        directory = Path(self._settings.escrow_directory)
        manifest = await asyncio.to_thread((directory / f"{entry.subject}.json").read_bytes)
        pieces = msgspec.json.decode(manifest)["pieces"]
        for name in (*(piece["name"] for piece in pieces), f"{entry.subject}.sig"):
            await self._post(
                f"{ESCROW_PATH}/{name}", await asyncio.to_thread((directory / name).read_bytes)
            )
        await self._post(f"{ESCROW_PATH}/{entry.subject}.json", manifest)

    async def _post(self, path: str, body: bytes) -> None:
        signature = await asyncio.to_thread(
            sm2.sign, self._scalar, path.encode() + b"\n" + body, point=self._point
        )
        headers = {
            HEADERS["app"]: self._settings.app_id,
            HEADERS["prefix"]: self._settings.prefix,
            HEADERS["signature"]: signature.hex(),
        }
        timeout = aiohttp.ClientTimeout(total=self._settings.upstream_timeout_s)
        url = self._settings.upstream_url.rstrip("/") + path
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body, headers=headers) as reply,
            ):
                detail = (await reply.text())[:300]
                status = reply.status
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            raise Unavailable("secondlevel.upstream-down", detail=repr(error)) from error
        if status == _BUSY or status >= _SERVER_ERROR:
            raise Unavailable("secondlevel.upstream-down", detail=f"{status} {detail}")
        if status >= _CLIENT_ERROR:
            raise PeerError("secondlevel.upstream-refused", what=path, detail=f"{status} {detail}")

    async def send_prefix(self, entry: Entry) -> None:
        """Register, change or remove a prefix by EPP; repeating a done command is no fault."""
        verb = str(entry.body["verb"])
        fields = {str(key): str(text) for key, text in entry.body.get("fields", {}).items()}
        async with self._session() as ask:
            response = await ask(
                epp.Command(verb=verb, id=str(entry.number), prefix=entry.subject, fields=fields)
            )
            if verb == "create" and response.code == epp.Result.EXISTS:
                response = await ask(
                    epp.Command(
                        verb="update", id=str(entry.number), prefix=entry.subject, fields=fields
                    )
                )
        done = response.code == epp.Result.OK or (
            verb == "delete" and response.code == epp.Result.MISSING
        )
        if not done:
            raise PeerError(
                "secondlevel.upstream-refused",
                what=f"{verb} {entry.subject}", detail=f"{response.code} {response.text}",
            )  # fmt: skip

    @asynccontextmanager
    async def _session(self) -> AsyncIterator["_Ask"]:
        host, port = parse_server(self._settings.upstream_epp)
        timeout_s = self._settings.upstream_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, port, ssl=self._tls)
                try:
                    server, nonce = epp.read_greeting(await read_frame(reader))
                    ask = _Ask(reader, writer)
                    app = self._settings.app_id
                    payload = epp.login_payload(server, nonce, app)
                    signature = sm2.sign(self._scalar, payload, point=self._point).hex()
                    login = {"app": app, "signature": signature}
                    reply = await ask(epp.Command(verb="login", id="login", fields=login))
                    if reply.code != epp.Result.OK:
                        raise PeerError(
                            "secondlevel.upstream-refused", what="login", detail=reply.text
                        )
                    yield ask
                    await ask(epp.Command(verb="logout", id="logout"))
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, InvalidInput) as error:
            raise Unavailable("secondlevel.upstream-down", detail=repr(error)) from error


class _Ask:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __call__(self, command: epp.Command) -> epp.Response:
        self._writer.write(epp.frame(epp.write_command(command)))
        await self._writer.drain()
        return epp.read_response(await read_frame(self._reader))


def _tls(authority: str) -> ssl.SSLContext | None:
    if not authority:
        return None
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("config.invalid", path="$.upstream_epp_ca", fault=str(error)) from error


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """One EPP document from a stream."""
    size = epp.frame_size(await reader.readexactly(epp.HEAD_BYTES))
    return await reader.readexactly(size)
