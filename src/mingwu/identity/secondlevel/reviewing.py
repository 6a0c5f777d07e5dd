"""What a reviewer sees of an application: checks made, what a change would replace, masked numbers.

Reading only. Citizen numbers leave the node's store masked: whoever reviews sees whether the check
digit is right and the ends of the number, never the whole. Checks are made anew when asked for, so
that a prefix that was taken meanwhile shows.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, Engine, select

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.applications import form_faults
from mingwu.identity.secondlevel.coderules import rule_for
from mingwu.identity.secondlevel.model import (
    Application,
    ApplicationForm,
    Kind,
    Mode,
    Person,
    SiteForm,
    State,
    Tenant,
)
from mingwu.identity.secondlevel.prefixes import ACTIVE, held
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.catalogue import zh_of
from mingwu.store.engine import reading

_E, _P = schema.enterprise, schema.prefix
PASSED, FAILED, ABSENT = "passed", "failed", "absent"
_SHOWN_HEAD, _SHOWN_TAIL = 3, 2


def masked(number: str) -> str:
    """A citizen number as people may see it: the first three and the last two characters."""
    hidden = len(number) - _SHOWN_HEAD - _SHOWN_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return number[:_SHOWN_HEAD] + "*" * hidden + number[-_SHOWN_TAIL:]


def _masked_person(person: Person) -> Person:
    return msgspec.structs.replace(person, number=masked(person.number))


def masked_form(form: ApplicationForm) -> ApplicationForm:
    """A form without whole citizen numbers."""
    return msgspec.structs.replace(
        form,
        legal_person=_masked_person(form.legal_person),
        contact=_masked_person(form.contact),
    )


def masked_application(application: Application) -> Application:
    """An application without whole citizen numbers."""
    return msgspec.structs.replace(application, form=masked_form(application.form))


def masked_tenant(tenant: Tenant) -> Tenant:
    """A tenant without whole citizen numbers."""
    return msgspec.structs.replace(tenant, form=masked_form(tenant.form))


class Check(msgspec.Struct, frozen=True):
    """One check of an application: ``state`` passed, failed or absent; ``detail`` its numbers."""

    name: str
    state: str
    detail: Mapping[str, object] = {}


class Reviewing:
    """Checks of applications. Synchronous, for use in threads."""

    def __init__(self, engine: Engine, settings: SecondLevelSettings) -> None:
        self._engine, self._settings = engine, settings

    def present(self, application: Application) -> ApplicationForm | None:
        """What is registered for the prefix that an undecided change is about (masked)."""
        form = application.form
        if form.kind is not Kind.CHANGE or application.state not in {
            State.SUBMITTED,
            State.RETURNED,
        }:
            return None
        query = select(_P.c.mode, _P.c.site, _E.c.profile).join(_E, _E.c.uscc == _P.c.uscc)
        with reading(self._engine) as connection:
            row = connection.execute(query.where(_P.c.prefix == form.prefix)).first()
        if row is None:
            return None
        return masked_form(
            msgspec.structs.replace(
                msgspec.json.decode(row.profile, type=ApplicationForm),
                prefix=form.prefix,
                mode=Mode(row.mode),
                site=msgspec.json.decode(row.site, type=SiteForm | None),
            )
        )

    def checks(self, application: Application) -> list[Check]:
        """What can be checked about an application now, without asking anybody else."""
        form = application.form
        faults = {one.field: one.text for one in form_faults(form)}

        def of(name: str, field: str, given: str) -> Check:
            if not given:
                return Check(name, ABSENT)
            fault = faults.get(field, "")
            told = {"fault": str(fault), "fault_zh": zh_of(fault)} if fault else {}
            return Check(name, FAILED if fault else PASSED, told)

        with reading(self._engine) as connection:
            found = [
                of("uscc", "organisation.uscc", form.organisation.uscc),
                of("citizen", "legal_person.number", form.legal_person.number),
                of("phone", "contact.phone", form.contact.phone),
                of("licence", "licence_sha256", form.licence_sha256),
                self._check_prefix(connection, application),
                self._check_quota(connection, form),
            ]
        if form.mode is Mode.OWN and form.kind is not Kind.EXIT:
            fault = faults.get("site", "") or faults.get("site.host", "")
            found.append(Check("site", FAILED if fault else PASSED))
        rule = rule_for(form.organisation.industry)
        found.append(
            Check("industry", PASSED if rule.industry else ABSENT, {"zh": rule.zh, "en": rule.en})
        )
        return found

    def _check_prefix(self, connection: Connection, application: Application) -> Check:
        form = application.form
        row = connection.execute(
            select(_P.c.uscc, _P.c.state).where(_P.c.prefix == form.prefix)
        ).first()
        holder = row.uscc if row is not None and row.state == ACTIVE else ""
        mine = holder == (form.holder or form.organisation.uscc)
        is_settled = application.state in {State.ACCEPTED, State.REJECTED}
        fits = (not holder or is_settled) if form.kind is Kind.APPLY else (mine or is_settled)
        return Check(
            "prefix", PASSED if fits else FAILED, {"prefix": form.prefix, "holder": holder}
        )

    def _check_quota(self, connection: Connection, form: ApplicationForm) -> Check:
        uscc = form.organisation.uscc
        limit = connection.execute(select(_E.c.max_prefixes).where(_E.c.uscc == uscc)).scalar()
        limit = self._settings.tenant_prefixes if limit is None else limit
        used = held(connection, uscc)
        over = (form.kind is Kind.APPLY or form.passes_on) and used >= limit
        return Check("quota", FAILED if over else PASSED, {"used": used, "limit": limit})
