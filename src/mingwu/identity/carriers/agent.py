"""The reference agent: what runs in (or beside) an active carrier.

It opens every conversation itself. Each upload is a greeting, a signed challenge that proves the
platform (certificate of a trusted authority, the expected name, digest of our greeting) and a
signed report; counter and state are on the disk before a report leaves. Samples wait in the buffer
until a receipt names them. A refusal is believed only when the platform signed it for our frame.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from mingwu.identity.carriers.bearers import Bearer
from mingwu.identity.carriers.buffer import SampleBuffer
from mingwu.identity.carriers.certificates import Anchors, Certificate
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.frames import (
    NONCE_BYTES,
    Applied,
    Body,
    Challenge,
    Done,
    Frame,
    Hello,
    Order,
    PowerOn,
    Provision,
    Receipt,
    Refused,
    Report,
    Result,
    Sample,
    Written,
    digest_of,
    pack,
    read,
)
from mingwu.identity.carriers.keystore import CarrierKey
from mingwu.identity.carriers.profile import Profile, ProfileFile
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import ConfigError, Denied, MingwuError, PeerError

log = logging.getLogger(__name__)

PARAMETERS, IDENTIFIER = "parameters", "identifier"
REVOKED = "carriers.revoked"
T = TypeVar("T", bound=Body)

Accept = Callable[[Mapping[str, float | str]], str]
"""Tries a parameter set on the device; the fault, or an empty text."""


def _accept_all(parameters: Mapping[str, float | str]) -> str:
    del parameters
    return ""


class _Conversation:
    """One chain of frames: each checked to be the platform's answer to the one before."""

    def __init__(self, agent: "CarrierAgent") -> None:
        self._agent = agent
        self.platform: Certificate | None = None
        self.session = b""
        self.previous = b""
        self.reply = b""

    async def send(self, body: Body, wanted: type[T]) -> T:
        """Send ``body``; raises PeerError ``carriers.platform-untrusted``, Denied refused."""
        agent = self._agent
        sent = await asyncio.to_thread(pack, body, agent.key)  # a token may take its time
        self.reply = await agent.bearer.exchange(sent)
        frame = read(self.reply)
        answer = frame.body
        self._check(frame, digest_of(sent))
        self.previous = frame.digest
        if isinstance(answer, Refused):
            raise Denied("carriers.refused", serial=agent.profile.serial, reason=answer.code)
        if not isinstance(answer, wanted):
            raise _untrusted(f"{frame.kind.name} instead of {wanted.__name__}")
        return answer

    def _check(self, frame: Frame, request: bytes) -> None:
        answer = frame.body
        if getattr(answer, "request", b"") != request:
            raise _untrusted("its reply belongs to another message")
        if self.platform is None:
            self.platform = self._agent.platform_of(answer)
        if not frame.is_signed_by(self.platform.key):
            raise _untrusted(Phrase("wrong signature", "签名错误"))


def _check_key(profile: Profile, key: CarrierKey) -> None:
    fault = ""
    if read_certificate(profile.certificate).key.key_id != key.public().key_id:
        fault = Phrase("its certificate is for another key", "证书属于另一把密钥")
    elif profile.protection != key.protection:
        fault = Phrase(
            f"{key.protection} instead of {profile.protection}",
            f"应为 {profile.protection}，实为 {key.protection}",
        )
    if fault:
        raise ConfigError("carriers.key-mismatch", serial=profile.serial, fault=fault)


def _untrusted(fault: str) -> PeerError:
    return PeerError("carriers.platform-untrusted", fault=fault)


