"""The line to the top node: EPP for prefixes, HTTP for tables and deposits.

Every HTTP message is signed with the node's SM2 key over its body (header names in
:data:`HEADERS`); the receiver's own refusal (4xx) is final for that message, anything else is tried
again by the outbox. What the top node decided later comes from its message queue.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec

from mingwu.identity.secondlevel.epp.line import EppAddress, EppClient
from mingwu.identity.secondlevel.epp.messages import Command, Result
from mingwu.identity.secondlevel.epp.reply import Response
from mingwu.identity.secondlevel.outbox import Entry
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.trust import sm2

HEADERS = {"app": "X-App-Id", "prefix": "X-Shr-Prefix", "signature": "X-Signature"}
SYNC_PATH, ESCROW_PATH = "/sync", "/escrow"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_BUSY = 429
_MOST_NOTICES = 200
# What the answer to a command means for the prefix (``PrefixRow.upstream``).
_DONE = {int(Result.OK): "registered", int(Result.PENDING): "pending"}


# Answers about the command's object: they stay the same when it is sent again.
_FINAL = frozenset(
    {Result.PARAMETER, Result.AUTHORIZATION, Result.TRANSFER_PENDING, Result.TRANSFER_NONE,
     Result.EXISTS, Result.MISSING, Result.PROHIBITED}
)  # fmt: skip


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message from the top node's queue."""

    id: str
    text: str
    prefix: str
    fields: dict[str, str]


class CommandRefused(PeerError):
    """The top node refused what a command asks for (not the login, not the session)."""


class Upstream:
    """Sends outbox entries. ``scalar`` is the node's SM2 key.

    Raises ConfigError ``config.invalid`` when the EPP service's address or authority is unusable.
    """

    def __init__(self, settings: SecondLevelSettings, scalar: bytes) -> None:
        self._settings = settings
        self._scalar = scalar
        self._point = sm2.public_point(scalar)
        self._address = EppAddress(settings.upstream_epp, settings.upstream_epp_ca)
        # one command at a time: for the duties; questions of people have a client of their own
        self.epp = self._client()

    def _client(self) -> EppClient:
        settings = self._settings
        return EppClient(
            self._address, settings.app_id, settings.prefix, self._sign,
            settings.upstream_timeout_s,
        )  # fmt: skip

    def _sign(self, payload: bytes) -> bytes:
        return sm2.sign(self._scalar, payload, point=self._point)

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
        signature = await asyncio.to_thread(self._sign, path.encode() + b"\n" + body)
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
                session.post(url, data=io.BytesIO(body), headers=headers) as reply,
            ):
                detail = (await reply.text())[:300]
                status = reply.status
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            raise Unavailable("secondlevel.upstream-down", detail=repr(error)) from error
        if status == _BUSY or status >= _SERVER_ERROR:
            raise Unavailable("secondlevel.upstream-down", detail=f"{status} {detail}")
        if status >= _CLIENT_ERROR:
            raise PeerError("secondlevel.upstream-refused", what=path, detail=f"{status} {detail}")

    async def send_prefix(self, entry: Entry) -> str:
        """Register, change, pass on or remove a prefix by EPP; returns what it is now upstream.

        Raises CommandRefused when the top node will not do it.

        Repeating a done command is no fault: the server knows the transaction, and a create that
        finds its prefix becomes an update.
        """
        verb = str(entry.body["verb"])
        fields = {str(key): str(text) for key, text in entry.body.get("fields", {}).items()}
        command = Command(
            verb=verb, id=f"{entry.number}-{entry.created_ms}", prefix=entry.subject,
            fields=fields, op="request" if verb == "transfer" else "",
        )  # fmt: skip
        response = await self.epp.ask(command)
        if verb == "create" and response.code == Result.EXISTS:
            again = msgspec.structs.replace(command, verb="update", id=command.id + "-u")
            response = await self.epp.ask(again)
        if verb == "delete" and response.code == Result.MISSING:
            return "registered"
        if response.code not in _DONE:
            refusal = _refused(f"{verb} {entry.subject}", response)
            if response.code in _FINAL:
                raise CommandRefused(refusal.code, **refusal.params)
            raise refusal
        return _DONE[response.code]

    async def look(self, prefix: str) -> dict[str, str] | None:
        """What the top node holds about a prefix (EPP info), None when it holds nothing."""
        response = await self._question(Command(verb="info", id="info", prefix=prefix))
        return response.fields if response.code == Result.OK else None

    async def check(self, prefixes: tuple[str, ...]) -> dict[str, bool]:
        """Whether the top node would take these prefixes (EPP check)."""
        response = await self._question(Command(verb="check", id="check", prefixes=prefixes))
        return response.free

    async def _question(self, command: Command) -> Response:
        client = self._client()
        try:
            response = await client.ask(command)
        finally:
            await client.log_out()
        if response.code not in {Result.OK, Result.MISSING}:
            raise _refused(command.verb, response)
        return response

    async def fetch(self, take: Callable[[Notice], Awaitable[None]]) -> int:
        """Fetch queued messages (EPP poll); each is acknowledged after ``take`` is through.

        A message may come twice when a reply is lost: ``take`` must bear that.
        """
        for count in range(_MOST_NOTICES):
            response = await self.epp.ask(Command(verb="poll", id="poll", op="req"))
            queue = response.waiting
            if response.code == Result.NO_MESSAGES:
                return count
            if response.code != Result.MESSAGE or queue is None:
                raise _refused("poll", response)
            notice = Notice(
                id=queue.id, text=queue.text, prefix=response.prefix, fields=response.fields
            )
            await take(notice)
            done = Command(verb="poll", id=f"ack-{queue.id}", op="ack", message=queue.id)
            response = await self.epp.ask(done)
            if response.code not in {Result.OK, Result.MISSING}:
                raise _refused("poll ack", response)
        return _MOST_NOTICES


def _refused(what: str, response: Response) -> PeerError:
    detail = f"{response.code} {response.text}"
    return PeerError("secondlevel.upstream-refused", what=what, detail=detail)
