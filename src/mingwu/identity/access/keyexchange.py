"""Setting sessions up (ops 400, 402): the four ways to agree on a key, see ``access.sessions``.

What a key costs is arithmetic of milliseconds for whoever asks, so a source sets up a bounded
number of sessions a second.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from mingwu.identity.access.agreement import answer as agree
from mingwu.identity.access.authentication import PUBLIC_KEY
from mingwu.identity.access.serverkey import ServerKey
from mingwu.identity.access.sessions import (
    CLIENT_KEY,
    DIFFIE_HELLMAN,
    HANDLE_KEY,
    SERVER_KEY,
    SessionFault,
    Sessions,
    new_key,
    unwrap_key,
    wrap_key,
)
from mingwu.identity.resolver import Resolver
from mingwu.wire.handle.bodies import ExchangeKey, SessionReply, SessionSetup
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.message import Message
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import HandleValue, Reference


class KeyExchange:
    """Opens sessions for a gate."""

    def __init__(
        self,
        resolver: Resolver,
        sessions: Sessions,
        server_key: ServerKey | None,
        keys: Callable[[Reference], Iterable[HandleValue]],
    ) -> None:
        self._resolver = resolver
        self._sessions = sessions
        self._server_key = server_key
        self._keys = keys

    def set_up(self, request: Message, source: str) -> Message:
        """Op 400: a new session, or why not."""
        body = SessionSetup.decode(request.body)
        if not self._sessions.may_begin(source):
            return self._resolver.error(request, Rc.TOO_BUSY, "too many sessions at once")
        reader = Reader(body.key)
        try:
            if body.mode == SERVER_KEY and self._server_key:
                key, data = b"", self._server_key.public
            elif body.mode == CLIENT_KEY:
                key = new_key()
                data = wrap_key(key, reader.block())
            elif body.mode == DIFFIE_HELLMAN:
                key, data = agree(reader.block())
            elif body.mode == HANDLE_KEY:
                key = new_key()
                data = wrap_key(key, self._key_data(Reference(reader.text(), reader.u32())))
            else:
                raise SessionFault(Rc.SESSION_BAD_SETUP, f"mode {body.mode} is not served")  # noqa: TRY301
        except SessionFault as fault:
            return self._resolver.error(request, fault.rc, str(fault))
        session = self._sessions.open(key, body.timeout_s)
        reply = self._resolver.make(request, Rc.SUCCESS, SessionReply(body.mode, data).encode())
        return replace(reply, session_id=session.id)

    def _key_data(self, who: Reference) -> bytes:
        for value in self._keys(who):
            if value.type.upper() == PUBLIC_KEY:
                return value.data
        raise SessionFault(Rc.SESSION_BAD_SETUP, f"no public key at {who}")

    def take_key(self, request: Message) -> Message:
        """Op 402: the session key of a mode-2 session, once."""
        session = self._sessions.get(request.session_id)
        if session is None or session.key or self._server_key is None:
            return self._resolver.error(request, Rc.SESSION_FAILED, "no session waits for a key")
        try:
            session.key = unwrap_key(self._server_key.decrypt(ExchangeKey.decode(request.body).key))
        except (ValueError, SessionFault):
            self._sessions.end(session.id)
            return self._resolver.error(request, Rc.SESSION_BAD_KEY, "no usable session key")
        return self._resolver.make(request, Rc.SUCCESS)
