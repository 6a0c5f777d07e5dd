"""Trust from the outside: what ``mingwu resolve --trust`` and the console do with an answer.

A question by type or index may have left the signature out, so it is asked for again. The
certificates of the chain are asked of the servers that answered (a prefix's own node holds more in
its prefix record than the node above does), then as the name was; where one comes from is of no
account, its signature is.

Live values: :func:`resolve_certified` asks for a reply signed as a whole (op flag CERT). That
signature counts only if it is of a server key in an HS_SITE value of ``0.NA/<prefix>`` that itself
is trusted, and if the reply repeats the digest of our request, so an old reply cannot be played
again. Then the live values are "signed with the answer".
"""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import msgspec

from mingwu.identity.access.serverkey import is_certified_by
from mingwu.identity.client.handleclient import Resolution, ask, parse_server, request, resolve
from mingwu.identity.client.root import Root, resolve_from
from mingwu.identity.lookup import PREFIX_HOME, prefix_of
from mingwu.identity.trusted.signing import CERTIFICATE, SIGNATURE
from mingwu.identity.trusted.verdict import TrustReport
from mingwu.identity.trusted.verifying import Anchor, Values, verify_async
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.kernel.names import fold
from mingwu.wire.handle.bodies import Record as RecordBody
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op, OpFlag
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, request_digest, split_digest
from mingwu.wire.handle.site import read_site

_NEAR = 2


@dataclass(frozen=True, slots=True)
class Remote:
    """Fetches records from ``server`` ("host[:port]") or from a root, following referrals.

    ``near``: servers that are asked for certificates first.
    """

    server: str
    timeout_s: float = 3.0
    root: Root | None = None
    near: tuple[str, ...] = ()

    async def resolve(self, handle: str, types: tuple[str, ...] = ()) -> Resolution:
        """Ask for a record; raises Unavailable or PeerError."""
        if self.root:
            return await resolve_from(self.root, handle, types=types, timeout_s=self.timeout_s)
        return await resolve(handle, self.server, types=types, timeout_s=self.timeout_s)

    async def fetch(self, handle: str) -> Values | None:
        """Public values of a handle with its certificates; None when there is no such record."""
        for server in self.near:
            values = await _values(resolve(handle, server, timeout_s=self.timeout_s))
            if any(fold(value.type) == CERTIFICATE for value in values or ()):
                return values
        return await _values(self.resolve(handle))


async def _values(asking: Awaitable[Resolution]) -> Values | None:
    """The values of what resolves; None else: the verdict tells what was not found."""
    try:
        found = await asking
    except (Unavailable, PeerError):
        return None
    return found.values if found.ok else None


async def verify_resolution(
    result: Resolution,
    server: str,
    anchors: Sequence[Anchor],
    *,
    now: float | None = None,
    timeout_s: float = 3.0,
    root: Root | None = None,
) -> TrustReport:
    """The verdict about a resolved answer. Raises Unavailable if the signature cannot be asked.

    What is missing is asked of ``server``, or from ``root`` when there is one.
    """
    near = tuple(dict.fromkeys(reversed(result.path)))[:_NEAR]
    remote = Remote(server, timeout_s, root, near)
    values = result.values
    if not any(fold(value.type) == SIGNATURE for value in values):
        values = (*values, *(await remote.resolve(result.handle, (SIGNATURE,))).values)
    at = time.time() if now is None else now
    return await verify_async(result.handle, values, anchors, remote.fetch, at)


async def resolve_certified(
    name: str,
    server: str,
    anchors: Sequence[Anchor],
    *,
    now: float | None = None,
    timeout_s: float = 3.0,
) -> tuple[Resolution, TrustReport]:
    """Resolve with a signature over the answer, live values included, and verify all of it.

    The answer is asked of ``server`` itself, without following referrals. Raises Unavailable when
    it does not answer.
    """
    host, port = parse_server(server)
    at = time.time() if now is None else now
    flags = OpFlag.PUBLIC_ONLY | OpFlag.CERTIFY | OpFlag.REQUEST_DIGEST
    message = request(Op.RESOLVE, Resolve(name).encode(), flags=flags)
    started = time.perf_counter()
    reply = await ask(host, port, message, transport="tcp", timeout_s=timeout_s)
    took_ms = (time.perf_counter() - started) * 1000
    body = read_body(reply)
    values = body.values if isinstance(body, RecordBody) else ()
    result = Resolution(name, reply.rc, values, path=(f"{host}:{port}",), elapsed_ms=took_ms)
    report = await verify_resolution(result, server, anchors, now=at, timeout_s=timeout_s)
    if not report.live:
        return result, report
    keys = await _server_keys(name, server, anchors, at, timeout_s)
    signed = _answers(reply, message) and any(_is_by(reply, key) for key in keys)
    return result, msgspec.structs.replace(report, live_signed=signed)


async def _server_keys(
    name: str, server: str, anchors: Sequence[Anchor], now: float, timeout_s: float
) -> list[bytes]:
    """Server keys (HS_PUBKEY form) in covered HS_SITE values of the name's prefix record."""
    home = await resolve(f"{PREFIX_HOME}/{prefix_of(name)}", server, timeout_s=timeout_s)
    report = await verify_resolution(home, server, anchors, now=now, timeout_s=timeout_s)
    if not report.is_trusted:
        return []
    found: list[bytes] = []
    for value in home.values:
        if fold(value.type) == "HS_SITE" and value.index in report.covered:
            try:
                found += [one.public_key for one in read_site(value.data).servers]
            except ProtocolError:
                continue  # a site in a form we do not read vouches for nothing
    return [key for key in found if key]


def _answers(reply: Message, asked: Message) -> bool:
    try:
        digest, _ = split_digest(reply)
    except ProtocolError:
        return False
    return digest == request_digest(asked)


def _is_by(reply: Message, key: bytes) -> bool:
    try:
        return is_certified_by(reply, key)
    except ProtocolError:
        return False
