"""The CoAP bearer: frames by ``POST coap://platform/carriers/exchange``, protected by OSCORE.

RFC 7252 over UDP, RFC 7959 blockwise inside RFC 8613 OSCORE (AES-CCM-16-64-128, HKDF SHA-256). A
request is confirmable and repeated by the message layer; when all repetitions are lost the bearer
sends the same frame again in a new request. The platform remembers by carrier and digest what it
answered, so a frame that comes twice is answered twice and worked once: retransmission does not
look like a replay. What is not protected under a known carrier's context reaches nothing.
"""

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import aiocoap
from aiocoap import error as coap_error
from aiocoap import oscore, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.numbers import TransportTuning
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from aiocoap.pipe import Pipe

from mingwu.identity.carriers.bearers import PATH
from mingwu.identity.carriers.frames import digest_of
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.secrecy import (
    PLATFORM_KID,
    WINDOW,
    CarrierSecret,
    Kept,
    PlatformSecrets,
    kid_of,
)
from mingwu.identity.carriers.settings import CoapBearerSettings, CoapSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)
logging.getLogger("coap-server").setLevel(logging.ERROR)  # it tells of every bad datagram

OCTET_STREAM = 42
_STEPS = tuple(PATH.strip("/").split("/"))
_MOST_REPLIES = 20_000
_MOST_CONTEXTS = 20_000


class _Context(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):  # type: ignore[misc]
    """Keys and replay window of one pair of ends (RFC 8613 §3)."""

    echo_recovery = None  # windows are kept, so they need not be recovered (appendix B.1.2)

    def __init__(self, master: bytes, sender: bytes, recipient: bytes) -> None:
        self.alg_aead = oscore.algorithms["AES-CCM-16-64-128"]
        self.hashfun = oscore.hashfunctions["sha256"]
        self.id_context = None
        self.sender_id, self.recipient_id = sender, recipient
        self.sender_sequence_number = 0
        self.derive_keys(b"", master)
        self.recipient_replay_window = oscore.ReplayWindow(WINDOW, lambda: None)
        self.recipient_replay_window.initialize_empty()

    def post_seqnoincrease(self) -> None:
        """Numbers are kept by :meth:`new_sequence_number` of the two ends."""


class _CarrierContext(_Context):
    """The carrier's end: its numbers are on the disk before they are used."""

    def __init__(self, serial: str, kept: CarrierSecret) -> None:
        super().__init__(kept.master, kid_of(serial), PLATFORM_KID)
        self._kept = kept

    def new_sequence_number(self) -> int:
        return self._kept.take()


class _PlatformContext(_Context):
    """The platform's end: it answers only, under the numbers of the requests."""

    def __init__(self, kept: Kept, alarms: "_Alarms") -> None:
        super().__init__(kept.master, PLATFORM_KID, kid_of(kept.serial))
        self.serial, self._alarms = kept.serial, alarms
        self.recipient_replay_window.initialize_from_persisted(
            {"index": kept.index, "bitfield": kept.bits}
        )

    def unprotect(self, *given: Any, **more: Any) -> Any:
        try:
            return super().unprotect(*given, **more)
        except oscore.ReplayError:
            self._alarms.raise_one("carriers.replayed", self.serial)
            raise
        except oscore.ProtectionInvalid:
            self._alarms.raise_one("carriers.wrong-secret", self.serial)
            raise

    def new_sequence_number(self) -> int:
        raise oscore.ContextUnavailable("the platform only answers")


# -- the carrier's side ---------------------------------------------------------------------------


class CoapBearer:
    """See :class:`mingwu.identity.carriers.bearers.Bearer`; one request at a time."""

    def __init__(self, settings: CoapBearerSettings, serial: str, kept: CarrierSecret) -> None:
        self._settings = settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._base = f"coap://{host}:{settings.port}"
        self._security = _CarrierContext(serial, kept)
        self._client: Any = None

    async def close(self) -> None:
        """Release the socket."""
        if self._client is not None:
            await self._client.shutdown()
            self._client = None

    async def exchange(self, frame: bytes) -> bytes:
        """The platform's frame; raises Unavailable ``carriers.unreachable``."""
        fault = ""
        for _ in range(self._settings.attempts):
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    return await self._ask(frame)
            except (coap_error.Error, OSError, TimeoutError) as error:
                fault = told(error)
                await self.close()
                if isinstance(error, _Answered):
                    break
        raise Unavailable("carriers.unreachable", address=self._base, fault=fault)

    async def _ask(self, frame: bytes) -> bytes:
        if self._client is None:
            self._client = await aiocoap.Context.create_client_context(
                transports=["oscore", "udp6"]
            )
            self._client.client_credentials[f"{self._base}/*"] = self._security
        message = aiocoap.Message(
            code=aiocoap.POST, uri=self._base + PATH, payload=frame,
            content_format=OCTET_STREAM,
            transport_tuning=_tuning(self._settings.ack_timeout_s),
        )  # fmt: skip
        try:
            reply = await self._client.request(message).response
        except oscore.NotAProtectedMessage as error:
            raise _Answered(f"{error.plain_message.code}, unprotected") from error
        if not reply.code.is_successful():
            raise _Answered(str(reply.code))
        return bytes(reply.payload)


