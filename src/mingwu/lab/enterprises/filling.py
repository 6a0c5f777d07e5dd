"""Filling a second-level node with the 60 enterprises, the way they would come themselves.

Each applies for its prefix, waits in the review queue, is accepted, gets its limits and registers
its names in batches; a few applications stay in the queue, one goes back with reasons. Whatever a
crash cut short is done at the next start; a note in the lab's folder says that all is done, and
from then on nothing is made again that somebody has changed meanwhile.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.secondlevel.hosted import MOST_ITEMS
from mingwu.identity.secondlevel.links import LinkForm
from mingwu.identity.secondlevel.model import (
    Application,
    ApplicationForm,
    HostedItem,
    Kind,
    Mode,
    Person,
    Quota,
    Reason,
    SiteForm,
    State,
)
from mingwu.identity.secondlevel.monitoring import REGISTER
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.lab.enterprises.facade import application
from mingwu.lab.enterprises.settings import ENTERPRISES, FACADES, EnterpriseLabSettings
from mingwu.lab.enterprises.trade import E_DRIVE, Enterprise, enterprises, form, items, stranger
from mingwu.wire.handle.codes import Rc

log = logging.getLogger(__name__)

APPLICANT, REVIEWER = "simulated applicant", "simulated reviewer"
Note = Callable[[str, str, str, Mapping[str, Any]], None]
"""Writes (actor, action, object, detail) into the node's journal."""
SiteOf = Callable[[Enterprise], SiteForm | None]

_CITIZEN = "11010519491231002X"  # the example of GB 11643: nobody's
_GTIN = "09521234543213"  # of GS1's range for examples
_MOST_APPLICATIONS = 100_000
_STRANGE = ("BAT.TOO-SHORT", "没有规则的编码", "EDU/2026")


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What was made, with the rate of this run."""

    enterprises: int = 0
    identifiers: int = 0
    refused: int = 0
    register_per_s: float = 0.0


def note_file(settings: EnterpriseLabSettings) -> Path:
    """The note that says that the node is filled: clients wait for it."""
    return Path(settings.directory) / "filled.json"


def key_file(settings: EnterpriseLabSettings) -> Path:
    """The second-level node's public key (PEM), as enterprises get it from the operator."""
    return Path(settings.directory) / "query-key.pem"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


