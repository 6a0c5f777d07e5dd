"""The flag of trusted resolution in replies: asked with 0x2, told with 0x1.

A question with the flag takes the resolver's long way (the short one declines it), whose answer is
looked at here: the reply gets 0x1 only if every value in it is byte for byte a stored value under
a good signature. Live and restricted values are not, so an answer with them goes without.
"""

from dataclasses import replace

from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import read_record
from mingwu.identity.resolver import Handler, Resolver
from mingwu.identity.trustflag import AnswerVerifier
from mingwu.wire.handle.bodies import Record as RecordBody
from mingwu.wire.handle.bodies import read_body
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.message import Message


def flag_answers(resolver: Resolver, verifier: AnswerVerifier) -> None:
    """Make ``resolver`` answer the flag. The verifier belongs to this resolver's thread."""
    inner = resolver.handlers[Op.RESOLVE]
    resolver.handlers[Op.RESOLVE] = _flagging(resolver, verifier, inner)


def _flagging(resolver: Resolver, verifier: AnswerVerifier, inner: Handler) -> Handler:
    def answer(request: Message) -> Message:
        reply = inner(request)
        if not request.wants(OpFlag.IDIS_TRUST_ASKED) or reply.rc != Rc.SUCCESS:
            return reply
        body = read_body(reply)
        if not isinstance(body, RecordBody) or not body.values:
            return reply
        data = resolver.snapshot.get(key_of(body.handle))
        if data is None:
            return reply
        record = read_record(data)
        if any(record.value(value.index) != value for value in body.values):
            return reply
        if not verifier.answer_verified(record, [value.index for value in body.values]):
            return reply
        return replace(reply, flags=reply.flags | OpFlag.IDIS_TRUST_VERIFIED, raw=b"")

    return answer
