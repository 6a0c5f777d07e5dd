"""Client side of changes: requests with a proof of identity.

``perform`` sends a request, answers the challenge after checking that it is about that very
request, and returns the typed reply body; the functions below it are the operations. A refusal
by the server is PeerError ``identity.refused`` with the server's code. A national server that
wants a login first (codes 407, 408) gets one, once, and the request again in its session.
"""

from collections.abc import Iterable

from mingwu.identity.client.credentials import Credentials
from mingwu.identity.client.handleclient import HandleClient, request
from mingwu.identity.client.refusals import refused
from mingwu.identity.client.sessionclient import SecureClient
from mingwu.kernel.catalogue import Phrase
from mingwu.wire.handle.bodies import (
    Body,
    Challenge,
    ChallengeAnswer,
    Created,
    ErrorBody,
    Handles,
    Login,
    OneHandle,
    Record,
    RemoveValues,
    Resolve,
    SiteInfo,
    read_body,
)
from mingwu.wire.handle.codes import DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, request_digest, split_digest
from mingwu.wire.handle.site import Site, read_site
from mingwu.wire.handle.values import HandleValue

Asking = HandleClient | SecureClient
_MOST_LISTED = 10_000_000
_LOGIN_FIRST = {Rc.IDIS_LOGIN_AGAIN, Rc.IDIS_LOGIN_FIRST}


async def perform(client: Asking, who: Credentials, op: int, body: Body, *, flags: int = 0) -> Body:
    """Carry out an operation as ``who``; raises PeerError, ProtocolError, Unavailable."""
    return read_body(await _performed(client, who, op, body, flags))


async def _performed(client: Asking, who: Credentials, op: int, body: Body, flags: int) -> Message:
    """The reply that says that an operation was carried out."""
    reply = await _carry_out(client, who, op, body, flags)
    if reply.rc in _LOGIN_FIRST:
        client.session_id = await login(client, who)
        reply = await _carry_out(client, who, op, body, flags)
    return _succeeded(client, reply, body)


def _succeeded(client: Asking, reply: Message, body: Body) -> Message:
    if reply.rc != Rc.SUCCESS:
        answer = read_body(reply)
        detail = answer.message if isinstance(answer, ErrorBody) else ""
        raise refused(client.server, reply.rc, getattr(body, "handle", ""), detail)
    return reply


async def _listed(client: Asking, who: Credentials, op: int, body: Body) -> tuple[str, ...]:
    """All names of a list, which comes in many messages (op flag CONT on all but the last)."""
    reply = await _performed(client, who, op, body, 0)
    names: list[str] = []
    while True:
        answer = read_body(reply)
        names += answer.handles if isinstance(answer, Handles) else ()
        if not reply.wants(OpFlag.CONTINUOUS):
            return tuple(names)
        if len(names) > _MOST_LISTED:
            raise ProtocolError(f"the server lists more than {_MOST_LISTED} names")
        reply = _succeeded(client, await client.following(reply), body)


async def _carry_out(client: Asking, who: Credentials, op: int, body: Body, flags: int) -> Message:
    """The last reply to a request, its challenge answered."""
    always = client.flags | OpFlag.KEEP_ALIVE
    asked = request(op, body.encode(), flags=flags | always, session_id=client.session_id)
    reply = await client.ask(asked)
    answer = read_body(reply)
    if not isinstance(answer, Challenge):
        return reply
    digest, _ = split_digest(reply)
    if not digest or digest != request_digest(asked, DigestAlgorithm(digest[0])):
        # Signing a strange digest would let a man in the middle act in our name.
        raise ProtocolError("the challenge is not about the request that was sent")
    kind, proof = who.prove(answer.nonce + digest[1:])
    proven = ChallengeAnswer(kind, who.who.handle, who.who.index, proof).encode()
    return await client.ask(
        request(Op.CHALLENGE_ANSWER, proven, flags=always, session_id=reply.session_id)
    )


