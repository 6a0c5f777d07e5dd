"""Sessions of the JSON interface: prove once, then send only the session's id.

``POST /api/sessions`` opens one (201; with a password or a certificate, of somebody). ``GET``,
``PUT`` and ``DELETE /api/sessions/this`` show, authenticate and end the one that ``Authorization:
Handle sessionId="…"`` names. Replies are ``{"sessionId", "nonce", "authenticated", "id"?}``; the
proof is that of the challenge (a signature over nonce and cnonce) or a client certificate. A
session's id is as good as a password: it travels by TLS or loopback only, holds for the address it
was opened from, and ends after an hour unused. Modelled on the reference server's manual.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from mingwu.identity.access.authentication import NONCE_BYTES
from mingwu.wire.handle.values import Reference

_LIFETIME_S = 3600.0
_MOST = 10_000
_ID_BYTES = 24
PATH = "/api/sessions"
THIS = "/api/sessions/this"


@dataclass(slots=True)
class HttpSession:
    """One session; ``who`` is None until an identity was proven in it."""

    id: str
    source: str
    until: float
    nonce: bytes
    who: Reference | None = None

    def take_nonce(self) -> bytes:
        """The nonce, good for one proof; the next one is another."""
        nonce, self.nonce = self.nonce, secrets.token_bytes(NONCE_BYTES)
        return nonce

    def told(self) -> bytes:
        """What its holder is told, as JSON."""
        body: dict[str, object] = {
            "sessionId": self.id,
            "nonce": base64.b64encode(self.nonce).decode(),
            "authenticated": self.who is not None,
        }
        if self.who is not None:
            body["id"] = str(self.who)
        return orjson.dumps(body)


class HttpSessions:
    """Open sessions by id; bounded, the oldest give way. Used by the worker thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[str, HttpSession] = {}

    def open(self, source: str) -> HttpSession:
        """A new session of nobody."""
        while len(self._open) >= _MOST:
            del self._open[next(iter(self._open))]
        session = HttpSession(
            secrets.token_urlsafe(_ID_BYTES), source, self._clock() + _LIFETIME_S,
            secrets.token_bytes(NONCE_BYTES),
        )  # fmt: skip
        self._open[session.id] = session
        return session

    def get(self, number: str, source: str) -> HttpSession | None:
        """A session that is alive and of this address; use prolongs it."""
        session = self._open.get(number)
        if session is None or session.source != source:
            return None
        now = self._clock()
        if session.until <= now:
            del self._open[number]
            return None
        session.until = now + _LIFETIME_S
        return session

    def end(self, session: HttpSession) -> None:
        """Forget a session."""
        self._open.pop(session.id, None)
