"""The gate: operations that need an identity, behind challenge and answer.

A request that needs one gets code 402 with a nonce and a session id; the proof (op 200) in that
session makes the gate carry the waiting request out and answer with its result. The national
logins (ops 2000, 2001) leave the identity in the session, whose id may be the client's own choice
(``access.logins``): its requests need no further proof until it ends. Who speaks of a session that
there is not is told so (500; national clients 407 or 408). In a session with a key (op 400) the MAC
of each message is the proof, once a challenge in the session was answered. Runs in the worker
thread.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from mingwu.identity.access.administration import Administration, Outcome, paged
from mingwu.identity.access.authentication import (
    SECRET_KEY,
    Challenges,
    Failures,
    Pending,
    proven,
)
from mingwu.identity.access.elsewhere import Deferred, Elsewhere, Question
from mingwu.identity.access.httpsessions import HttpSessions
from mingwu.identity.access.keyexchange import KeyExchange
from mingwu.identity.access.logins import Logins
from mingwu.identity.access.serverkey import ServerKey
from mingwu.identity.access.sessions import (
    Session,
    SessionFault,
    Sessions,
    wants_encryption,
)
from mingwu.identity.lookup import Query
from mingwu.identity.resolver import Resolver
from mingwu.wire.handle.bodies import (
    Challenge,
    ChallengeAnswer,
    Created,
    Handles,
    Login,
    OneHandle,
    Record,
    RemoveValues,
    Resolve,
    Verified,
    VerifyChallenge,
)
from mingwu.wire.handle.codes import ENVELOPE_BYTES, EnvelopeFlag, Op, OpFlag, Rc
from mingwu.wire.handle.envelope import read_envelope
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.signing import MAC
from mingwu.wire.handle.values import HandleValue, Reference

log = logging.getLogger(__name__)

_NO_SESSION = bytes(4)
_CHANGES = {
    Op.CREATE, Op.DELETE, Op.ADD_VALUE, Op.REMOVE_VALUE, Op.MODIFY_VALUE,
    Op.HOME_PREFIX, Op.UNHOME_PREFIX,
}  # fmt: skip
_LOGINS = {Op.IDIS_LOGIN_KEY, Op.IDIS_LOGIN_PASSWORD}

Performer = Callable[[Message, Reference], Message]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A proof that was shown for a waiting request."""

    message: Message
    pending: Pending
    who: Reference
    link: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a long answer was not sent yet: the next page and those behind it."""

    request: Message
    asked: Message
    session: Session | None
    proven: Session | None
    page: tuple[str, ...]
    pages: Iterator[tuple[str, ...]]


class Gate:
    """Adds the guarded operations to a resolver of the worker thread."""

    def __init__(
        self,
        resolver: Resolver,
        administration: Administration,
        *,
        server_key: ServerKey | None = None,
        challenge_timeout_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resolver = resolver
        self.administration = administration
        self.challenges = Challenges(challenge_timeout_s, clock)
        self.failures = Failures(clock)
        self.sessions = Sessions(clock)
        self.http_sessions = HttpSessions(clock)
        self.logins = Logins(clock)
        self.source = ""
        self._link = 0
        self.asks_elsewhere = False
        self.verdict: bool | None = None
        self._session: Session | None = None
        self._shown: _Shown | None = None
        self._proven: Session | None = None
        self._asked: Message | None = None
        self._rest: Rest | None = None
        self._performers: dict[int, Performer] = {
            Op.CREATE: self._create,
            Op.DELETE: self._delete,
            Op.ADD_VALUE: self._add,
            Op.REMOVE_VALUE: self._remove,
            Op.MODIFY_VALUE: self._modify,
            Op.LIST_HANDLES: self._list,
            Op.HOME_PREFIX: self._home,
            Op.UNHOME_PREFIX: self._unhome,
            Op.LIST_PREFIXES: self._prefixes,
            Op.IDIS_LOGIN_PASSWORD: self._login,
            Op.IDIS_LOGIN_KEY: self._login,
        }
        for op in self._performers:
            resolver.handlers[op] = self._guarded
        self._performers[Op.RESOLVE] = self._resolve_as
        resolver.handlers[Op.RESOLVE] = self._resolve
        resolver.handlers[Op.CHALLENGE_ANSWER] = self._answered
        resolver.handlers[Op.VERIFY_CHALLENGE] = self._verify
        resolver.handlers[Op.SESSION_TERMINATE] = self._terminate
        exchange = KeyExchange(resolver, self.sessions, server_key, self.keys)
        resolver.handlers[Op.SESSION_SETUP] = lambda request: exchange.set_up(request, self.source)
        resolver.handlers[Op.SESSION_EXCHANGE_KEY] = exchange.take_key

    def answer(self, data: bytes, source: str, link: int = 0) -> bytes | Deferred[bytes]:
        """The reply to one message from an address, or what it waits for.

        ``link`` is the number of the TCP connection it came by; 0 for other ways.
        """
        self.source, self._link = source, link
        self._rest = None
        self._proven = None
        self._session = None
        self.verdict = None
        try:
            return self._answer(data)
        except Elsewhere as elsewhere:
            shown = self._shown
            assert shown  # noqa: S101 - set before a proof is looked at
            return Deferred(
                elsewhere.question,
                partial(self._resume, shown, self._session, self._proven),
            )

    def answer_in_parts(
        self, data: bytes, source: str, link: int = 0
    ) -> tuple[bytes, Rest | None] | Deferred[tuple[bytes, Rest | None]]:
        """The first message of the reply, and what makes the others (:meth:`part`).

        Lists are told in many messages with op flag CONT, as deployed clients take none above
        256 KiB; everything else is one message.
        """
        reply = self.answer(data, source, link)
        if isinstance(reply, Deferred):
            return reply.then(lambda first: (first, self._taken()))
        return reply, self._taken()

    def part(self, rest: Rest) -> tuple[bytes, Rest | None]:
        """The next message of a long reply, and what is left."""
        self._session, self._proven, self._asked = rest.session, rest.proven, rest.asked
        reply = self._page(rest.request, rest.page, rest.pages)
        if rest.session is None:
            return self.resolver.finished(rest.asked, reply), self._taken()
        return self._sealed(rest.session, rest.asked, reply), self._taken()

    def _taken(self) -> Rest | None:
        rest, self._rest = self._rest, None
        return rest

    def _resume(
        self,
        shown: "_Shown",
        session: Session | None,
        by_session: Session | None,
        valid: bool,
    ) -> bytes:
        """Go on where a proof was shown whose key lives at another node."""
        self.source, self._link = shown.pending.source, shown.link
        self._session, self._proven, self._shown = session, by_session, shown
        reply = self._proved(shown, self.counted(shown.who, good=valid))
        if session is None:
            return self.resolver.finished(shown.message, reply)
        return self._sealed(session, shown.message, reply)

    def _answer(self, data: bytes) -> bytes:
        if len(data) >= ENVELOPE_BYTES and data[4:8] != _NO_SESSION:
            session = self.sessions.get(int.from_bytes(data[4:8]))
            if session is not None:
                return self._answer_in(session, data)
        if len(data) >= ENVELOPE_BYTES and data[2] & int(EnvelopeFlag.ENCRYPTED):
            return self.resolver.refusal_of(
                read_envelope(data), Rc.SESSION_TIMEOUT, "no such session"
            )
        return self.resolver.answer(data)

    def _answer_in(self, session: Session, data: bytes) -> bytes:
        """The reply to a message of a session, sealed and encrypted as the asker wishes."""
        envelope = read_envelope(data)
        try:
            if envelope.flags & EnvelopeFlag.ENCRYPTED:
                message = session.decrypted(envelope, data[ENVELOPE_BYTES:])
            else:
                message = decode(data)
            self._proven = session if session.check(message) else None
            if message.rc != Rc.REQUEST:
                return b""  # as the resolver does with what is a reply
        except ProtocolError as error:
            self.resolver.statistics.malformed += 1
            rc = error.rc if isinstance(error, SessionFault) else int(Rc.PROTOCOL_ERROR)
            return self.resolver.refusal_of(envelope, rc, str(error))
        self._session = session
        return self._sealed(session, message, self.resolver.reply(message))

    def _sealed(self, session: Session, message: Message, reply: Message) -> bytes:
        """The reply as a message of the session."""
        self.resolver.statistics.by_code[reply.rc] += 1
        if session.key and (self._proven or message.wants(OpFlag.CERTIFY)):
            reply = session.sealed(reply)
        if session.key and wants_encryption(message):
            return session.encrypted(reply)
        return encode(reply)

    # -- identity -----------------------------------------------------------------------------

    def keys(self, who: Reference) -> list[HandleValue]:
        """The key values that ``who`` names, from this store."""
        record = self.administration.store.get(who.handle)
        values = record.values if record else ()
        return [value for value in values if who.index in {0, value.index}]

    def identified(self, question: Question) -> bool:
        """Whether the proof is good; counts failures and stops looking after too many.

        Raises Elsewhere for a key of another node, where such are asked about.
        """
        who = question.who
        if self.failures.too_many(self.source, who):
            return False
        keys = self.keys(who)
        if not keys and self.asks_elsewhere and not self.administration.is_ours(who.handle):
            if self.verdict is None:
                raise Elsewhere(question)
            return self.counted(who, good=self.verdict)
        good = proven(question.kind, question.proof, question.signed, keys, who.handle)
        return self.counted(who, good=good)

    def counted(self, who: Reference, *, good: bool) -> bool:
        """The verdict about a proof, failures noted."""
        if not good:
            self.failures.note(self.source, who)
            log.info("authentication failed who=%s source=%s", who, self.source)
        return good

    def at(self, source: str) -> "Gate":
        """Set the address that failures are counted for (HTTP calls the gate's parts directly)."""
        self.source = source
        return self

    def _logged_in(self, request: Message) -> Reference | None:
        if self._proven is not None:
            return self._proven.who
        login = self.logins.find(self._link, request.session_id, self.source)
        return login.who if login is not None and self.logins.holds(login) else None

    def _guarded(self, request: Message) -> Message:
        who = self._logged_in(request)
        if who is None or request.op in _LOGINS:
            return self._challenge(request)
        return self._perform(request, who, request)

    def _challenge(self, request: Message) -> Message:
        known = self.sessions.get(request.session_id)
        lost = None if known else self._of_no_session(request)
        if lost is not None:
            return lost
        # A national client logs in under an id of its own and goes on under it.
        link = self._link if request.session_id and not known else 0
        session, nonce = self.challenges.open(
            request, self.source, request.session_id if known or link else 0, link
        )
        reply = self.resolver.make(
            request, Rc.AUTHENTICATION_NEEDED, Challenge(nonce).encode(), digest=True
        )
        return replace(reply, session_id=session)

    def _of_no_session(self, request: Message) -> Message | None:
        """The refusal of a message that speaks of a session there is not; None to challenge it."""
        if request.credential is not None and request.credential.type == MAC:
            # Sent in a session of before a restart: its client sets a new one up when told.
            return self.resolver.error(request, Rc.SESSION_TIMEOUT, "no such session")
        if request.op in _LOGINS:
            return None
        if self.logins.find(self._link, request.session_id, self.source):
            return self.resolver.error(request, Rc.IDIS_LOGIN_AGAIN, "the login lapsed")
        if self._link and request.session_id:
            return self.resolver.error(request, Rc.IDIS_LOGIN_FIRST, "log in first (op 2001)")
        return None

    def _answered(self, message: Message) -> Message:
        answer = ChallengeAnswer.decode(message.body)
        pending = self.challenges.take(message.session_id, self._link)
        if pending is None or pending.source != self.source:
            return self.resolver.error(
                message, Rc.AUTHENTICATION_TIMEOUT, "no challenge waits in this session"
            )
        who = Reference(answer.handle, answer.index)
        shown = self._shown = _Shown(message, pending, who, self._link)
        question = Question(who, answer.auth_type, answer.answer, pending.nonce, pending.digest)
        return self._proved(shown, self.identified(question))

    def _proved(self, shown: "_Shown", holds: bool) -> Message:
        """Carry out the request that waited for a proof, or refuse."""
        message, pending, who = shown.message, shown.pending, shown.who
        # The result answers the proof's request id, under the operation that was asked for.
        request = replace(
            pending.request,
            request_id=message.request_id,
            session_id=message.session_id,
            version=message.version,
            suggested=message.suggested,
            raw=message.signed_part,
        )
        if not holds:
            return self.resolver.error(
                request, Rc.AUTHENTICATION_FAILED, f"the proof of {who} does not hold"
            )
        if self._proven is not None:
            self._proven.who = who
        return self._perform(request, who, message)

    def _perform(self, request: Message, who: Reference, asked: Message) -> Message:
        """Carry a request out; ``asked`` is the message whose reply this is."""
        self._asked = asked
        reply = self._performers[request.op](request, who)
        if request.op in _CHANGES:
            handle = OneHandle.decode(request.body).handle
            operation = Op(request.op).name.lower()
            self.administration.note(operation, handle, who, self.source, reply.rc)
        return reply

    def _verify(self, request: Message) -> Message:
        """Op 201: another server asks whether an answer with one of our secret keys is right."""
        body = VerifyChallenge.decode(request.body)
        who = Reference(body.handle, body.index)
        # Only of our own keys: two nodes that pass the question on would never end.
        valid = bool(self.keys(who)) and self.identified(
            Question(who, SECRET_KEY, body.answer, body.nonce, body.digest)
        )
        return self.resolver.make(request, Rc.SUCCESS, Verified(valid).encode())

    def _login(self, request: Message, who: Reference) -> Message:
        body = Login.decode(request.body)
        assert self._shown  # noqa: S101 - a login always follows a proof
        place = (self._shown.pending.link, request.session_id)
        self.logins.remember(place, self._link, who, self.source)
        return self.resolver.make(request, Rc.SUCCESS, Record(body.handle).encode())

    def _terminate(self, request: Message) -> Message:
        self.logins.end(self._link, request.session_id, self.source)
        if self._proven is not None:
            self.sessions.end(request.session_id)
        return self.resolver.make(request, Rc.SUCCESS)

    # -- operations ---------------------------------------------------------------------------

    def _resolve(self, request: Message) -> Message:
        body = Resolve.decode(request.body)
        public_only = request.wants(OpFlag.PUBLIC_ONLY)
        found = self.resolver.find(
            Query(body.handle, body.indexes, body.types, public_only), request
        )
        if found.rc != Rc.AUTHENTICATION_NEEDED:
            return self.resolver.resolved(request, body.handle, found)
        who = self._logged_in(request)
        return self._challenge(request) if who is None else self._resolve_as(request, who)

    def _resolve_as(self, request: Message, who: Reference) -> Message:
        body = Resolve.decode(request.body)
        allowed = self.administration.may_read(body.handle, who)
        query = Query(body.handle, body.indexes, body.types, may_read=allowed)
        return self.resolver.resolved(request, body.handle, self.resolver.find(query, request))

    def _done(self, request: Message, outcome: Outcome, body: bytes = b"") -> Message:
        if outcome.ok:
            return self.resolver.make(request, Rc.SUCCESS, body)
        return self.resolver.error(request, outcome.rc, outcome.message)

    def _create(self, request: Message, who: Reference) -> Message:
        body = Record.decode(request.body)
        outcome = self.administration.create(
            body.handle, body.values, who,
            overwrite=request.wants(OpFlag.OVERWRITE), mint=request.wants(OpFlag.MINT_SUFFIX),
        )  # fmt: skip
        return self._done(request, outcome, Created(outcome.handle).encode())

    def _delete(self, request: Message, who: Reference) -> Message:
        handle = OneHandle.decode(request.body).handle
        return self._done(request, self.administration.delete(handle, who))

    def _add(self, request: Message, who: Reference) -> Message:
        body = Record.decode(request.body)
        overwrite = request.wants(OpFlag.OVERWRITE)
        outcome = self.administration.add(body.handle, body.values, who, overwrite=overwrite)
        return self._done(request, outcome)

    def _modify(self, request: Message, who: Reference) -> Message:
        body = Record.decode(request.body)
        return self._done(request, self.administration.modify(body.handle, body.values, who))

    def _remove(self, request: Message, who: Reference) -> Message:
        body = RemoveValues.decode(request.body)
        return self._done(request, self.administration.remove(body.handle, body.indexes, who))

    def _list(self, request: Message, who: Reference) -> Message:
        prefix = OneHandle.decode(request.body).handle
        outcome = self.administration.may_list(prefix, who)
        if not outcome.ok:
            return self._done(request, outcome)
        return self._listed(request, self.administration.pages(outcome.handle))

    def _listed(self, request: Message, pages: Iterator[tuple[str, ...]]) -> Message:
        return self._page(request, next(pages, ()), pages)

    def _page(
        self, request: Message, page: tuple[str, ...], pages: Iterator[tuple[str, ...]]
    ) -> Message:
        """A page of a list; the pages behind it are left in ``_rest``."""
        reply = self.resolver.make(request, Rc.SUCCESS, Handles(page).encode())
        following = next(pages, None)
        if following is None or self._asked is None:
            return reply
        self._rest = Rest(request, self._asked, self._session, self._proven, following, pages)
        return replace(reply, flags=reply.flags | OpFlag.CONTINUOUS)

    def _home(self, request: Message, who: Reference) -> Message:
        prefix = OneHandle.decode(request.body).handle
        return self._done(request, self.administration.home(prefix, who, homed=True))

    def _unhome(self, request: Message, who: Reference) -> Message:
        prefix = OneHandle.decode(request.body).handle
        return self._done(request, self.administration.home(prefix, who, homed=False))

    def _prefixes(self, request: Message, who: Reference) -> Message:
        outcome = self.administration.prefixes(who)
        if not outcome.ok:
            return self._done(request, outcome)
        return self._listed(request, paged(outcome.names))
