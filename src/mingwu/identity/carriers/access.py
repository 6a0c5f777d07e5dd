"""The secure access platform (安全接入管控平台) toward carriers: frames in, frames out.

Invariants: nothing is stored for a frame whose signature was not verified under the key that was
provisioned for its serial number (refusals are counted as events, an attack keeps one signed
message as its proof); every reply is signed and
names the request it answers; an accepted report is durable before its receipt leaves. Synchronous
and thread-safe; bearers call :meth:`AccessPlatform.handle` through a thread.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, update

from mingwu.identity.carriers import proofs, schema, uploads
from mingwu.identity.carriers.certificates import Anchors, Certificate
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.events import ATTACKS, LOCK, REFUSALS, note
from mingwu.identity.carriers.frames import (
    NONCE_BYTES,
    Applied,
    Body,
    Challenge,
    Done,
    Frame,
    Hello,
    Kind,
    PowerOn,
    Provision,
    Receipt,
    Refused,
    Report,
    Sample,
    SigningKey,
    Written,
    digest_of,
    pack,
    read,
)
from mingwu.identity.carriers.model import Blocked, State, Unit
from mingwu.identity.carriers.registrar import RENAMED_FROM, Registrar, record_values
from mingwu.identity.carriers.rows import find
from mingwu.identity.carriers.sessions import OpenSession, Sessions
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.showing import Showing
from mingwu.identity.carriers.telling import Telling
from mingwu.identity.carriertable import CarrierTable
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import (
    Conflict,
    Denied,
    InvalidInput,
    MingwuError,
    NotFound,
    PeerError,
)
from mingwu.kernel.names import fold
from mingwu.store.engine import lock, reading, writing

OnSamples = Callable[[Unit, tuple[Sample, ...]], None]
DIVERGED = "carriers.diverged"
_NEXT = frozenset({Kind.POWER_ON, Kind.REPORT})
_NS_PER_S = 1_000_000_000


class AccessPlatform:
    """See the module. ``key`` and ``certificate`` are the platform's own."""

    def __init__(
        self,
        engine: Engine,
        settings: CarrierSettings,
        registrar: Registrar,
        *,
        key: SigningKey,
        certificate: bytes,
        anchors: Anchors,
        clock: Clock,
        on_samples: OnSamples | None = None,
        table: CarrierTable | None = None,
    ) -> None:
        self._engine, self._registrar, self._clock = engine, registrar, clock
        self._settings, self._anchors, self._on_samples = settings, anchors, on_samples
        self._key, self._certificate = key, certificate
        self.telling = Telling(engine, settings, table)
        self.showing = Showing(engine, registrar)
        self._window_ns = int(settings.window_s * _NS_PER_S)
        self._sessions = Sessions(settings.open_sessions, int(settings.challenge_s * _NS_PER_S))
        self._steps: dict[Kind, Callable[[OpenSession, Frame, bytes, str], Body]] = {
            Kind.POWER_ON: self._power_on,
            Kind.WRITTEN: self._written,
            Kind.REPORT: self._report,
            Kind.APPLIED: self._applied,
        }

    @property
    def anchors(self) -> Anchors:
        """Whose certificates are believed."""
        return self._anchors

    def handle(self, data: bytes, address: str) -> bytes:
        """Answer one frame that came from ``address``; never raises for what a carrier sent."""
        serial, frame = "", None
        try:
            if len(data) > self._settings.frame_bytes:
                raise PeerError("carriers.malformed", fault=Phrase("too large", "过大"))
            frame = read(data)
            serial = str(getattr(frame.body, "serial", ""))
            answer, session = self._answer(frame, data, address)
        except MingwuError as error:
            if error.code in REFUSALS:
                self._note_refusal(error, serial, address, frame, data)
            answer = Refused(
                digest_of(data), self._clock.time_ns(), error.code, serial, self._certificate
            )
            return pack(answer, self._key)
        reply = pack(answer, self._key)
        if session is not None:
            session.previous = digest_of(reply)
        return reply

    def _answer(self, frame: Frame, data: bytes, address: str) -> tuple[Body, OpenSession | None]:
        if isinstance(frame.body, Hello):
            return self._hello(frame, frame.body, address)
        step = self._steps.get(frame.kind)
        if step is None:
            raise Conflict("carriers.out-of-turn", kind=frame.kind.name)
        session = self._session_of(frame)
        return step(session, frame, data, address), session

    # -- greeting -----------------------------------------------------------------------------

    def _hello(self, frame: Frame, hello: Hello, address: str) -> tuple[Challenge, OpenSession]:
        now = self._clock.time_ns()
        certificate = read_certificate(hello.certificate)
        if not frame.is_signed_by(certificate.key):
            raise Denied("carriers.wrong-signature", serial=hello.serial)
        with reading(self._engine) as connection:
            unit = find(connection, hello.serial)
        if unit is None:
            raise NotFound("carriers.unknown-serial", serial=hello.serial)
        self._check_certificate(unit, certificate, now)
        if abs(hello.time_ns - now) > self._window_ns:
            off_s = round(abs(hello.time_ns - now) / _NS_PER_S)
            raise InvalidInput("carriers.clock", serial=unit.serial, off_s=off_s)
        if not self._sessions.is_new(digest_of(frame.signed), now, 2 * self._window_ns):
            raise Conflict("carriers.replayed", serial=unit.serial)
        _check_blocked(unit)
        if hello.identifier not in _acceptable(unit):
            raise Conflict(
                "carriers.wrong-identifier",
                serial=unit.serial, shown=hello.identifier, registered=unit.identifier,
            )  # fmt: skip
        self._note_contact(unit, hello, certificate, address)
        session = self._sessions.open(unit.serial, certificate.key, certificate.data, _NEXT, now)
        challenge = Challenge(
            request=frame.digest,
            time_ns=now,
            session=session.id,
            nonce=os.urandom(NONCE_BYTES),
            certificate=self._certificate,
            identifier=unit.identifier,
        )
        return challenge, session

    def _check_certificate(self, unit: Unit, certificate: Certificate, now: int) -> None:
        if certificate.serial != unit.serial or certificate.key.key_id != unit.key_id:
            raise Denied("carriers.cloned", serial=unit.serial, key=certificate.key.key_id)
        if not self._anchors.issued(certificate):
            raise Denied("carriers.certificate-untrusted", serial=unit.serial)
        if not certificate.is_valid_at(now / _NS_PER_S):
            raise Denied("carriers.certificate-expired", serial=unit.serial)

    def _note_contact(
        self, unit: Unit, hello: Hello, certificate: Certificate, address: str
    ) -> None:
        """Keep what the greeting told, if it is news; an identifier held proves a write-back.

        Where the key lives is what the certificate says; a carrier that says otherwise is told on.
        """
        changes: dict[str, Any] = {}
        protection = certificate.protection or hello.protection
        if (protection, certificate.protection) != (unit.protection, unit.certified):
            changes |= {"protection": protection, "certified": certificate.protection}
        if hello.protection != protection:
            self.tell(
                "carriers.protection-differs", unit.serial, address,
                shown=hello.protection, certified=protection,
            )  # fmt: skip
        if certificate.end_s * 1000 != unit.expires_ms:
            changes["expires_ms"] = certificate.end_s * 1000
        if unit.identifier and hello.identifier == unit.identifier and not unit.written_ms:
            changes |= self._activation()
        if changes:
            self._change(unit.serial, changes)
            self.telling.tell(unit.serial)
        if "state" in changes:
            self.showing.bring(unit.serial)

    def _session_of(self, frame: Frame) -> OpenSession:
        """The conversation a frame continues, taken so that nobody else can."""
        now = self._clock.time_ns()
        body: Any = frame.body
        session = self._sessions.get(body.session, now)
        if session is None:
            if not self._sessions.is_new(digest_of(frame.signed), now, self._window_ns):
                raise Conflict("carriers.replayed", serial=body.serial)
            if frame.kind is Kind.REPORT and self._is_known(digest_of(frame.signed).hex()):
                raise Conflict("carriers.replayed", serial=body.serial)
            raise Conflict("carriers.no-session")
        if session.serial != body.serial or not frame.is_signed_by(session.key):
            raise Denied("carriers.wrong-signature", serial=session.serial)
        if frame.kind not in session.expected or body.previous != session.previous:
            raise Conflict("carriers.out-of-turn", kind=frame.kind.name)
        if not self._sessions.take(session.id):
            raise Conflict("carriers.replayed", serial=body.serial)
        self._sessions.is_new(digest_of(frame.signed), now, self._window_ns)
        return session

    # -- first power-on -----------------------------------------------------------------------

    def _power_on(self, session: OpenSession, frame: Frame, data: bytes, address: str) -> Body:
        body = frame.body
        assert isinstance(body, PowerOn)  # noqa: S101 — by its kind
        now_ms = self._now_ms()
        with self._writing() as connection:
            unit = self._current(connection, session.serial)
            if body.prefix != unit.prefix:
                raise Conflict(
                    "carriers.wrong-identifier",
                    serial=unit.serial, shown=body.prefix, registered=unit.prefix,
                )  # fmt: skip
            name = unit.identifier or f"{unit.prefix}/{unit.suffix}"
            matched = {"powered_ms": unit.powered_ms or now_ms, "address": address}
            if unit.state is State.PROVISIONED:
                matched["state"] = State.MATCHED.value
            _update(connection, unit.serial, matched)
        if not unit.registered_ms or not unit.identifier:
            self._register(unit, name, address)
        with self._writing() as connection:
            unit = self._current(connection, session.serial)
            if not unit.registered_ms:
                done = {
                    "identifier": name,
                    "identifier_key": fold(name),
                    "registered_ms": now_ms,
                    "state": State.REGISTERED.value,
                    "shown": State.REGISTERED.value,
                }
                _update(connection, unit.serial, done)
                note(
                    connection, "carriers.registered", unit.serial, now_ms,
                    address=address, identifier=name,
                )  # fmt: skip
        self.telling.tell(session.serial)
        self._again(session, Kind.WRITTEN)
        return Provision(digest_of(data), self._clock.time_ns(), unit.serial, name)

    def _register(self, unit: Unit, name: str, address: str) -> None:
        """Registered outside the transaction: after a crash the same name is asked for again."""
        try:
            self._registrar.register(name, unit.serial, record_values(unit))
        except MingwuError as error:
            code = "carriers.registration-failed"
            self.tell(code, unit.serial, address, name=name, reason=error.code)
            raise

    def _written(self, session: OpenSession, frame: Frame, data: bytes, address: str) -> Body:
        body = frame.body
        assert isinstance(body, Written)  # noqa: S101 — by its kind
        with self._writing() as connection:
            unit = self._current(connection, session.serial)
            if body.identifier != unit.identifier:
                raise Conflict(
                    "carriers.wrong-identifier",
                    serial=unit.serial, shown=body.identifier, registered=unit.identifier,
                )  # fmt: skip
            _update(connection, unit.serial, self._activation())
            note(
                connection, "carriers.written-back", unit.serial, self._now_ms(),
                address=address, identifier=unit.identifier,
            )  # fmt: skip
        self.telling.tell(unit.serial)
        self.showing.bring(unit.serial)
        return Done(digest_of(data), self._clock.time_ns())

    def _activation(self) -> dict[str, Any]:
        return {"state": State.ACTIVE.value, "written_ms": self._now_ms()}

    # -- reports ------------------------------------------------------------------------------

    def _report(self, session: OpenSession, frame: Frame, data: bytes, address: str) -> Body:
        body = frame.body
        assert isinstance(body, Report)  # noqa: S101 — by its kind
        now_ns = self._clock.time_ns()
        digest = digest_of(frame.signed).hex()
        upload = uploads.Upload(body, data, digest, session.certificate, address, now_ns)
        with self._writing() as connection:
            unit = self._current(connection, session.serial)
            fault = uploads.fault_of(unit, upload, self._window_ns)
            fresh: tuple[Sample, ...] = ()
            if fault is None:
                fresh = uploads.accept(connection, unit, upload, self._settings.keep_reports)
                orders = uploads.orders_for(connection, unit.serial, upload.now_ms)
            elif fault.code == DIVERGED:
                uploads.quarantine(connection, unit.serial)
        if fault is None or fault.code == DIVERGED:
            self.telling.tell(session.serial)
        if fault is not None:
            self.showing.bring(session.serial)
            raise fault
        if fresh and self._on_samples is not None:
            self._on_samples(unit, fresh)
        if orders:
            self._again(session, Kind.APPLIED)
        sequence = max(unit.sequence, body.samples[-1].sequence if body.samples else 0)
        return Receipt(digest_of(data), now_ns, body.counter, sequence, upload.link, orders)

    def _applied(self, session: OpenSession, frame: Frame, data: bytes, address: str) -> Body:
        body = frame.body
        assert isinstance(body, Applied)  # noqa: S101 — by its kind
        now_ms = self._now_ms()
        table = schema.order
        with self._writing() as connection:
            for result in body.results:
                state = "rejected" if result.fault else "applied"
                done = connection.execute(
                    update(table)
                    .where(table.c.number == result.number, table.c.serial == session.serial)
                    .where(table.c.state == uploads.SENT)
                    .values(state=state, note=result.fault, acknowledged_ms=now_ms)
                )
                if done.rowcount:
                    note(
                        connection, f"carriers.order-{state}", session.serial, now_ms,
                        address=address, number=result.number, note=result.fault,
                    )  # fmt: skip
        return Done(digest_of(data), self._clock.time_ns())

    # -- small parts --------------------------------------------------------------------------

    def _again(self, session: OpenSession, kind: Kind) -> None:
        self._sessions.again(session, frozenset({kind}), self._clock.time_ns())

    def _current(self, connection: Connection, serial: str) -> Unit:
        unit = find(connection, serial)
        if unit is None:
            raise NotFound("carriers.unknown-serial", serial=serial)
        _check_blocked(unit)
        return unit

    def _change(self, serial: str, changes: dict[str, Any]) -> None:
        with self._writing() as connection:
            _update(connection, serial, changes)

    def _is_known(self, digest: str) -> bool:
        table = schema.report
        with reading(self._engine) as connection:
            found = connection.execute(table.select().where(table.c.digest == digest)).first()
        return found is not None

    def _note_refusal(
        self, error: MingwuError, serial: str, address: str, frame: Frame | None, data: bytes
    ) -> None:
        """Count a refusal; unknown serial numbers share one row, so that nobody can fill disks."""
        detail: dict[str, Any] = {
            key: str(value) if isinstance(value, str) else value  # words are kept in English
            for key, value in error.params.items()
            if key != "serial"
        }
        known = "" if error.code == "carriers.unknown-serial" else serial
        proof = frame if error.code in ATTACKS else None
        self.tell(error.code, known, address, proof, data, **detail)

    def tell(
        self,
        code: str,
        serial: str,
        address: str,
        proof: Frame | None = None,
        data: bytes = b"",
        **detail: Any,
    ) -> None:
        """Note an event; the same again within ``collapse_s`` only counts.

        ``proof``: the refused message, kept when it is signed (see ``proofs``).
        """
        now_ms = self._now_ms()
        with self._writing() as connection:
            if serial and find(connection, serial) is None:
                serial = ""
            signer = b""
            if proof is not None and serial:
                signer = proofs.certificate_of(connection, proof, data, serial)
            is_new = note(
                connection, code, serial, now_ms, address=address,
                collapse_ms=int(self._settings.collapse_s * 1000),
                evidence=digest_of(proof.signed).hex() if proof is not None and signer else "",
                **detail,
            )  # fmt: skip
            if is_new and signer and proof is not None:
                proofs.keep(connection, proof, data, signer, serial, now_ms)

    def _writing(self) -> AbstractContextManager[Connection]:
        return _locked(self._engine)

    def _now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        lock(connection, LOCK)
        yield connection


def _update(connection: Connection, serial: str, changes: dict[str, Any]) -> None:
    connection.execute(update(schema.unit).where(schema.unit.c.serial == serial).values(changes))


def _check_blocked(unit: Unit) -> None:
    if unit.blocked is not Blocked.NO:
        raise Denied(_BLOCKED[unit.blocked], serial=unit.serial)


_BLOCKED = {
    Blocked.SUSPENDED: "carriers.suspended",
    Blocked.QUARANTINED: "carriers.quarantined",
    Blocked.REVOKED: "carriers.revoked",
}


def _acceptable(unit: Unit) -> tuple[str, ...]:
    """Identifiers that a carrier may show: its own, none, or the one before a change of name."""
    before = "" if unit.written_ms else unit.attributes.get(RENAMED_FROM, "")
    return (unit.identifier, "", before)