class CarrierAgent:
    """One carrier. ``directory`` holds its profile and buffer; the key is given.

    Raises ConfigError ``carriers.bad-profile``, ``carriers.key-mismatch``.
    """

    def __init__(
        self,
        directory: Path,
        key: CarrierKey,
        bearer: Bearer,
        *,
        clock: Clock | None = None,
        accept: Accept = _accept_all,
        address: str = "",
        buffer_samples: int = 10_000,
        report_samples: int = 100,
    ) -> None:
        self.key, self.bearer, self.accept, self.address = key, bearer, accept, address
        self._clock = clock or SystemClock()
        self._file = ProfileFile(directory / "profile.mwp")
        self.profile = self._file.load()
        _check_key(self.profile, key)
        self._anchors = Anchors(self.profile.anchors)
        self.buffer = SampleBuffer(directory / "buffer.sqlite", buffer_samples)
        self._report_samples = report_samples
        self._talking = asyncio.Lock()

    def close(self) -> None:
        """Release the buffer."""
        self.buffer.close()

    def measure(self, readings: Mapping[str, float | str]) -> Sample:
        """Put an observation of now into the buffer; it is on the disk when this returns."""
        newest = max(self.profile.sequence, self.buffer.last_sequence)
        sample = Sample(newest + 1, self._clock.time_ns(), dict(readings))
        self.buffer.add(sample)
        return sample

    async def power_on(self) -> str:
        """Match, get registered, write the identifier back; the identifier (at once if held)."""
        async with self._talking:
            if self.profile.identifier:
                return self.profile.identifier
            await self._register(*await self._greet())
            return self.profile.identifier

    async def report(self) -> int:
        """Upload what waits, oldest first; how many samples the platform has taken over.

        With an empty buffer nothing is sent. Errors: Unavailable ``carriers.unreachable``, Denied
        ``carriers.refused``, PeerError; samples stay in all cases.
        """
        taken = 0
        async with self._talking:
            while samples := self.buffer.first(self._report_samples):
                await self._upload(samples)
                taken += len(samples)
        return taken

    # -- one conversation ---------------------------------------------------------------------

    async def _greet(self) -> tuple[_Conversation, Challenge]:
        profile = self.profile
        if profile.blocked == REVOKED:
            raise Denied("carriers.refused", serial=profile.serial, reason=REVOKED)
        talk = _Conversation(self)
        hello = Hello(
            serial=profile.serial,
            nonce=os.urandom(NONCE_BYTES),
            time_ns=self._clock.time_ns(),
            identifier=profile.identifier,
            address=self.address,
            protection=self.key.protection,
            certificate=profile.certificate,
        )
        try:
            challenge = await talk.send(hello, Challenge)
        except Denied as error:
            self._note_blocked(str(error.params.get("reason", "")))
            raise
        self._note_blocked("")
        talk.session = challenge.session
        return talk, challenge

    async def _register(self, talk: _Conversation, challenge: Challenge) -> None:
        profile = self.profile
        body = PowerOn(
            challenge.session, talk.previous, profile.serial, profile.form, profile.prefix
        )
        provision = await talk.send(body, Provision)
        if provision.serial != profile.serial or talk.platform is None:
            raise _untrusted("the identifier is for another carrier")
        self._keep(
            identifier=provision.identifier,
            proof=talk.reply,
            platform_certificate=talk.platform.data,
        )
        log.info("identifier written serial=%s name=%s", profile.serial, provision.identifier)
        written = Written(challenge.session, talk.previous, profile.serial, provision.identifier)
        await talk.send(written, Done)

    async def _upload(self, samples: tuple[Sample, ...]) -> None:
        talk, challenge = await self._greet()
        held = self.profile.identifier
        if not held or challenge.identifier != held:  # none yet, or the platform changed the name
            await self._register(talk, challenge)
            talk, challenge = await self._greet()
        self._keep(counter=self.profile.counter + 1)
        profile = self.profile
        report = Report(
            session=challenge.session,
            previous=talk.previous,
            serial=profile.serial,
            identifier=profile.identifier,
            time_ns=self._clock.time_ns(),
            counter=profile.counter,
            link=profile.link,
            simulated=profile.simulated,
            dropped=self.buffer.dropped,
            samples=samples,
        )
        receipt = await talk.send(report, Receipt)
        if receipt.counter != profile.counter or receipt.sequence < samples[-1].sequence:
            raise _untrusted("the receipt is for another report")
        self._keep(link=receipt.link, sequence=max(profile.sequence, receipt.sequence))
        self.buffer.forget(receipt.sequence)
        if receipt.orders:
            results = tuple(self._apply(order) for order in receipt.orders)
            applied = Applied(challenge.session, talk.previous, profile.serial, results)
            await talk.send(applied, Done)

    def _apply(self, order: Order) -> Result:
        """Do what an order asks; a set older than the one in force is not applied."""
        if order.kind != PARAMETERS:
            return Result(order.number, f"no order “{order.kind}”")
        if order.version <= self.profile.parameter_version:
            return Result(order.number, "" if self._has(order) else "older than what is in force")
        fault = self.accept(order.content)
        if not fault:
            self._keep(parameter_version=order.version, parameters=order.content)
        return Result(order.number, fault[:255])

    def _has(self, order: Order) -> bool:
        held = self.profile.parameter_version, self.profile.parameters
        return held == (order.version, order.content)

    def platform_of(self, answer: Body) -> Certificate:
        """The platform's certificate, from its first answer; PeerError when it proves nothing."""
        data = answer.certificate if isinstance(answer, Challenge | Refused) else b""
        try:
            certificate = read_certificate(data)
        except MingwuError as error:
            raise _untrusted(str(error)) from error
        if certificate.serial != self.profile.platform:
            raise _untrusted(f"it calls itself {certificate.serial}")
        if not self._anchors.issued(certificate):
            raise _untrusted("its certificate was issued by somebody else")
        if not certificate.is_valid_at(self._clock.time_ns() / 1e9):
            raise _untrusted("its certificate is not valid now")
        return certificate

    def _note_blocked(self, code: str) -> None:
        if code != self.profile.blocked and (not code or code in _BLOCKS):
            log.info("carrier blocked serial=%s reason=%s", self.profile.serial, code or "none")
            self._keep(blocked=code)

    def _keep(self, **changes: object) -> None:
        fresh: Profile = msgspec.structs.replace(self.profile, **changes)
        self._file.save(fresh)
        self.profile = fresh


_BLOCKS = frozenset({"carriers.suspended", "carriers.quarantined", REVOKED})
