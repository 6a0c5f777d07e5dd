"""The carriers of a node as one thing: provisioning, commands, lists, discovery, access.

Synchronous (call it through ``asyncio.to_thread``). ``CarrierPlatform.open`` is the way in; its
:attr:`access` answers carriers, the rest serves people and programs.
"""

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import Engine, func, insert, or_, select, update

from mingwu.identity.carrierlive import distrust
from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers import migrations, schema
from mingwu.identity.carriers.access import AccessPlatform, OnSamples
from mingwu.identity.carriers.certificates import Anchors
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.events import LOCK, note
from mingwu.identity.carriers.evidence import checks
from mingwu.identity.carriers.frames import SigningKey
from mingwu.identity.carriers.model import (
    Blocked,
    Discovery,
    Event,
    Evidence,
    NewUnit,
    OrderRow,
    State,
    Unit,
)
from mingwu.identity.carriers.queries import Queries
from mingwu.identity.carriers.registrar import RENAMED_FROM, Registrar, reading_names, record_values
from mingwu.identity.carriers.rows import (
    event_of,
    evidence_of,
    next_number,
    order_of,
    text,
    unit_of,
)
from mingwu.identity.carriers.secrecy import PlatformSecrets
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.telling import row_of
from mingwu.identity.carriertable import CarrierTable
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import Conflict, Denied, InvalidInput, NotFound
from mingwu.kernel.names import fold, parse
from mingwu.store.engine import lock, open_engine, reading, writing
from mingwu.store.migrate import migrate

COMPONENT = "identity.carriers"
_U = schema.unit
PARAMETERS = "parameters"