class _Answered(coap_error.Error):  # type: ignore[misc]
    """There was an answer, and it was no: asking again at once would not help."""


def _tuning(ack_timeout_s: float) -> TransportTuning:
    class Tuning(TransportTuning):  # type: ignore[misc]
        ACK_TIMEOUT = ack_timeout_s

    return Tuning()


# -- the platform's side --------------------------------------------------------------------------


async def serve_coap(
    platform: CarrierPlatform,
    settings: CoapSettings,
    stop: asyncio.Event,
    started: asyncio.Event | None = None,
) -> None:
    """Answer carriers until ``stop``. A port that is taken is told once and tried again."""
    alarms = _Alarms(platform)
    contexts = _Contexts(platform.secrets, alarms)
    site = resource.Site()
    site.add_resource(_STEPS, _Exchange(platform, settings.replies_s))
    told = False
    while not stop.is_set():
        try:
            await asyncio.to_thread(_require_free, settings.host, settings.port)
            server = await aiocoap.Context.create_server_context(
                _Door(site, contexts), bind=(settings.host, settings.port), transports=["udp6"]
            )
        except OSError as error:
            if not told:
                log.warning("carriers' CoAP port not free port=%d fault=%s", settings.port, error)
            told = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.retry_s):
                    await stop.wait()
            continue
        try:
            _harden(server, settings)
            if started is not None:
                started.set()
            await stop.wait()
        finally:
            await server.shutdown()
            await alarms.settle()


