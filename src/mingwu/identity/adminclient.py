"""Client side of changes: requests with a proof of identity.

``perform`` sends a request, answers the challenge after checking that it is about that very
request, and returns the typed reply body; the functions below it are the operations. A refusal
by the server is PeerError ``identity.refused`` with the server's code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from mingwu.identity.authentication import (
    PUBLIC_KEY,
    SECRET_KEY,
    answer_with_key,
    answer_with_secret,
)
from mingwu.identity.client import HandleClient, request
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.bodies import (
    Body,
    Challenge,
    ChallengeAnswer,
    Created,
    ErrorBody,
    Handles,
    OneHandle,
    Record,
    RemoveValues,
    read_body,
)
from mingwu.wire.handle.codes import DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import request_digest, split_digest
from mingwu.wire.handle.values import HandleValue, Reference


class Credentials(Protocol):
    """Somebody who can prove to hold the key ``who``."""

    who: Reference

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        """(HS_PUBKEY or HS_SECKEY, proof over ``signed``)."""


@dataclass(frozen=True, slots=True)
class SecretCredentials:
    """Holds the secret of an HS_SECKEY value."""

    who: Reference
    secret: bytes

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        return SECRET_KEY, answer_with_secret(self.secret, signed)


@dataclass(frozen=True, slots=True)
class KeyCredentials:
    """Holds the private key of an HS_PUBKEY value."""

    who: Reference
    key: rsa.RSAPrivateKey | dsa.DSAPrivateKey

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        return PUBLIC_KEY, answer_with_key(self.key, signed)


async def perform(
    client: HandleClient, who: Credentials, op: int, body: Body, *, flags: int = 0
) -> Body:
    """Carry out an operation as ``who``; raises PeerError, ProtocolError, Unavailable."""
    asked = request(op, body.encode(), flags=flags | OpFlag.KEEP_ALIVE)
    reply = await client.ask(asked)
    answer = read_body(reply)
    if isinstance(answer, Challenge):
        digest, _ = split_digest(reply)
        if not digest or digest != request_digest(asked, DigestAlgorithm(digest[0])):
            # Signing a strange digest would let a man in the middle act in our name.
            raise ProtocolError("the challenge is not about the request that was sent")
        kind, proof = who.prove(answer.nonce + digest[1:])
        proven = ChallengeAnswer(kind, who.who.handle, who.who.index, proof).encode()
        reply = await client.ask(
            request(
                Op.CHALLENGE_ANSWER, proven, flags=OpFlag.KEEP_ALIVE, session_id=reply.session_id
            )
        )
        answer = read_body(reply)
    if reply.rc != Rc.SUCCESS:
        detail = answer.message if isinstance(answer, ErrorBody) else ""
        handle = getattr(body, "handle", "")
        raise PeerError(
            "identity.refused", server=client.server, code=reply.rc, name=handle, detail=detail
        )
    return answer


async def create(
    client: HandleClient,
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


async def delete(client: HandleClient, who: Credentials, handle: str) -> None:
    """Deregister a name."""
    await perform(client, who, Op.DELETE, OneHandle(handle))


async def add_values(
    client: HandleClient,
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
    client: HandleClient, who: Credentials, handle: str, values: Iterable[HandleValue]
) -> None:
    """Replace values that exist."""
    await perform(client, who, Op.MODIFY_VALUE, Record(handle, tuple(values)))


async def remove_values(
    client: HandleClient, who: Credentials, handle: str, indexes: Iterable[int]
) -> None:
    """Remove values."""
    await perform(client, who, Op.REMOVE_VALUE, RemoveValues(handle, tuple(indexes)))


async def list_names(client: HandleClient, who: Credentials, prefix: str) -> tuple[str, ...]:
    """All names under a prefix."""
    reply = await perform(client, who, Op.LIST_HANDLES, OneHandle(f"0.NA/{prefix}"))
    return reply.handles if isinstance(reply, Handles) else ()
