"""The review queue of prefix applications with real names.

Submitting checks the form (credit code and its check digit, legal person, contact, site) and that
the prefix is free; a reviewer accepts, returns with reasons, or rejects. Returned applications are
submitted again under the same id. Every step is kept. Accepting writes tenant, prefix and record.
"""

import ipaddress
import re
import secrets
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from mingwu.identity.secondlevel import handover, outbox, prefixes, schema
from mingwu.identity.secondlevel.model import (
    WORDS,
    Application,
    ApplicationForm,
    Kind,
    Mode,
    PrefixRow,
    Reason,
    State,
)
from mingwu.identity.secondlevel.prefixes import Prefixes
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.tenants import DEFAULT_GROUP, check_prefix_quota
from mingwu.identity.secondlevel.uscc import is_citizen_number, is_uscc
from mingwu.kernel.catalogue import Phrase, zh_of
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.store.engine import lock, reading, writing

_A, _E, _P, _V = (
    schema.application,
    schema.enterprise,
    schema.prefix,
    schema.application_event,
)
_PHONE = re.compile(r"\+?[0-9][0-9 -]{5,19}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
EPP = "epp"
_VERBS = {Kind.APPLY: "create", Kind.CHANGE: "update", Kind.EXIT: "delete"}
_OPEN = (State.SUBMITTED.value, State.RETURNED.value)


def _fault(field: str, en: str, zh: str) -> Reason:
    return Reason(field, Phrase(en, zh))


def form_faults(form: ApplicationForm) -> list[Reason]:
    """What is wrong with a form by itself, field by field."""
    faults = []
    if not is_uscc(form.organisation.uscc):
        faults.append(
            _fault(
                "organisation.uscc",
                "18 characters with a right check digit",
                "应为 18 位且校验码正确",
            )
        )
    if not form.organisation.name.strip():
        faults.append(_fault("organisation.name", "missing", "未填写"))
    if not form.legal_person.name.strip():
        faults.append(_fault("legal_person.name", "missing", "未填写"))
    if form.legal_person.number and not is_citizen_number(form.legal_person.number):
        faults.append(_fault("legal_person.number", "the check digit is wrong", "校验码错误"))
    if not form.contact.name.strip():
        faults.append(_fault("contact.name", "missing", "未填写"))
    if not _PHONE.fullmatch(form.contact.phone):
        faults.append(_fault("contact.phone", "not a phone number", "不是电话号码"))
    if form.contact.email and not _MAIL.fullmatch(form.contact.email):
        faults.append(_fault("contact.email", "not an e-mail address", "不是电子邮件地址"))
    if form.mode == Mode.OWN and form.kind != Kind.EXIT:
        faults += _site_faults(form)
    if form.passes_on and form.kind != Kind.CHANGE:
        faults.append(
            _fault("holder", "only a change takes a prefix over", "仅变更申请可接收他人前缀")
        )
    elif form.passes_on and not _SHA256.fullmatch(form.consent_sha256):
        faults.append(
            _fault("consent_sha256", "the holder's consent is missing", "缺少原持有企业的同意文件")
        )
    return faults


def _registration(form: ApplicationForm) -> dict[str, object]:
    """What the top node is told about a decided application."""
    fields = {
        "uscc": form.organisation.uscc,
        "name": form.organisation.name,
        "industry": form.organisation.industry,
        "mode": form.mode.value,
    }
    if form.site is not None:
        fields |= {"host": form.site.host, "port": str(form.site.port)}
    if form.passes_on:
        return {"verb": "transfer", "fields": fields | {"holder": form.holder}}
    return {"verb": _VERBS[form.kind], "fields": {} if form.kind == Kind.EXIT else fields}


def _site_faults(form: ApplicationForm) -> list[Reason]:
    if form.site is None or not (form.site.host or form.site.service):
        return [
            _fault(
                "site",
                "an own node needs an address or a service record",
                "企业节点须给出地址或服务记录",
            )
        ]
    if form.site.host:
        try:
            ipaddress.ip_address(form.site.host)
        except ValueError:
            return [_fault("site.host", "not an IP address", "不是 IP 地址")]
    return []


class Applications:
    """The queue. All methods are synchronous, for use in threads."""

    def __init__(
        self, engine: Engine, settings: SecondLevelSettings, clock: Clock, given: Prefixes
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._given = given

    def submit(self, form: ApplicationForm, by: str, *, id_: str = "") -> Application:
        """Put a form into the queue, or again when ``id_`` names a returned application.

        Raises InvalidInput ``secondlevel.application-bad`` or ``…prefix-bad``, Conflict
        ``…prefix-taken``, ``…handover-open`` or ``…application-state``, Overloaded
        ``…prefix-limit`` (code 605).
        """
        faults = form_faults(form)
        if faults:
            told = Phrase.joined(
                Phrase(f"{one.field}: {one.text}", f"{one.field}：{zh_of(one.text)}")
                for one in faults
            )
            raise InvalidInput("secondlevel.application-bad", faults=told)
        self._check_prefix(form.prefix)
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.application")
            now = self._now()
            self._check_free(connection, form, id_)
            values = {
                "kind": form.kind.value,
                "uscc": form.organisation.uscc,
                "prefix": form.prefix,
                "state": State.SUBMITTED.value,
                "form": msgspec.json.encode(form).decode(),
                "reasons": "[]",
                "submitted_by": by,
                "changed_at_ms": now,
            }
            if id_:
                self._expect(connection, id_, State.RETURNED, "submit")
                connection.execute(update(_A).where(_A.c.id == id_).values(values))
            else:
                id_ = secrets.token_hex(6)
                last = connection.execute(select(func.max(_A.c.number))).scalar() or 0
                values |= {"id": id_, "number": last + 1, "reviewer": "", "submitted_at_ms": now}
                connection.execute(insert(_A).values(values))
            self._note(connection, id_, by, State.SUBMITTED, "")
            return _application(self._row(connection, id_))

    def queue(
        self, *, state: State | None = None, offset: int = 0, limit: int = 100
    ) -> tuple[list[Application], int]:
        """Applications, oldest first, and how many there are in all."""
        query = select(_A).order_by(_A.c.number)
        count = select(func.count()).select_from(_A)
        if state is not None:
            query = query.where(_A.c.state == state.value)
            count = count.where(_A.c.state == state.value)
        with reading(self._engine) as connection:
            rows = connection.execute(query.offset(offset).limit(limit)).all()
            return [_application(row) for row in rows], connection.execute(count).scalar_one()

    def of(self, uscc: str) -> list[Application]:
        """Applications of an enterprise, the latest first."""
        query = select(_A).where(_A.c.uscc == uscc).order_by(_A.c.number.desc())
        with reading(self._engine) as connection:
            return [_application(row) for row in connection.execute(query)]

    def get(self, id_: str) -> Application:
        """One application; raises NotFound ``secondlevel.application-unknown``."""
        with reading(self._engine) as connection:
            return _application(self._row(connection, id_))

    def steps(self, id_: str) -> list[dict[str, object]]:
        """Everything that happened to an application, in order."""
        query = select(_V).where(_V.c.application == id_).order_by(_V.c.sequence)
        with reading(self._engine) as connection:
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001

    def latest_steps(
        self, count: int | None, *, since_ms: int = 0, before_ms: int
    ) -> list[dict[str, object]]:
        """Steps of all applications between two times, latest first, at most ``count``."""
        between = _V.c.at_ms.between(since_ms, before_ms)
        query = select(_V).where(between).order_by(_V.c.at_ms.desc()).limit(count)
        with reading(self._engine) as connection:
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001

    def send_back(
        self, id_: str, reviewer: str, reasons: Sequence[Reason], *, final: bool = False
    ) -> Application:
        """Return an application with reasons, or (``final``) reject it."""
        if not reasons or not all(reason.text.strip() for reason in reasons):
            raise InvalidInput("secondlevel.reason-missing")
        to = State.REJECTED if final else State.RETURNED
        with writing(self._engine) as connection:
            self._expect(connection, id_, State.SUBMITTED, "reject" if final else "return")
            told = msgspec.json.encode(reasons).decode()
            self._decide(connection, id_, reviewer, to, told)
            self._note(connection, id_, reviewer, to, "; ".join(r.text for r in reasons))
            return _application(self._row(connection, id_))

    def accept(self, id_: str, reviewer: str) -> PrefixRow:
        """Accept an application: the prefix is given, changed or taken back, and resolves so."""
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.application")
            row = self._expect(connection, id_, State.SUBMITTED, "accept")
            form = _application(row).form
            self._check_quota(connection, form)
            now = outbox.stamp(connection, self._clock)
            uscc = form.organisation.uscc
            if form.kind == Kind.EXIT:
                given = prefixes.leave(connection, form.prefix, now)
            else:
                self._keep_tenant(connection, form, now)
                if form.passes_on and self._settings.upstream_epp:
                    handover.keep(connection, id_, prefixes.find(connection, form.prefix))
                given = prefixes.give(connection, form.prefix, uscc, form.mode, form.site, now)
            self._decide(connection, id_, reviewer, State.ACCEPTED, "[]")
            outbox.put(connection, EPP, form.prefix, _registration(form), now)
            self._note(connection, id_, reviewer, State.ACCEPTED, "")
        self._given.change([given])
        return given

    def passed_on(self, prefix: str) -> None:
        """The top node agreed to a transfer: there is nothing to go back to any more."""
        with writing(self._engine) as connection:
            handover.take(connection, prefix)

    def hand_back(self, prefix: str, reason: str) -> Application | None:
        """The top node refused a transfer: its prefix goes back, its application is rejected.

        None when no transfer of the prefix waits; then nothing changes.
        """
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.application")
            before = handover.take(connection, prefix)
            if before is None:
                return None
            now = outbox.stamp(connection, self._clock)
            row = prefixes.give(
                connection, prefix, before.uscc, before.mode, before.site, now,
                upstream="registered",
            )  # fmt: skip
            id_ = before.application
            told = msgspec.json.encode([Reason("holder", str(reason)[:1000])]).decode()
            self._decide(connection, id_, handover.TOP_NODE, State.REJECTED, told)
            self._note(connection, id_, handover.TOP_NODE, State.REJECTED, str(reason)[:1000])
            rejected = _application(self._row(connection, id_))
        self._given.change([row])
        return rejected

    def _check_prefix(self, prefix: str) -> None:
        node = self._settings.prefix
        number = prefix.removeprefix(node + ".")
        if number == prefix or not (number.isascii() and number.isdigit()) or len(number) > 12:  # noqa: PLR2004
            fault = Phrase(f"it is {node}. and up to 12 digits", f"应为 {node}. 加至多 12 位数字")
            raise InvalidInput("secondlevel.prefix-bad", prefix=prefix, fault=fault, node=node)

    def _check_free(self, connection: Connection, form: ApplicationForm, id_: str) -> None:
        taken = Conflict("secondlevel.prefix-taken", prefix=form.prefix)
        query = select(_A.c.id).where(
            _A.c.prefix == form.prefix, _A.c.state.in_(_OPEN), _A.c.id != id_
        )
        if connection.execute(query).first():
            raise taken
        if handover.is_open(connection, form.prefix):
            raise Conflict("secondlevel.handover-open", prefix=form.prefix)
        row = connection.execute(select(_P).where(_P.c.prefix == form.prefix)).first()
        is_held = row is not None and row.state == prefixes.ACTIVE
        holder = row.uscc if row is not None else ""
        if form.kind == Kind.APPLY:
            # who left may come back; nobody else gets the number, it may still be on goods
            if is_held or holder not in {"", form.organisation.uscc}:
                raise taken
        elif not is_held:
            raise NotFound("secondlevel.prefix-unknown", prefix=form.prefix)
        elif holder != (form.holder or form.organisation.uscc):
            raise taken
        self._check_quota(connection, form)

    def _check_quota(self, connection: Connection, form: ApplicationForm) -> None:
        if form.kind == Kind.APPLY or form.passes_on:
            check_prefix_quota(connection, form.organisation.uscc, self._settings.tenant_prefixes)

    def _keep_tenant(self, connection: Connection, form: ApplicationForm, now: int) -> None:
        uscc = form.organisation.uscc
        values: dict[str, object] = {
            "name": form.organisation.name,
            "profile": msgspec.json.encode(form).decode(),
            "industry": form.organisation.industry,
            "state": prefixes.ACTIVE,
            "changed_at_ms": now,
        }
        if connection.execute(select(_E.c.uscc).where(_E.c.uscc == uscc)).first():
            connection.execute(update(_E).where(_E.c.uscc == uscc).values(values))
            return
        values |= {
            "uscc": uscc,
            "group_name": DEFAULT_GROUP,
            "networks": "",
            "max_prefixes": self._settings.tenant_prefixes,
            "max_identifiers": self._settings.tenant_identifiers,
            "daily_requests": self._settings.tenant_daily_requests,
        }
        connection.execute(insert(_E).values(values))

    def _expect(
        self, connection: Connection, id_: str, state: State, action: str
    ) -> Row[tuple[object, ...]]:
        row = self._row(connection, id_)
        if row.state != state.value:
            told = {"state": WORDS[row.state], "action": WORDS.get(action, action)}
            raise Conflict("secondlevel.application-state", id=id_, **told)
        return row

    def _row(self, connection: Connection, id_: str) -> Row[tuple[object, ...]]:
        row = connection.execute(select(_A).where(_A.c.id == id_)).first()
        if row is None:
            raise NotFound("secondlevel.application-unknown", id=id_)
        return row

    def _decide(
        self, connection: Connection, id_: str, reviewer: str, state: State, reasons: str
    ) -> None:
        values = {
            "state": state.value,
            "reviewer": reviewer,
            "reasons": reasons,
            "changed_at_ms": self._now(),
        }
        connection.execute(update(_A).where(_A.c.id == id_).values(values))

    def _note(self, connection: Connection, id_: str, actor: str, state: State, note: str) -> None:
        query = select(func.count()).where(_V.c.application == id_)
        values = {
            "application": id_,
            "sequence": connection.execute(query).scalar_one() + 1,
            "at_ms": self._now(),
            "actor": actor,
            "state": state.value,
            "note": note,
        }
        connection.execute(insert(_V).values(values))

    def _now(self) -> int:
        return self._clock.time_ns() // 1_000_000


def _application(row: Row[tuple[object, ...]]) -> Application:
    return Application(
        id=row.id,
        number=row.number,
        state=State(row.state),
        form=msgspec.json.decode(row.form, type=ApplicationForm),
        reasons=msgspec.json.decode(row.reasons, type=tuple[Reason, ...]),
        submitted_by=row.submitted_by,
        reviewer=row.reviewer,
        submitted_at_ms=row.submitted_at_ms,
        changed_at_ms=row.changed_at_ms,
    )