def _require_free(host: str, port: int) -> None:
    """Raise OSError when somebody has the port; aiocoap would leave its socket open."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)


def _harden(server: aiocoap.Context, settings: CoapSettings) -> None:
    """Put the guard before the library."""
    for requests in server.request_interfaces:
        edge = requests.token_interface.message_interface
        edge.datagram_msg_received = _Guard(edge.datagram_msg_received, settings)


class _Guard:
    """Drops datagrams beyond what a source, or all together, may send in a second, and those that
    the library stumbles over (aiocoap 0.4.17 does over options that are not UTF-8, and would hand
    the error to the loop). The first one is told of.
    """

    def __init__(self, receive: Callable[..., None], settings: CoapSettings) -> None:
        self._receive = receive
        self._most, self._most_each = settings.datagrams_per_s, settings.source_datagrams_per_s
        self._second, self._all = 0, 0
        self._each: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def __call__(self, data: bytes, ancillary: object, flags: int, address: Any) -> None:
        if not self._has_room(str(address[0])):
            self._drop("too many")
            return
        try:
            self._receive(data, ancillary, flags, address)
        except Exception as error:  # noqa: BLE001 — the process' edge: a stranger wrote it
            self._drop(type(error).__name__)

    def _has_room(self, source: str) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._all = second, 0
            self._each.clear()
        if self._all >= self._most or self._each[source] >= self._most_each:
            return False
        self._all += 1
        self._each[source] += 1
        return True

    def _drop(self, fault: str) -> None:
        if not self.dropped[fault]:
            log.warning("carriers' CoAP datagrams dropped fault=%s", fault)
        self.dropped[fault] += 1


class _Alarms:
    """Events of the door: one per carrier and cause within ``collapse_s``.

    No address is told: a datagram's sender is what somebody wrote there.
    """

    def __init__(self, platform: CarrierPlatform) -> None:
        self._platform = platform
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._work: set[asyncio.Task[None]] = set()

    def raise_one(self, code: str, serial: str) -> None:
        """Have the event written, soon and beside the loop."""
        key, now = (code, serial), time.monotonic()
        if now - self._told.get(key, -math.inf) < self._platform.settings.collapse_s:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > _MOST_CONTEXTS:
            self._told.popitem(last=False)
        writing = asyncio.to_thread(self._platform.access.tell, code, serial, "coap")
        task = asyncio.get_running_loop().create_task(writing)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def settle(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._work, return_exceptions=True)


class _Contexts(CredentialsMap):  # type: ignore[misc]
    """Security contexts of carriers, read from the store when they are first asked for."""

    def __init__(self, secrets: PlatformSecrets, alarms: _Alarms) -> None:
        super().__init__()
        self._secrets, self._alarms = secrets, alarms
        self._by_kid: OrderedDict[bytes, _PlatformContext] = OrderedDict()
        self._reading = asyncio.Lock()

    async def fetch(self, kid: bytes) -> None:
        """Have the context at hand, if there is one; one at a time, so that none is made twice."""
        async with self._reading:
            if kid in self._by_kid:
                self._by_kid.move_to_end(kid)
                return
            kept = await asyncio.to_thread(self._secrets.find, kid)
            if kept is not None:
                self._by_kid[kid] = _PlatformContext(kept, self._alarms)
            while len(self._by_kid) > _MOST_CONTEXTS:  # its window is in the store
                self._by_kid.popitem(last=False)

    def find_oscore(self, unprotected: dict[object, object]) -> _PlatformContext:
        kid = unprotected.get(oscore.COSE_KID)
        if not isinstance(kid, bytes) or unprotected.get(oscore.COSE_KID_CONTEXT) is not None:
            raise KeyError(kid)
        return self._by_kid[kid]


class _Door(OscoreSiteWrapper):  # type: ignore[misc]
    """Lets protected requests of known carriers in, and nothing else."""

    def __init__(self, site: resource.Site, contexts: _Contexts) -> None:
        super().__init__(site, contexts)
        self._contexts = contexts

    async def render_to_pipe(self, pipe: Pipe) -> None:
        request = pipe.request
        try:
            unprotected = oscore.verify_start(request)
        except oscore.NotAProtectedMessage as error:
            raise coap_error.Unauthorized("OSCORE is asked for") from error
        except oscore.ProtectionInvalid as error:
            raise coap_error.BadOption("no OSCORE option") from error
        if request.opt.uri_path:  # the path is protected; outside it would name another door
            raise coap_error.BadOption("a path outside the protection")
        kid = unprotected.get(oscore.COSE_KID)
        if isinstance(kid, bytes):
            await self._contexts.fetch(kid)
        await super().render_to_pipe(pipe)


class _Exchange(resource.Resource):  # type: ignore[misc]
    """``POST /carriers/exchange`` behind the door."""

    def __init__(self, platform: CarrierPlatform, replies_s: float) -> None:
        super().__init__()
        self._platform, self._replies = platform, _Replies(platform, replies_s)

    async def needs_blockwise_assembly(self, request: aiocoap.Message) -> bool:
        """Yes, up to the size of a frame."""
        block, limit = request.opt.block1, self._platform.settings.frame_bytes
        start = 0 if block is None else block.start
        if start + len(request.payload) > limit:
            raise coap_error.RequestEntityTooLarge(f"a frame has {limit} bytes at most")
        return True

    async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
        security: _PlatformContext = request.remote.security_context
        window = security.recipient_replay_window.persist()
        await asyncio.to_thread(
            self._platform.secrets.note, security.serial, window["index"], window["bitfield"]
        )
        reply = await self._replies.to(security.serial, bytes(request.payload))
        return aiocoap.Message(code=aiocoap.CHANGED, payload=reply, content_format=OCTET_STREAM)


class _Replies:
    """What was answered lately, by carrier and digest of its frame."""

    def __init__(self, platform: CarrierPlatform, keep_s: float) -> None:
        self._platform, self._keep_s = platform, keep_s
        self._known: OrderedDict[tuple[str, bytes], tuple[float, asyncio.Task[bytes]]]
        self._known = OrderedDict()

    async def to(self, serial: str, frame: bytes) -> bytes:
        """The reply to a frame, the same one when it comes again."""
        key, now = (serial, digest_of(frame)), time.monotonic()
        self._forget(now)
        known = self._known.get(key)
        if known is None or (known[1].done() and known[1].exception() is not None):
            work = asyncio.to_thread(self._platform.access.handle, frame, f"coap:{serial}")
            known = now, asyncio.create_task(work)
            self._known[key] = known
        return await asyncio.shield(known[1])  # a request given up does not undo the work

    def _forget(self, now: float) -> None:
        while self._known:
            key, (since, task) = next(iter(self._known.items()))
            full = len(self._known) >= _MOST_REPLIES
            if not task.done() or (since > now - self._keep_s and not full):
                return
            del self._known[key]
