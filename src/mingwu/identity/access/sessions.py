"""Sessions: a shared key, MACs over messages, encryption (ops 400, 401, 402).

Set-up modes: 1 the client sends an RSA key and gets the session key encrypted for it; 2 it gets
this server's RSA key and sends the session key (op 402); 3 as 1 with an RSA key that stands in a
handle here; 4 Diffie-Hellman (``access.agreement``). In modes 1 to 3 the key travels as algorithm
4 (3 = AES) and 16 bytes, RSA PKCS#1 v1.5; bytes without a known algorithm in front are taken as an
AES key.

In a session, HS_MAC credentials are HMAC-SHA256 under the whole key (``wire.handle.signing``) with
a counter that must not repeat; encrypted messages are IV 16 and AES-128-CBC (PKCS#7) over header,
body and credential. A session is nobody's until a challenge in it was answered; after that its
MACs prove who asks. Protocol 2.7 and later only. Whatever goes wrong with a key, a padding or a
MAC is told with one code, so that the answer is no oracle.
"""

import hmac
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mingwu.identity.access.authentication import public_key
from mingwu.kernel.catalogue import Phrase
from mingwu.wire.handle.codes import ENVELOPE_BYTES, EnvelopeFlag, OpFlag, Rc
from mingwu.wire.handle.envelope import Envelope, read_envelope
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import read_key
from mingwu.wire.handle.message import Credential, Message, encode, read_inner
from mingwu.wire.handle.primitives import u32
from mingwu.wire.handle.signing import MAC, certified, covered
from mingwu.wire.handle.values import Reference

CLIENT_KEY, SERVER_KEY, HANDLE_KEY, DIFFIE_HELLMAN = 1, 2, 3, 4
_AES = 3
_ALGORITHMS = {1, 2, 3}
_KEY_BYTES = 16
_IV_BYTES = 16
_LONGEST_S = 24 * 3600
_MOST = 10_000
_COUNTERS = 256
_SETUPS_PER_S = 20
_DIGEST = "HMAC-SHA256"


class SessionFault(ProtocolError):
    """A message that does not belong to its session; ``rc`` is the code to answer with."""

    def __init__(self, rc: int, fault: str) -> None:
        super().__init__(fault)
        self.rc = rc


@dataclass(slots=True)
class Session:
    """One session of one client; ``key`` is empty until op 402 brings it (mode 2)."""

    id: int
    key: bytes
    until: float
    lifetime_s: float
    who: Reference | None = None
    sent: int = 0
    _seen: set[int] = field(default_factory=set)
    _order: deque[int] = field(default_factory=deque)
    _oldest: int = 0

    def check(self, message: Message) -> bool:
        """Whether a valid MAC proves the client sent this; raises SessionFault for a bad one."""
        credential = message.credential
        if credential is None or credential.type != MAC:
            return False
        expected = hmac.digest(self.key, covered(message, credential.counter), "sha256")
        known = credential.digest.upper().replace("-", "") == _DIGEST.replace("-", "")
        if not known or not self.key or not hmac.compare_digest(expected, credential.signature):
            raise SessionFault(Rc.SESSION_FAILED, "the message does not belong to the session")
        self._once(credential.counter)
        return True

    def _once(self, counter: int) -> None:
        if counter <= self._oldest or counter in self._seen:
            raise SessionFault(Rc.SESSION_DUPLICATE, "message counter used before")
        self._seen.add(counter)
        self._order.append(counter)
        if len(self._order) > _COUNTERS:
            gone = self._order.popleft()
            self._seen.discard(gone)
            self._oldest = max(self._oldest, gone)

    def sealed(self, message: Message) -> Message:
        """The message with our MAC."""
        self.sent += 1
        marked = certified(message)
        mac = hmac.digest(self.key, covered(marked, self.sent), "sha256")
        return replace(marked, credential=Credential("", self.sent, MAC, _DIGEST, mac))

    def encrypted(self, message: Message) -> bytes:
        """The encoded message, encrypted."""
        plain = encode(message)
        padder = block_padding.PKCS7(128).padder()
        padded = padder.update(plain[ENVELOPE_BYTES:]) + padder.finalize()
        vector = secrets.token_bytes(_IV_BYTES)
        cipher = Cipher(algorithms.AES(self.key[:_KEY_BYTES]), modes.CBC(vector)).encryptor()
        inner = vector + cipher.update(padded) + cipher.finalize()
        envelope = read_envelope(plain)
        flags = envelope.flags | EnvelopeFlag.ENCRYPTED
        return replace(envelope, flags=flags, length=len(inner)).pack() + inner

    def decrypted(self, envelope: Envelope, inner: bytes) -> Message:
        """The message in an encrypted one; raises SessionFault."""
        size = len(inner) - _IV_BYTES
        if not self.key or size <= 0 or size % 16:
            raise SessionFault(Rc.SESSION_FAILED, "the message does not belong to the session")
        vector, body = inner[:_IV_BYTES], inner[_IV_BYTES:]
        cipher = Cipher(algorithms.AES(self.key[:_KEY_BYTES]), modes.CBC(vector)).decryptor()
        unpadder = block_padding.PKCS7(128).unpadder()
        try:
            plain = unpadder.update(cipher.update(body) + cipher.finalize()) + unpadder.finalize()
            return read_inner(envelope, plain)
        except (ValueError, ProtocolError) as error:
            fault = Phrase("the message does not belong to the session", "该消息不属于此会话")
            raise SessionFault(Rc.SESSION_FAILED, fault) from error