async def login(client: Asking, who: Credentials, *, password: bool = False) -> int:
    """Log in as the national dialect has it (op 2001; ``password``: op 2000); the session's id.

    Requests with that id in the envelope (``client.session_id``) need no further proof.
    """
    op = Op.IDIS_LOGIN_PASSWORD if password else Op.IDIS_LOGIN_KEY
    reply = await _carry_out(client, who, op, Login(who.who.handle, who.who.index), 0)
    if reply.rc != Rc.SUCCESS:
        answer = read_body(reply)
        detail = answer.message if isinstance(answer, ErrorBody) else ""
        raise refused(client.server, reply.rc, str(who.who), detail)
    return reply.session_id


async def create(
    client: Asking,
    who: Credentials,
    handle: str,
    values: Iterable[HandleValue],
    *,
    overwrite: bool = False,
    mint: bool = False,
) -> str:
    """Register a name; returns it as registered (with ``mint`` the server makes the suffix)."""
    flags = (OpFlag.OVERWRITE if overwrite else 0) | (OpFlag.MINT_SUFFIX if mint else 0)
    body = Record(handle, tuple(values))
    reply = await perform(client, who, Op.CREATE, body, flags=int(flags))
    return reply.handle if isinstance(reply, Created) and reply.handle else handle


async def delete(client: Asking, who: Credentials, handle: str) -> None:
    """Deregister a name."""
    await perform(client, who, Op.DELETE, OneHandle(handle))


async def add_values(
    client: Asking,
    who: Credentials,
    handle: str,
    values: Iterable[HandleValue],
    *,
    overwrite: bool = False,
) -> None:
    """Add values (with ``overwrite`` also replace)."""
    flags = int(OpFlag.OVERWRITE) if overwrite else 0
    await perform(client, who, Op.ADD_VALUE, Record(handle, tuple(values)), flags=flags)


async def modify_values(
    client: Asking, who: Credentials, handle: str, values: Iterable[HandleValue]
) -> None:
    """Replace values that exist."""
    await perform(client, who, Op.MODIFY_VALUE, Record(handle, tuple(values)))


async def remove_values(
    client: Asking, who: Credentials, handle: str, indexes: Iterable[int]
) -> None:
    """Remove values."""
    await perform(client, who, Op.REMOVE_VALUE, RemoveValues(handle, tuple(indexes)))


async def read_values(
    client: Asking,
    who: Credentials,
    handle: str,
    indexes: Iterable[int] = (),
    types: Iterable[str] = (),
) -> tuple[HandleValue, ...]:
    """Values of a name, with the restricted ones that ``who`` may read."""
    reply = await perform(client, who, Op.RESOLVE, Resolve(handle, tuple(indexes), tuple(types)))
    return reply.values if isinstance(reply, Record) else ()


async def list_names(client: Asking, who: Credentials, prefix: str) -> tuple[str, ...]:
    """All names under a prefix."""
    return await _listed(client, who, Op.LIST_HANDLES, OneHandle(f"0.NA/{prefix}"))


async def home_prefix(client: Asking, who: Credentials, prefix: str, *, homed: bool = True) -> None:
    """Make the server responsible for a prefix, or no longer; its own administrators only."""
    op = Op.HOME_PREFIX if homed else Op.UNHOME_PREFIX
    await perform(client, who, op, OneHandle(f"0.NA/{prefix}"))


async def list_prefixes(client: Asking, who: Credentials) -> tuple[str, ...]:
    """Prefixes that the server is responsible for; its own administrators only."""
    return await _listed(client, who, Op.LIST_PREFIXES, OneHandle("0.NA/0.NA"))


async def site_info(client: Asking) -> Site:
    """The server's own site record (op 2); raises PeerError where it tells none."""
    reply = await client.ask(request(Op.SITE_INFO, OneHandle("/").encode()))
    answer = read_body(reply)
    if not isinstance(answer, SiteInfo):
        raise refused(client.server, reply.rc, "/", Phrase("no site", "没有站点"))
    return read_site(answer.site)
