"""Requests in, replies out: the Handle protocol over a record store, without any socket.

:meth:`Resolver.answer` never raises for what a peer sent. The common questions (public values of a
name, all or by index and type, live ones included) take a short way that parses with one
``unpack`` and answers with one ``join`` around stored values; everything else takes the long way
through the codec and ``identity.lookup``. Replies speak the version that the request suggests, else
the request's own (2.1-2.11), and suggest 2.11.
"""

import logging
import struct
import time
from collections.abc import Callable

from mingwu.identity.live import LiveGetter, NoLiveValues, live_value
from mingwu.identity.lookup import (
    Found,
    Query,
    all_encoded,
    is_prefix_record,
    look_up,
    told_values,
)
from mingwu.identity.recordbytes import (
    COMPUTED,
    HAS_CARRIER,
    HAS_RESTRICTED,
    HEAD,
    decode_live,
    selected,
)
from mingwu.identity.records import RecordStore
from mingwu.identity.statistics import Statistics
from mingwu.kernel.errors import MingwuError
from mingwu.wire.handle.bodies import ErrorBody, OneHandle, Referral, Resolve
from mingwu.wire.handle.codes import (
    ENVELOPE_BYTES,
    HEADER_BYTES,
    EnvelopeFlag,
    Op,
    OpFlag,
    Rc,
)
from mingwu.wire.handle.envelope import Envelope, Version
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import (
    LATEST,
    Message,
    answer_version,
    decode,
    encode,
    request_digest,
)
from mingwu.wire.handle.primitives import Reader, block, text, u32
from mingwu.wire.handle.site import Site, encode_site
from mingwu.wire.handle.values import encode_value

log = logging.getLogger(__name__)

_PREFIX_REFERRALS_SINCE: Version = (2, 5)
_SIGNED_SINCE: Version = (2, 7)
_EXPIRY_S = 12 * 3600

# Envelope, header and the length of the handle that opens a resolve body.
_OPENING = struct.Struct(">BBBBIIIIIIIHBBIII")
_REPLY = struct.Struct(">BBBBIIIIIIIHBBII")
_EIGHT_ZEROS = bytes(8)
_FOUR_ZEROS = bytes(4)
_SPECIAL = int(OpFlag.CERTIFY | OpFlag.ENCRYPT | OpFlag.REQUEST_DIGEST | OpFlag.IDIS_TRUST_ASKED)
_REPEATED = int(
    OpFlag.RECURSIVE
    | OpFlag.CACHE_CERTIFY
    | OpFlag.KEEP_ALIVE
    | OpFlag.PUBLIC_ONLY
    | OpFlag.NO_REFERRAL
)
_AUTHORITATIVE = int(OpFlag.AUTHORITATIVE)
_COMPRESSED = int(EnvelopeFlag.COMPRESSED)
_UNREADABLE = int(EnvelopeFlag.COMPRESSED | EnvelopeFlag.TRUNCATED)
_ENCRYPTED = int(EnvelopeFlag.ENCRYPTED)
_SECURED_BYTE = int(OpFlag.CERTIFY | OpFlag.ENCRYPT) >> 24
_NEEDS_AUTHENTICATION = int(Rc.AUTHENTICATION_NEEDED).to_bytes(4)
_PUBLIC_ONLY = int(OpFlag.PUBLIC_ONLY)

_QUICK_BYTES = 400  # lists of indexes and types that the short way takes

Handler = Callable[[Message], Message]