class CarrierPlatform:
    """See the module."""

    def __init__(
        self,
        engine: Engine,
        settings: CarrierSettings,
        registrar: Registrar,
        access: AccessPlatform,
        clock: Clock,
        secrets: PlatformSecrets,
    ) -> None:
        self.engine, self.settings, self.access = engine, settings, access
        self.secrets = secrets
        self._registrar, self._clock = registrar, clock
        self.queries = Queries(engine, clock)

    @classmethod
    def open(
        cls,
        settings: CarrierSettings,
        registrar: Registrar,
        *,
        key: SigningKey,
        certificate: bytes,
        anchors: tuple[bytes, ...],
        clock: Clock | None = None,
        on_samples: OnSamples | None = None,
        store_key: bytes = b"",
        table: CarrierTable | None = None,
    ) -> Self:
        """Open the store; ``anchors`` are DER certificates of the carriers' authorities.

        ``store_key`` (32 bytes) seals the secrets of carriers on CoAP; without it there are none.
        ``on_samples`` gets each carrier's new samples after they are durable, in the thread that
        answers the carrier. ``table`` is where resolvers of this node read how carriers stand.
        """
        clock = clock or SystemClock()
        engine = open_engine(settings.store)
        migrate(engine, COMPONENT, migrations)
        access = AccessPlatform(
            engine, settings, registrar, key=key, certificate=certificate,
            anchors=Anchors(anchors), clock=clock, on_samples=on_samples,
            table=table,
        )  # fmt: skip
        secrets = PlatformSecrets(engine, store_key)
        return cls(engine, settings, registrar, access, clock, secrets)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    # -- provisioning and commands ------------------------------------------------------------

    def provision(self, new: NewUnit) -> Unit:
        """Write down serial number and certificate before the first power-on.

        Raises Conflict ``carriers.exists``, InvalidInput ``carriers.bad-certificate``,
        ``carriers.bad-oscore-secret`` or ``name.malformed``.
        """
        certificate = read_certificate(new.certificate)
        parse(f"{new.prefix}/{new.suffix}")
        if certificate.serial != new.serial:
            fault = Phrase(f"it is for {certificate.serial}", f"证书属于 {certificate.serial}")
            raise InvalidInput("carriers.bad-certificate", fault=fault)
        row: dict[str, Any] = {
            column.name: 0 if column.type.python_type is int else "" for column in _U.c
        }
        known = {
            "serial": new.serial, "key_id": certificate.key.key_id, "prefix": new.prefix,
            "suffix": new.suffix, "form": new.form, "bearer": new.bearer, "owner": new.owner,
            "holder": new.holder, "state": State.PROVISIONED.value, "content": "{}",
            "measured": "{}",
            "attributes": text(new.attributes), "fence": text(new.fence), "is_outside": False,
            "protection": certificate.protection, "certified": certificate.protection,
            "simulated": new.simulated, "expires_ms": certificate.end_s * 1000,
            "provisioned_ms": self._now_ms(),
        }  # fmt: skip
        with writing(self.engine) as connection:
            lock(connection, LOCK)
            if connection.execute(select(_U.c.serial).where(_U.c.serial == new.serial)).first():
                raise Conflict("carriers.exists", serial=new.serial)
            connection.execute(insert(_U).values(row | known))
            if new.oscore_secret:
                self.secrets.add(connection, new.serial, new.oscore_secret)
        return self.unit(new.serial)

    def set_parameters(
        self, name: str, parameters: Mapping[str, float | str], *, actor: str
    ) -> OrderRow:
        """Send a parameter set down with the next receipt; its version is the next one.

        A set that was not acknowledged yet is replaced (state ``replaced``).
        """
        unit = self._commandable(name)
        table = schema.order
        with writing(self.engine) as connection:
            lock(connection, LOCK)
            mine = table.c.serial == unit.serial
            newest = connection.execute(select(func.max(table.c.version)).where(mine)).scalar()
            open_ = table.c.state.in_(("waiting", "sent"))
            connection.execute(update(table).where(mine, open_).values(state="replaced"))
            row = {
                "number": next_number(connection, table), "serial": unit.serial,
                "kind": PARAMETERS, "version": int(newest or 0) + 1,
                "content": text(dict(parameters)), "state": "waiting", "note": "",
                "actor": actor, "created_ms": self._now_ms(), "sent_ms": 0, "acknowledged_ms": 0,
            }  # fmt: skip
            connection.execute(insert(table).values(row))
        return self.orders(unit.serial)[0]

    def rename(self, name: str, suffix: str, *, actor: str) -> Unit:
        """Give a carrier another identifier: registered at once, written back at its next report.

        The old name is deregistered. Raises Conflict ``carriers.not-registered``.
        """
        unit = self._commandable(name)
        if not unit.identifier:
            raise Conflict("carriers.not-registered", serial=unit.serial)
        fresh = str(parse(f"{unit.prefix}/{suffix}"))
        self._registrar.register(fresh, unit.serial, record_values(unit))
        self.access.telling.withdraw(unit)
        now_ms = self._now_ms()
        attributes = {**unit.attributes, RENAMED_FROM: unit.identifier}
        with writing(self.engine) as connection:
            lock(connection, LOCK)
            changes = {
                "suffix": suffix, "identifier": fresh, "identifier_key": fold(fresh),
                "registered_ms": now_ms, "written_ms": 0, "shown": "",
                "state": State.REGISTERED.value, "attributes": text(attributes),
            }  # fmt: skip
            connection.execute(update(_U).where(_U.c.serial == unit.serial).values(changes))
            note(
                connection, "carriers.registered", unit.serial, now_ms,
                identifier=fresh, before=unit.identifier, actor=actor,
            )  # fmt: skip
        self.access.telling.withdraw(unit)  # a report meanwhile may have told it again
        self.access.telling.tell(unit.serial)
        self.access.showing.bring(unit.serial)
        return self.unit(unit.serial)

    def certify(
        self, name: str, certificate: bytes, *, actor: str, oscore_secret: bytes = b""
    ) -> Unit:
        """Believe another certificate of a carrier: a renewed one, or that of its replacement.

        With another key the carrier is a new piece of hardware under the same serial number: the
        old key is a stranger's at once, counter and chain begin anew, a quarantine ends, and the
        identifier is written into the new one at its first contact. Raises Denied
        ``carriers.certificate-untrusted`` or ``…-expired``, else as :meth:`provision`.
        """
        unit, read_ = self._commandable(name), read_certificate(certificate)
        if read_.serial != unit.serial:
            fault = Phrase(f"it is for {read_.serial}", f"证书属于 {read_.serial}")
            raise InvalidInput("carriers.bad-certificate", fault=fault)
        if not self.access.anchors.issued(read_):
            raise Denied("carriers.certificate-untrusted", serial=unit.serial)
        if not read_.is_valid_at(self._clock.time_ns() / 1e9):
            raise Denied("carriers.certificate-expired", serial=unit.serial)
        changes: dict[str, Any] = {"expires_ms": read_.end_s * 1000}
        is_other = read_.key.key_id != unit.key_id
        if is_other:
            self.access.telling.withdraw(unit)
            state = State.REGISTERED if unit.identifier else State.PROVISIONED
            changes |= {
                "key_id": read_.key.key_id, "protection": read_.protection,
                "certified": read_.protection, "link": "", "previous_link": "", "counter": 0,
                "sequence": 0, "written_ms": 0, "state": state.value,
            }  # fmt: skip
            if unit.blocked is Blocked.QUARANTINED:
                changes["blocked"] = Blocked.NO.value
        code = "carriers.replaced" if is_other else "carriers.renewed"
        with writing(self.engine) as connection:
            lock(connection, LOCK)
            connection.execute(update(_U).where(_U.c.serial == unit.serial).values(changes))
            if oscore_secret:
                self.secrets.replace(connection, unit.serial, oscore_secret)
            note(connection, code, unit.serial, self._now_ms(), actor=actor)
        self.access.telling.tell(unit.serial)
        self.access.showing.bring(unit.serial)
        return self.unit(unit.serial)

    def suspend(self, name: str, *, actor: str) -> Unit:
        """Refuse a carrier's reports until it is resumed."""
        return self._block(self._commandable(name), Blocked.SUSPENDED, actor)

    def resume(self, name: str, *, actor: str) -> Unit:
        """Let a suspended or quarantined carrier report again."""
        return self._block(self._commandable(name), Blocked.NO, actor)

    def revoke(self, name: str, *, actor: str) -> Unit:
        """End a carrier for good; its identifier no longer resolves."""
        return self._block(self._commandable(name), Blocked.REVOKED, actor)

    def _block(self, unit: Unit, blocked: Blocked, actor: str) -> Unit:
        code = f"carriers.{blocked.value}" if blocked else "carriers.resumed"
        if blocked is not Blocked.NO:
            self.access.telling.withdraw(unit)
        with writing(self.engine) as connection:
            lock(connection, LOCK)
            where = _U.c.serial == unit.serial
            connection.execute(update(_U).where(where).values(blocked=blocked.value))
            note(connection, code, unit.serial, self._now_ms(), actor=actor)
        self.access.telling.tell(unit.serial)
        self.access.showing.bring(unit.serial)
        return self.unit(unit.serial)

    def tell_all(self) -> int:
        """Make the resolvers' table anew, for the process that leads, when it starts."""
        return self.access.telling.tell_all()

    def catch_up(self) -> int:
        """Let the records say what a crash kept from them; how many carriers were behind."""
        return self.access.showing.catch_up()

    def _commandable(self, name: str) -> Unit:
        unit = self.unit(name)
        if unit.blocked is Blocked.REVOKED:
            raise Denied("carriers.revoked", serial=unit.serial)
        return unit

    # -- reading ------------------------------------------------------------------------------

    def unit(self, name: str) -> Unit:
        """A carrier by serial number or identifier; raises NotFound ``carriers.unknown``."""
        with reading(self.engine) as connection:
            key = fold(name)
            where = or_(_U.c.serial == name, (_U.c.identifier_key == key) & (key != ""))
            row = connection.execute(select(_U).where(where)).first()
        if row is None:
            raise NotFound("carriers.unknown", name=name[:255])
        return unit_of(row)

    def units(self, *, offset: int = 0, limit: int = 100) -> tuple[list[Unit], int]:
        """A page of carriers by serial number, and how many there are."""
        with reading(self.engine) as connection:
            page = select(_U).order_by(_U.c.serial).offset(offset).limit(limit)
            rows = [unit_of(row) for row in connection.execute(page)]
            total = connection.execute(select(func.count()).select_from(_U)).scalar_one()
        return rows, total

    def events(self, *, name: str = "", before: int = 0, limit: int = 100) -> list[Event]:
        """Events, newest first; of one carrier with ``name``; below number ``before``."""
        table = schema.event
        wanted = select(table).order_by(table.c.number.desc()).limit(limit)
        if name:
            wanted = wanted.where(table.c.serial == self.unit(name).serial)
        if before:
            wanted = wanted.where(table.c.number < before)
        with reading(self.engine) as connection:
            return [event_of(row) for row in connection.execute(wanted)]

    def orders(self, name: str) -> list[OrderRow]:
        """Orders of a carrier, newest first."""
        table = schema.order
        wanted = select(table).where(table.c.serial == self.unit(name).serial)
        with reading(self.engine) as connection:
            rows = connection.execute(wanted.order_by(table.c.number.desc()).limit(100))
            return [order_of(row) for row in rows]

    def evidence(self, number: int) -> Evidence:
        """The signed report behind an event; raises NotFound ``carriers.no-event``."""
        event, report = schema.event, schema.report
        wanted = (
            select(report)
            .join(event, event.c.evidence == report.c.digest)
            .where(event.c.number == number)
        )
        with reading(self.engine) as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise NotFound("carriers.no-event", number=number)
        return evidence_of(row)

    def report(self, digest: str) -> Evidence:
        """The signed report that a reading names; raises NotFound ``carriers.no-report``."""
        table = schema.report
        with reading(self.engine) as connection:
            row = connection.execute(select(table).where(table.c.digest == digest)).first()
        if row is None:
            raise NotFound("carriers.no-report", digest=digest[:64])
        return evidence_of(row)

    def counts(self) -> dict[str, int]:
        """Carriers by fact: provisioned, registered, reported, queried, blocked, fresh."""
        fresh_ms = self._now_ms() - int(self.settings.fresh_s * 1000)
        facts = {
            "provisioned": _U.c.provisioned_ms > 0,
            "registered": _U.c.registered_ms > 0,
            "reported": _U.c.reported_ms > 0,
            "queried": _U.c.queried_ms > 0,
            "blocked": _U.c.blocked != "",
            "fresh": _U.c.reported_ms >= fresh_ms,
        }
        with reading(self.engine) as connection:
            return {
                fact: connection.execute(
                    select(func.count()).select_from(_U).where(where)
                ).scalar_one()
                for fact, where in facts.items()
            }

    # -- discovery ----------------------------------------------------------------------------

    def discover(self, name: str, *, asker: str = "", counted: bool = True) -> Discovery:
        """Live readings of a carrier in a trusted state, else the reason.

        Trusted: registered and written back, its name still resolvable, the last report verified
        and fresh, the certificate valid, not blocked. ``counted``: the query counts (not the
        operator's own looking), and ``asker`` is who asked last.
        """
        unit = self.unit(name)
        now_ms = self._now_ms()
        if counted:
            with writing(self.engine) as connection:
                changes = {
                    "queried_ms": now_ms, "queried_by": asker, "queries": _U.c.queries + 1,
                }  # fmt: skip
                connection.execute(update(_U).where(_U.c.serial == unit.serial).values(changes))
        reason, detail = self.distrust(unit)
        return Discovery(
            identifier=unit.identifier,
            serial=unit.serial,
            is_trusted=not reason,
            reason=reason,
            detail={"serial": unit.serial, **detail} if reason else {},
            readings={} if reason else unit.content,
            origins={} if reason else unit.measured,
            names=reading_names(unit.attributes),
            sampled_ms=unit.sampled_ms,
            registered_ms=unit.registered_ms,
            reported_ms=unit.reported_ms,
            queried_ms=now_ms if counted else unit.queried_ms,
            simulated=unit.simulated,
        )

    def distrust(self, unit: Unit) -> tuple[str, dict[str, int]]:
        """Why a carrier is not believed now; an empty code when it is."""
        return distrust(
            row_of(unit, self.settings),
            self._now_ms(),
            lambda: self._registrar.is_registered(unit.identifier),
        )

    def _now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000


def is_sound(evidence: Evidence, anchors: Anchors) -> bool:
    """Whether a signed report is what its carrier signed; needs no store and no network."""
    return all(checks(evidence, anchors).values())
