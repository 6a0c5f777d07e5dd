"""Client side of sessions: every message with a MAC and encrypted, by a Diffie-Hellman key.

:func:`secured` sets a session up (op 400, mode 4) and gives a client like ``HandleClient``. With
``server_key`` (from a site record that is trusted) the reply to the set-up must be signed by that
key, so nobody in between can hold the other half; without it only listeners are kept out.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from mingwu.identity.access.agreement import Half, key_from_answer
from mingwu.identity.access.serverkey import is_certified_by
from mingwu.identity.access.sessions import DIFFIE_HELLMAN, Session
from mingwu.identity.client.handleclient import HandleClient, request
from mingwu.identity.client.refusals import refused
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.wire.handle.bodies import ErrorBody, OneHandle, SessionReply, SessionSetup, read_body
from mingwu.wire.handle.codes import ENVELOPE_BYTES, DigestAlgorithm, EnvelopeFlag, Op, OpFlag
from mingwu.wire.handle.envelope import read_envelope
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, request_digest, split_digest
from mingwu.wire.handle.primitives import block

_LIFETIME_S = 3600


class SecureClient:
    """Asks in a session; used by ``identity.client.adminclient`` as a HandleClient is."""

    flags = int(OpFlag.CERTIFY)

    def __init__(self, client: HandleClient, session: Session) -> None:
        self._client = client
        self._session = session
        self.server = client.server
        self.session_id = session.id

    async def ask(self, message: Message) -> Message:
        """Send sealed and encrypted; the reply must be so, too. ProtocolError if it is not."""
        session = self._session
        sealed = session.sealed(replace(message, session_id=session.id))
        return self._opened(
            await self._client.exchange(session.encrypted(sealed), message.request_id)
        )

    async def following(self, reply: Message) -> Message:
        """The message behind a reply that is to be continued (op flag CONT)."""
        return self._opened(await self._client.exchange(b"", reply.request_id))

    def _opened(self, data: bytes) -> Message:
        session = self._session
        envelope = read_envelope(data)
        if not envelope.flags & EnvelopeFlag.ENCRYPTED:
            # A refusal of the session itself comes in the open; nothing else may.
            told = read_body(decode(data))
            why = told.message if isinstance(told, ErrorBody) else "reply not encrypted"
            raise ProtocolError(f"the session does not hold: {why}")
        reply = session.decrypted(envelope, data[ENVELOPE_BYTES:])
        if not session.check(reply):
            raise ProtocolError("the reply has no MAC of the session")
        return reply

    async def close(self) -> None:
        """End the session; the connection stays."""
        with suppress(PeerError, Unavailable):
            await self.ask(request(Op.SESSION_TERMINATE, OneHandle("/").encode()))


async def open_session(client: HandleClient, *, server_key: bytes = b"") -> SecureClient:
    """Agree on a key; PeerError where the server will not, ProtocolError for a bad answer."""
    half = Half()
    setup = SessionSetup(DIFFIE_HELLMAN, _LIFETIME_S, key=block(half.public))
    flags = OpFlag.REQUEST_DIGEST | (OpFlag.CERTIFY if server_key else 0)
    asked = request(Op.SESSION_SETUP, setup.encode(), flags=int(flags))
    reply = await client.ask(asked)
    body = read_body(reply)
    if not isinstance(body, SessionReply):
        detail = body.message if isinstance(body, ErrorBody) else ""
        raise refused(client.server, reply.rc, "session", detail)
    digest, _ = split_digest(reply)
    if not digest or digest != request_digest(asked, DigestAlgorithm(digest[0])):
        raise ProtocolError("the session's set-up was changed on the way")
    if server_key and not is_certified_by(reply, server_key):
        raise ProtocolError("the session's set-up is not signed by the server's key")
    if body.mode != DIFFIE_HELLMAN:
        raise ProtocolError(f"the server answers with mode {body.mode}")
    key = key_from_answer(half, body.data)
    return SecureClient(client, Session(reply.session_id, key, 0.0, _LIFETIME_S))


@asynccontextmanager
async def secured(client: HandleClient, *, server_key: bytes = b"") -> AsyncIterator[SecureClient]:
    """A session that ends with the block."""
    secure = await open_session(client, server_key=server_key)
    try:
        yield secure
    finally:
        await secure.close()