class Resolver:
    """Answers requests from one store. Not thread-safe: each serving thread has its own.

    Call :meth:`begin` before one or several :meth:`answer` and :meth:`end` after them; in between
    the answers come from one state of the store. ``site`` is what op 2 tells; ``certify`` signs
    replies to requests that ask for it.
    """

    def __init__(
        self,
        store: RecordStore,
        site: Site,
        *,
        live: LiveGetter | None = None,
        live_ttl_s: int = 1,
        statistics: Statistics | None = None,
        certify: Handler | None = None,
    ) -> None:
        self.statistics = statistics or Statistics()
        self.live: LiveGetter = live or NoLiveValues()
        self.snapshot = store.snapshot()
        self.site = site
        self._site_data = encode_site(site)
        self._live_ttl_s = live_ttl_s
        self._certify = certify
        self._expiry = 0
        self.handlers: dict[int, Handler] = {Op.RESOLVE: self._resolve, Op.SITE_INFO: self._site}

    def begin(self) -> None:
        """Start a round of answers from one state of the store."""
        self.snapshot.begin()
        self._expiry = int(time.time()) + _EXPIRY_S

    def end(self) -> None:
        """End the round; memory handed out by the store is invalid from here on."""
        self.snapshot.end()

    def answer(self, data: bytes) -> bytes:
        """The reply to one whole message (with envelope); empty when silence is right."""
        return self._quick(data) or self._answer_slowly(data)

    def answer_now(self, data: bytes) -> bytes | None:
        """As :meth:`answer`, or None when the question needs a disk write or key arithmetic.

        The serving loop passes such questions to a worker thread, whose resolver has the
        handlers of :mod:`mingwu.identity.access.administration`.
        """
        reply = self._quick(data)
        if reply is None and is_light(data):
            reply = self._answer_slowly(data)
            if reply[24:28] == _NEEDS_AUTHENTICATION and len(reply) > ENVELOPE_BYTES:
                return None
        return reply

    def _quick(self, data: bytes) -> bytes | None:
        size = len(data)
        if size < _OPENING.size + 8:
            return None
        (
            major, minor, flags, suggested, session, request, _, length,
            op, rc, op_flags, _, _, _, _, body_bytes, name_bytes,
        ) = _OPENING.unpack_from(data)  # fmt: skip
        name_end, lists_end = 48 + name_bytes, 44 + body_bytes
        if (
            op != 1
            or rc
            or major != 2  # noqa: PLR2004 - the protocol's major
            or not 0 < minor <= 11  # noqa: PLR2004 - 2.1 to 2.11
            or flags & 0xE0
            or (flags & 3 and (flags & 3 != 2 or not suggested))  # noqa: PLR2004 - another major
            or op_flags & _SPECIAL
            or length + 20 != size
            or lists_end - name_end < 8  # noqa: PLR2004 - two counts
            or data[lists_end:] not in (b"", _FOUR_ZEROS)  # noqa: PLR6201 - no set of slices
        ):
            return None
        if flags & 3:
            minor = min(suggested, 11)
        name = data[48:name_end]
        if name_bytes > 440 or not name.isascii():  # noqa: PLR2004 - recordkeys.PLAIN_KEY_BYTES
            return None
        key = b"r" + name.upper()
        record = self.snapshot.get(key)
        if record is None or (self.snapshot.refused and self.snapshot.refuses(name.decode())):
            return None
        if data[name_end:lists_end] == _EIGHT_ZEROS:
            values = self._all_values(key, record, op_flags & _PUBLIC_ONLY)
        else:
            values = _some_values(record, op_flags & _PUBLIC_ONLY, data[name_end:lists_end])
        if values is None:
            return None
        body = 4 + name_bytes + sum(map(len, values))
        self.statistics.by_code[1] += 1
        return b"".join(
            (
                _REPLY.pack(
                    major, minor, 2, 11, session, request, 0, body + 28,
                    1, 1, op_flags & _REPEATED | _AUTHORITATIVE, 1, 0, 0, self._expiry, body,
                ),
                data[44:name_end],
                *values,
                _FOUR_ZEROS,
            )
        )  # fmt: skip

    def _all_values(
        self, key: bytes, record: memoryview, public_only: int
    ) -> list[memoryview | bytes] | None:
        """The value list of all public values; None when restricted ones must be decided about."""
        _, kinds, spelled, public, restricted, live = HEAD.unpack_from(record)
        start = HEAD.size + spelled
        if kinds & HAS_RESTRICTED and not public_only:
            return None
        if not kinds & COMPUTED:
            return [record[start : start + public]]
        at = start + public + restricted
        now = self._expiry - _EXPIRY_S
        sources = decode_live(record[at : at + live]) if live else ()
        told = [live_value(source, self.live, self._live_ttl_s, now) for source in sources]
        if kinds & HAS_CARRIER:
            told += told_values(self.snapshot, kinds, key, self._live_ttl_s)
        living = [encode_value(value) for value in told if value.is_public]
        if len(living) < len(told) and not public_only:
            return None
        count = int.from_bytes(record[start : start + 4]) + len(living)
        return [u32(count), record[start + 4 : start + public], *living]

    def _answer_slowly(self, data: bytes) -> bytes:
        try:
            request = decode(data)
        except ProtocolError as error:
            self.statistics.malformed += 1
            return self._malformed(data, error)
        if request.rc != Rc.REQUEST:
            self.statistics.malformed += 1
            return b""  # two servers that refuse each other's replies would never end
        return self.finished(request, self.reply(request))

    def finished(self, request: Message, reply: Message) -> bytes:
        """A reply counted, signed where that was asked for, and encoded."""
        self.statistics.by_code[reply.rc] += 1
        if self._certify and request.wants(OpFlag.CERTIFY) and reply.version >= _SIGNED_SINCE:
            reply = self._certify(reply)
        return encode(reply)

    def reply(self, request: Message) -> Message:
        """The reply to a decoded, unencrypted request."""
        handler = self.handlers.get(request.op)
        if handler is None:
            return self.error(request, Rc.NOT_SUPPORTED, f"operation {request.op} is not supported")
        try:
            return handler(request)
        except ProtocolError as error:
            self.statistics.malformed += 1
            return self.error(request, Rc.PROTOCOL_ERROR, str(error))
        except MingwuError as error:
            log.warning("op=%d failed code=%s", request.op, error.code)
            return self.error(request, Rc.ERROR, str(error))

    def _resolve(self, request: Message) -> Message:
        body = Resolve.decode(request.body)
        found = self.find(
            Query(body.handle, body.indexes, body.types, request.wants(OpFlag.PUBLIC_ONLY)),
            request,
        )
        return self.resolved(request, body.handle, found)

    def find(self, query: Query, request: Message) -> Found:
        """Look a query up under the request's rules about referrals."""
        known = answer_version(request) >= _PREFIX_REFERRALS_SINCE or not is_prefix_record(
            query.name
        )
        refer = known and not request.wants(OpFlag.NO_REFERRAL)
        return look_up(self.snapshot, self.live, query, live_ttl_s=self._live_ttl_s, refer=refer)

    def resolved(self, request: Message, handle: str, found: Found) -> Message:
        """Put a decision into a reply."""
        if found.rc == Rc.SUCCESS:
            values = all_encoded(found)
            return self.make(
                request, Rc.SUCCESS, text(handle) + u32(len(values)) + b"".join(values)
            )
        if found.rc in {Rc.PREFIX_REFERRAL, Rc.SERVICE_REFERRAL}:
            head = Referral(found.refer_to).encode()
            return self.make(
                request, found.rc, head + u32(len(found.values)) + b"".join(found.values)
            )
        return self.error(request, found.rc, found.message)

    def _site(self, request: Message) -> Message:
        OneHandle.decode(request.body)
        return self.make(request, Rc.SUCCESS, self._site_data)

    def make(
        self, request: Message, rc: int, body: bytes = b"", *, digest: bool = False
    ) -> Message:
        """A reply to ``request``; its digest is included when asked for or when ``digest``."""
        flags = request.flags & _REPEATED | _AUTHORITATIVE
        if digest or request.wants(OpFlag.REQUEST_DIGEST):
            flags |= OpFlag.REQUEST_DIGEST
            body = request_digest(request) + body
        return Message(
            op=request.op,
            rc=rc,
            flags=flags,
            body=body,
            version=answer_version(request),
            suggested=LATEST,
            session_id=request.session_id,
            request_id=request.request_id,
            site_serial=self.site.serial,
            expiration=self._expiry or int(time.time()) + _EXPIRY_S,
        )

    def error(self, request: Message, rc: int, message: str = "") -> Message:
        """A reply with a sentence for people."""
        return self.make(request, rc, ErrorBody(message).encode() or _FOUR_ZEROS)

    def refusal(self, data: bytes, rc: int, message: str) -> bytes:
        """A short reply to a request that was not looked into; empty if it cannot be one."""
        if len(data) < ENVELOPE_BYTES + HEADER_BYTES or any(data[24:28]):
            return b""
        request = Message(
            op=int.from_bytes(data[20:24]),
            version=(data[0], data[1]),
            suggested=(data[2] & 0x03, data[3]),
            session_id=int.from_bytes(data[4:8]),
            request_id=int.from_bytes(data[8:12]),
        )
        self.statistics.by_code[rc] += 1
        return encode(self.error(request, rc, message))

    def refusal_of(self, envelope: Envelope, rc: int, message: str) -> bytes:
        """A refusal of a message whose inside could not be read."""
        request = Message(
            op=0,
            version=envelope.version,
            suggested=envelope.suggested,
            session_id=envelope.session_id,
            request_id=envelope.request_id,
        )
        self.statistics.by_code[rc] += 1
        return encode(self.error(request, rc, message))

    def _malformed(self, data: bytes, error: ProtocolError) -> bytes:
        """Tell the sender, if there is enough of an envelope to address the reply."""
        if len(data) < ENVELOPE_BYTES:
            return b""
        readable = not data[2] & _COMPRESSED  # else its header says nothing
        whole = len(data) >= ENVELOPE_BYTES + HEADER_BYTES
        op = int.from_bytes(data[20:24]) if whole and readable else 0
        if readable and len(data) >= ENVELOPE_BYTES + 8 and any(data[24:28]):
            return b""  # a broken reply must not start a conversation
        return self._fault(data, op, str(error))

    def unreadable(self, data: bytes) -> bytes:
        """Code 4 for what :meth:`answer` leaves without an answer, where there must be one."""
        why = (
            f"{len(data)} bytes are no message"
            if len(data) < ENVELOPE_BYTES
            else "this is a reply, not a request"
        )
        return self._fault(data, 0, why)

    def _fault(self, data: bytes, op: int, fault: str) -> bytes:
        addressed = len(data) >= ENVELOPE_BYTES
        request = Message(
            op=op,
            version=(data[0], data[1]) if addressed else LATEST,
            suggested=(data[2] & 0x03, data[3]) if addressed else LATEST,
            session_id=int.from_bytes(data[4:8]) if addressed else 0,
            request_id=int.from_bytes(data[8:12]) if addressed else 0,
        )
        self.statistics.by_code[Rc.PROTOCOL_ERROR] += 1
        return encode(self.make(request, Rc.PROTOCOL_ERROR, block(fault.encode()[:200])))


