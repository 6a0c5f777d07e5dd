"""Message bodies: one field table per body (RFC 3652 §3), one generic reader and writer.

A body class is a frozen dataclass whose ``LAYOUT`` names the codec of each field in wire order.
:data:`REQUESTS` and :data:`SUCCESSES` say which body belongs to which operation; every other
outcome is in :data:`OUTCOMES` or an :class:`ErrorBody`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from mingwu.wire.handle.codes import MAX_HANDLE_BYTES, MAX_VALUES, Op, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, split_digest
from mingwu.wire.handle.primitives import U16, Reader, block, ints, text, texts, u32
from mingwu.wire.handle.values import HandleValue, read_values, values

T = TypeVar("T")
Codec = tuple[Callable[[Reader], Any], Callable[[Any], bytes]]


def _read_handle(reader: Reader) -> str:
    handle = reader.text()
    if len(handle) > MAX_HANDLE_BYTES:
        raise ProtocolError(f"handle of {len(handle)} characters")
    return handle


def _read_optional_values(reader: Reader) -> tuple[HandleValue, ...]:
    return read_values(reader) if reader.left else ()


def _write_optional_values(items: tuple[HandleValue, ...]) -> bytes:
    return values(items) if items else b""


def _read_few(read: Callable[[Reader], T]) -> Callable[[Reader], T]:
    """A list that is no longer than a record can be: each item is compared with each value."""

    def checked(reader: Reader) -> T:
        at = reader.at
        number = reader.u32()
        if number > MAX_VALUES:
            raise ProtocolError(f"{number} indexes or types asked for, limit {MAX_VALUES}")
        reader.at = at
        return read(reader)

    return checked


HANDLE: Codec = (_read_handle, text)
TEXT: Codec = (Reader.text, text)
BLOCK: Codec = (Reader.block, block)
INT: Codec = (Reader.u32, u32)
SHORT: Codec = (Reader.u16, lambda value: U16.pack(value & 0xFFFF))
FLAG: Codec = (lambda reader: bool(reader.u8() & 1), lambda value: bytes((int(value),)))
INTS: Codec = (Reader.ints, ints)
TEXTS: Codec = (Reader.texts, texts)
FEW_INTS: Codec = (_read_few(Reader.ints), ints)
FEW_TEXTS: Codec = (_read_few(Reader.texts), texts)
VALUES: Codec = (read_values, values)
VALUES_OR_NOTHING: Codec = (_read_optional_values, _write_optional_values)
REST: Codec = (Reader.rest, bytes)
TEXT_OR_NOTHING: Codec = (
    lambda reader: reader.text() if reader.left else "",
    lambda value: text(value) if value else b"",
)


class Body:
    """Base of all bodies; subclasses are frozen dataclasses with a ``LAYOUT``."""

    __slots__ = ()
    LAYOUT: ClassVar[tuple[tuple[str, Codec], ...]] = ()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the body; bytes behind the last field are ignored, as later minors may add some."""
        reader = Reader(data)
        return cls(**{name: codec[0](reader) for name, codec in cls.LAYOUT})

    def encode(self) -> bytes:
        """The body's bytes."""
        return b"".join(codec[1](getattr(self, name)) for name, codec in self.LAYOUT)


@dataclass(frozen=True, slots=True)
class Resolve(Body):
    """Op 1: the values of ``handle`` with these indexes or types; both empty means all."""

    LAYOUT = (("handle", HANDLE), ("indexes", FEW_INTS), ("types", FEW_TEXTS))
    handle: str
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record(Body):
    """Handle and values: reply to op 1, request of ops 100, 102, 104."""

    LAYOUT = (("handle", HANDLE), ("values", VALUES))
    handle: str
    values: tuple[HandleValue, ...] = ()


@dataclass(frozen=True, slots=True)
class OneHandle(Body):
    """Only a handle: ops 2, 101, 105, 300-302, 401, 1000, 1003."""

    LAYOUT = (("handle", HANDLE),)
    handle: str


@dataclass(frozen=True, slots=True)
class RemoveValues(Body):
    """Op 103."""

    LAYOUT = (("handle", HANDLE), ("indexes", FEW_INTS))
    handle: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Handles(Body):
    """Reply to ops 105 and 302."""

    LAYOUT = (("handles", TEXTS),)
    handles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Created(Body):
    """Reply to op 100; the handle is there when the server minted it."""

    LAYOUT = (("handle", TEXT_OR_NOTHING),)
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Nothing(Body):
    """Replies that say only "done"."""


@dataclass(frozen=True, slots=True)
class ErrorBody(Body):
    """A sentence for people."""

    LAYOUT = (("message", TEXT_OR_NOTHING),)
    message: str = ""