class Filling:
    """Fills ``node``. Synchronous, for a thread; ``stopped`` ends it between two batches."""

    def __init__(
        self,
        node: SecondLevel,
        settings: EnterpriseLabSettings,
        *,
        site_of: SiteOf,
        book: AliasBook,
        note: Note = lambda *_: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._node, self._settings = node, settings
        self._site_of, self._book, self._note = site_of, book, note
        self._stopped = stopped
        self._all = enterprises(settings)
        self._own = [one for one in self._all if one.mode is Mode.OWN]
        self._hosted = [one for one in self._all if one.mode is Mode.HOSTED]

    def run(self) -> Filled | None:
        """Fill, unless that was done; None when it was stopped before its end."""
        done = note_file(self._settings)
        if done.exists():
            self._aliases()
            return msgspec.json.decode(done.read_bytes(), type=Filled)
        self._applications()
        self._queue()
        self._templates()
        self._links()
        self._limits()
        began = time.perf_counter()
        counts = self._node.lookup.counts()
        made = sum(self._register(one, counts.get(one.prefix, 0)) for one in self._hosted)
        took_s = time.perf_counter() - began
        if self._stopped():
            return None
        refused = self._refused()
        self._aliases()
        filled = Filled(
            enterprises=len(self._all), refused=refused,
            identifiers=sum(self._node.lookup.counts().values()),
            register_per_s=made / took_s,
        )  # fmt: skip
        _write(done, msgspec.json.encode(filled))
        log.info(
            "filled enterprises=%d identifiers=%d refused=%d register_per_s=%.0f",
            filled.enterprises, filled.identifiers, refused, filled.register_per_s,
        )  # fmt: skip
        return filled

    # -- prefixes -------------------------------------------------------------------------------
    def _known(self) -> dict[tuple[str, Kind], Application]:
        rows, _ = self._node.applications.queue(limit=_MOST_APPLICATIONS)
        return {(row.form.prefix, row.form.kind): row for row in rows}

    def _submitted(
        self, wanted: ApplicationForm, known: Mapping[tuple[str, Kind], Application]
    ) -> Application:
        earlier = known.get((wanted.prefix, wanted.kind))
        if earlier is not None:
            return earlier
        made = self._node.applications.submit(wanted, APPLICANT)
        self._note(
            APPLICANT, "prefix-submit", made.id,
            {"prefix": wanted.prefix, "kind": wanted.kind.value},
        )  # fmt: skip
        return made

    def _accept(self, application: Application) -> None:
        if application.state is State.SUBMITTED:
            self._node.applications.accept(application.id, REVIEWER)
            told = {"prefix": application.form.prefix}
            self._note(REVIEWER, "prefix-accept", application.id, told)

    def _applications(self) -> None:
        known = self._known()
        for one in self._all:
            self._accept(self._submitted(form(one, self._site_of(one)), known))

    def _queue(self) -> None:
        """A queue as it is on a Monday morning."""
        known, settings = self._known(), self._settings

        def other(number: int, mode: Mode = Mode.HOSTED) -> ApplicationForm:
            made = stranger(settings.prefix, number, mode, SiteForm(host="127.0.0.1", port=9))
            return replace(made, legal_person=Person(name=f"模拟法人{number}", number=_CITIZEN))

        first = ENTERPRISES + 1
        self._submitted(other(first), known)
        nameless = Person(name=f"模拟法人{first + 1}")
        self._submitted(replace(other(first + 1), legal_person=nameless), known)
        self._submitted(other(first + 2, Mode.OWN), known)
        wrong_name = Reason("organisation.name", "与营业执照不符（模拟） / not as in the licence")
        self._send_back(self._submitted(other(first + 3), known), wrong_name, "return")
        no_use = Reason("purpose", "用途不明（模拟） / no purpose given")
        self._send_back(self._submitted(other(first + 4), known), no_use, "reject")
        moved = Person(name="模拟新联系人", phone="0571-87654321")
        changed = replace(form(self._hosted[-2]), kind=Kind.CHANGE, contact=moved)
        self._submitted(changed, known)
        self._submitted(replace(form(self._hosted[-3]), kind=Kind.EXIT), known)

    def _send_back(self, application: Application, reason: Reason, action: str) -> None:
        if application.state is not State.SUBMITTED:
            return
        final = action == "reject"
        self._node.applications.send_back(application.id, REVIEWER, [reason], final=final)
        told = {"prefix": application.form.prefix, "reasons": 1}
        self._note(REVIEWER, f"prefix-{action}", application.id, told)

    def _templates(self) -> None:
        own = self._node.settings.prefix
        self._node.put_software("trace", own, "追溯（模拟）", "traceability (simulated)")
        told = {
            one.trade: {"zh": f"{one.trade.zh}（模拟）", "en": f"{one.trade.en} (simulated)"}
            for one in self._hosted
        }
        for trade, definition in told.items():
            self._node.put_template(f"{own}/T.{trade.head}", own, definition)
        for one in self._hosted:
            self._node.put_template(f"{one.prefix}/T.1", one.prefix, told[one.trade])

    def _links(self) -> None:
        """How the nodes with façades are asked, as their enterprises told the operator."""
        first = self._settings.facade_first_port
        if not first:
            return
        for at, one in enumerate(self._own[:FACADES]):
            told = LinkForm(url=f"http://127.0.0.1:{first + at}", application=application(one))
            self._node.links.put(one.prefix, told, REVIEWER)
            self._note(REVIEWER, "link-put", one.prefix, {"url": told.url})
        _write(key_file(self._settings), self._node.query_key().public().pem())

    # -- names ------------------------------------------------------------------------------------
    def _limits(self) -> None:
        """Each tenant's own limits; the last one may register just what it has."""
        for one in self._hosted:
            room = one.names if one is self._hosted[-1] else one.names * 2 + 100
            quota = Quota(prefixes=2, identifiers=room, daily_requests=20_000)
            uscc = form(one).organisation.uscc
            self._node.tenants.set_quota(uscc, quota)
            told = {"group": "tenant", "quota": msgspec.to_builtins(quota)}
            self._note(REVIEWER, "tenant-change", uscc, told)

    def _register(self, one: Enterprise, have: int) -> int:
        """Register what is missing of an enterprise's names; returns how many were made."""
        start = have - have % MOST_ITEMS
        made, left = 0, items(one, self._own, start)
        while (batch := list(islice(left, MOST_ITEMS))) and not self._stopped():
            start += len(batch)
            if start > have:
                made += self._batch(one, batch)
        return made

    def _batch(self, one: Enterprise, batch: Sequence[HostedItem]) -> int:
        began = time.perf_counter_ns()
        outcomes = self._node.hosted.register(one.prefix, batch)
        took_us = (time.perf_counter_ns() - began) // 1000
        self._node.monitoring.count(self._node.settings.prefix, REGISTER, took_us)
        done = sum(outcome.code == Rc.SUCCESS for outcome in outcomes)
        self._note(APPLICANT, "hosted-register", one.prefix, {"items": len(batch), "done": done})
        return done

    def _refused(self) -> int:
        """Names that are refused: against the code rule, and one more than the limit allows."""
        strange, full = self._hosted[1], self._hosted[-1]
        bad = [HostedItem(name=f"{strange.prefix}/{suffix}") for suffix in _STRANGE]
        larger = dataclasses.replace(full, names=full.names + 1)
        more = next(items(larger, self._own, full.names))
        tried = len(bad) + 1
        return tried - self._batch(strange, bad) - self._batch(full, [more])

    def _aliases(self) -> None:
        """A GS1 code for the first e-drive of each maker: the same thing in another code system."""
        for one in self._hosted:
            if one.trade is E_DRIVE:
                serial = f"{one.number:02d}-000000"
                self._book.add(one.identifier(0), f"https://id.gs1.org/01/{_GTIN}/21/{serial}")