def _some_values(
    record: memoryview, public_only: int, lists: bytes
) -> list[memoryview | bytes] | None:
    """The value list for an index and a type list; None for what the long way decides."""
    _, kinds, spelled, public, _, _ = HEAD.unpack_from(record)
    if kinds & COMPUTED or (kinds & HAS_RESTRICTED and not public_only):
        return None
    if len(lists) > _QUICK_BYTES:
        return None
    try:
        reader = Reader(lists)
        indexes = reader.ints()
        types = [reader.block().upper() for _ in range(reader.count(4))]
    except ProtocolError:
        return None
    if reader.left or not all(kind.isascii() for kind in types):
        return None
    heads = tuple(kind for kind in types if kind.endswith(b"."))
    # "DESC." also means plain DESC.
    exact = frozenset(kind.removesuffix(b".") for kind in types)
    start = HEAD.size + spelled
    chosen = selected(bytes(record[start : start + public]), indexes, exact, heads)
    return [u32(len(chosen)), *chosen] if chosen else None


def is_light(data: bytes) -> bool:
    """Whether the loop may answer itself: unsigned resolve, site info, and what is broken."""
    if len(data) < ENVELOPE_BYTES + HEADER_BYTES:
        return True
    if data[2] & _UNREADABLE:
        return True
    heavy = data[2] & _ENCRYPTED or data[28] & _SECURED_BYTE
    return not heavy and int.from_bytes(data[20:24]) in {1, 2}