@dataclass(frozen=True, slots=True)
class Referral(Body):
    """Codes 302 and 303: ask the service of ``handle``, or the sites in ``values``."""

    LAYOUT = (("handle", HANDLE), ("values", VALUES_OR_NOTHING))
    handle: str
    values: tuple[HandleValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenge(Body):
    """Code 402: prove who you are over this nonce and the request's digest."""

    LAYOUT = (("nonce", BLOCK),)
    nonce: bytes


@dataclass(frozen=True, slots=True)
class ChallengeAnswer(Body):
    """Op 200, in the session that the challenge opened. ``index`` 0: any key of ``handle``."""

    LAYOUT = (("auth_type", TEXT), ("handle", HANDLE), ("index", INT), ("answer", BLOCK))
    auth_type: str
    handle: str
    index: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class VerifyChallenge(Body):
    """Op 201: a server asks the home of a secret key whether an answer is right."""

    LAYOUT = (
        ("handle", HANDLE), ("index", INT), ("nonce", BLOCK), ("digest", BLOCK), ("answer", BLOCK),
    )  # fmt: skip
    handle: str
    index: int
    nonce: bytes
    digest: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class Verified(Body):
    """Reply to op 201."""

    LAYOUT = (("valid", FLAG),)
    valid: bool


@dataclass(frozen=True, slots=True)
class SiteInfo(Body):
    """Reply to op 2: a site record (``site.read_site``)."""

    LAYOUT = (("site", REST),)
    site: bytes


@dataclass(frozen=True, slots=True)
class SessionSetup(Body):
    """Op 400. ``mode`` 1 client key, 2 server key, 3 key of a handle, 4 Diffie-Hellman.

    ``key`` holds the block of modes 1 and 4 (a public key) or block and index of mode 3.
    """

    LAYOUT = (
        ("mode", SHORT), ("timeout_s", INT), ("identity", HANDLE), ("index", INT), ("key", REST),
    )  # fmt: skip
    mode: int
    timeout_s: int
    identity: str = ""
    index: int = 0
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class SessionReply(Body):
    """Reply to op 400: the encrypted key, the server's public key, or its half of the exchange."""

    LAYOUT = (("mode", SHORT), ("data", BLOCK))
    mode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ExchangeKey(Body):
    """Op 402: the session key, encrypted for the server."""

    LAYOUT = (("key", BLOCK),)
    key: bytes


@dataclass(frozen=True, slots=True)
class Login(Body):
    """Ops 2000 and 2001 of the national dialect; the usual challenge follows."""

    LAYOUT = (("handle", HANDLE), ("index", INT))
    handle: str
    index: int


@dataclass(frozen=True, slots=True)
class Opaque(Body):
    """Replication and operations bodies that this server passes over (ops 1001, 1002)."""

    LAYOUT = (("data", REST),)
    data: bytes = b""


REQUESTS: dict[int, type[Body]] = {
    Op.RESOLVE: Resolve,
    Op.SITE_INFO: OneHandle,
    Op.CREATE: Record,
    Op.DELETE: OneHandle,
    Op.ADD_VALUE: Record,
    Op.REMOVE_VALUE: RemoveValues,
    Op.MODIFY_VALUE: Record,
    Op.LIST_HANDLES: OneHandle,
    Op.CHALLENGE_ANSWER: ChallengeAnswer,
    Op.VERIFY_CHALLENGE: VerifyChallenge,
    Op.HOME_PREFIX: OneHandle,
    Op.UNHOME_PREFIX: OneHandle,
    Op.LIST_PREFIXES: OneHandle,
    Op.SESSION_SETUP: SessionSetup,
    Op.SESSION_TERMINATE: OneHandle,
    Op.SESSION_EXCHANGE_KEY: ExchangeKey,
    Op.NEXT_TXN_ID: OneHandle,
    Op.RETRIEVE_TXN_LOG: Opaque,
    Op.DUMP: Opaque,
    Op.BACKUP: OneHandle,
    Op.IDIS_LOGIN_PASSWORD: Login,
    Op.IDIS_LOGIN_KEY: Login,
}

SUCCESSES: dict[int, type[Body]] = {
    Op.RESOLVE: Record,
    Op.SITE_INFO: SiteInfo,
    Op.CREATE: Created,
    Op.LIST_HANDLES: Handles,
    Op.LIST_PREFIXES: Handles,
    Op.VERIFY_CHALLENGE: Verified,
    Op.SESSION_SETUP: SessionReply,
    Op.NEXT_TXN_ID: Opaque,
    Op.RETRIEVE_TXN_LOG: Opaque,
    Op.DUMP: Opaque,
    Op.IDIS_LOGIN_PASSWORD: Record,
    Op.IDIS_LOGIN_KEY: Record,
}

OUTCOMES: dict[int, type[Body]] = {
    Rc.SERVICE_REFERRAL: Referral,
    Rc.PREFIX_REFERRAL: Referral,
    Rc.AUTHENTICATION_NEEDED: Challenge,
}


def read_body(message: Message) -> Body:
    """The typed body of a request or reply; an unknown op's body is :class:`Opaque`."""
    if message.rc == Rc.REQUEST:
        return REQUESTS.get(message.op, Opaque).decode(message.body)
    _, body = split_digest(message)
    if message.rc == Rc.SUCCESS:
        return SUCCESSES.get(message.op, Nothing).decode(body)
    return OUTCOMES.get(message.rc, ErrorBody).decode(body)