class Sessions:
    """Open sessions by id; bounded, the oldest give way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[int, Session] = {}
        self._window = 0.0
        self._begun: Counter[str] = Counter()

    def may_begin(self, source: str) -> bool:
        """Whether a source may set another session up now: key arithmetic costs milliseconds."""
        now = self._clock()
        if now - self._window >= 1.0:
            self._window = now
            self._begun.clear()
        self._begun[source] += 1
        return self._begun[source] <= _SETUPS_PER_S

    def get(self, number: int) -> Session | None:
        """A session that is still alive; use prolongs it."""
        session = self._open.get(number) if number else None
        if session is None:
            return None
        now = self._clock()
        if session.until <= now:
            del self._open[number]
            return None
        session.until = now + session.lifetime_s
        return session

    def open(self, key: bytes, wanted_s: int) -> Session:
        """A new session; ``wanted_s`` 0 or too long means a day."""
        while len(self._open) >= _MOST:
            del self._open[next(iter(self._open))]
        number = secrets.randbits(31) | 1
        while number in self._open:
            number = secrets.randbits(31) | 1
        lifetime = wanted_s if 0 < wanted_s <= _LONGEST_S else _LONGEST_S
        session = Session(number, key, self._clock() + lifetime, lifetime)
        self._open[number] = session
        return session

    def end(self, number: int) -> None:
        """Forget a session."""
        self._open.pop(number, None)


def new_key() -> bytes:
    """A fresh AES-128 session key."""
    return secrets.token_bytes(_KEY_BYTES)


def wrap_key(key: bytes, for_key: bytes) -> bytes:
    """A session key encrypted for an RSA key in HS_PUBKEY form; ProtocolError for other keys."""
    target = public_key(read_key(for_key))
    if not isinstance(target, rsa.RSAPublicKey):
        raise SessionFault(Rc.SESSION_NEEDS_RSA, "only RSA keys can carry a session key")
    try:
        return target.encrypt(u32(_AES) + key, padding.PKCS1v15())
    except ValueError as error:
        raise SessionFault(Rc.SESSION_BAD_KEY, "the key is too short") from error


def unwrap_key(blob: bytes) -> bytes:
    """The AES key in a decrypted key blob, with or without its algorithm in front."""
    algorithm = int.from_bytes(blob[:4])
    if algorithm in _ALGORITHMS and len(blob) >= 4 + _KEY_BYTES:
        if algorithm != _AES:
            raise SessionFault(Rc.SESSION_BAD_KEY, "only AES sessions are served")
        return blob[4:]
    if len(blob) < _KEY_BYTES:
        raise SessionFault(Rc.SESSION_BAD_KEY, "no AES key")
    return blob


def wants_encryption(message: Message) -> bool:
    """Whether the asker wants the reply encrypted."""
    return message.wants(OpFlag.ENCRYPT) or bool(
        message.envelope_flags & int(EnvelopeFlag.ENCRYPTED)
    )
