"""Over HTTP: the carriers' bearer, and what the console and programs ask about them.

``POST /carriers/exchange`` takes and gives frames; it needs no account, the frames prove who sent
them. Everything under ``/api/identity/carriers`` needs an account that the API's door let in;
provisioning and commands need the permission ``register``.
"""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.carriers.bearers import MEDIA_TYPE, PATH
from mingwu.identity.carriers.desk import CarrierDesk
from mingwu.identity.carriers.frames import Readings
from mingwu.identity.carriers.model import Discovery, Event, Evidence, NewUnit, OrderRow, Unit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.withholding import (
    Readable,
    Withheld,
    require_whole,
    withheld_from,
    without,
)
from mingwu.identity.routing import Asked, Journal, Operation, json_reply, read_body, routes_of
from mingwu.kernel.catalogue import render
from mingwu.kernel.errors import InvalidInput
from mingwu.trust.roles import Permission

BASE = "/api/identity/carriers"
_BODY_BYTES = 256 * 1024
_WHOLE = Annotated[int, Meta(ge=0, le=2**53)]
_TEXT = Annotated[str, Meta(max_length=200)]


class Page(msgspec.Struct, frozen=True):
    """A part of a list."""

    offset: _WHOLE = 0
    limit: Annotated[int, Meta(ge=0, le=1000)] = 100


class DeskPage(msgspec.Struct, frozen=True):
    """A page of the carriers' table: those that ``q`` is found in, ``only`` of a state."""

    q: _TEXT = ""
    only: _TEXT = ""
    offset: _WHOLE = 0
    limit: Annotated[int, Meta(ge=0, le=200)] = 25


class EventsQuery(msgspec.Struct, frozen=True):
    """Events of one name or serial number, older than event ``before`` (0: the newest)."""

    name: str = ""
    before: _WHOLE = 0
    limit: Annotated[int, Meta(ge=0, le=1000)] = 100


class DiscoveryQuery(msgspec.Struct, frozen=True):
    """``counted`` false: our own looking, which makes nothing *queried*."""

    counted: bool = True


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall happen to a carrier; the other fields belong to the actions of their name.

    ``certificate`` (base64) with ``oscore_secret`` for one on CoAP: a renewed certificate, or that
    of the hardware which takes the carrier's place.
    """

    action: Literal["parameters", "rename", "certificate", "suspend", "resume", "revoke"]
    certificate: Annotated[bytes, Meta(max_length=8192)] = b""
    oscore_secret: Annotated[bytes, Meta(max_length=64)] = b""
    parameters: Readings = {}
    suffix: Annotated[str, Meta(max_length=190)] = ""


def unit_document(unit: Unit, withheld: Withheld) -> dict[str, Any]:
    """A carrier as JSON-ready data, the three facts beside their times."""
    body: dict[str, Any] = msgspec.to_builtins(unit)
    body["content"] = without(body["content"], withheld(unit))
    for internal in ("link", "previous_link", "measured", "resolved_ms"):
        del body[internal]
    facts = {
        "registered": unit.is_registered,
        "reported": unit.is_reported,
        "queried": unit.is_queried,
    }
    return body | facts


def event_document(event: Event, lang: str) -> dict[str, Any]:
    """An event with its text and next step for people."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    body["text"], body["next"] = render(event.code, lang, event.detail)
    return body


def discovery_document(found: Discovery, lang: str) -> dict[str, Any]:
    """A discovery answer with the reason's text for people."""
    body: dict[str, Any] = msgspec.to_builtins(found)
    what, step = render(found.reason, lang, found.detail) if found.reason else ("", "")
    body["origins"] = {
        name: {"time_ns": origin.time_ns, "report": origin.counter, "evidence": origin.digest}
        for name, origin in found.origins.items()
    }
    return body | {"reason_text": what, "next": step}


def _seen(found: Discovery, hidden: frozenset[str]) -> Discovery:
    """A discovery answer without what is withheld."""
    return msgspec.structs.replace(
        found, readings=without(found.readings, hidden), origins=without(found.origins, hidden)
    )


def bearer_routes(platform: CarrierPlatform) -> list[Route]:
    """The HTTPS bearer; serve it with TLS."""
    limit = platform.settings.frame_bytes

    async def exchange(request: Request) -> Response:
        try:
            data = await read_body(request, limit)
        except InvalidInput as error:  # a carrier reads the status only, people the rest
            return json_reply(error.as_dict("en"), 413)
        address = request.client.host if request.client is not None else ""
        reply = await run_in_threadpool(platform.access.handle, data, address)
        return Response(reply, media_type=MEDIA_TYPE)

    return [Route(PATH, exchange, methods=["POST"])]


def routes(
    platform: CarrierPlatform, journal: Journal | None = None, readable: Readable | None = None
) -> list[Route]:
    """Lists, details, events, evidence, discovery, provisioning, commands, and the console's.

    ``readable``: which unpublished readings of a name were granted to an account.
    """
    return routes_of(_Carriers(platform, journal, readable).operations())


class _Carriers:
    def __init__(
        self, platform: CarrierPlatform, journal: Journal | None, readable: Readable | None
    ) -> None:
        self._platform, self._journal, self._readable = platform, journal, readable
        self._desk = CarrierDesk(platform)

    def operations(self) -> tuple[Operation, ...]:
        get = partial(Operation, method="GET", tag="carriers")
        post = partial(
            Operation, method="POST", tag="carriers", permission=Permission.REGISTER,
            body_bytes=_BODY_BYTES,
        )  # fmt: skip
        return (
            get(path=BASE, work=self.listing, query=Page, summary="Carriers and their counts"),
            post(path=BASE, work=self.provision, body=NewUnit, summary="Provision a carrier"),
            get(
                path=f"{BASE}/events", work=self.events, query=EventsQuery,
                summary="Events of carriers, newest first",
            ),
            get(
                path=f"{BASE}/events/{{number:int}}/evidence", work=self.evidence,
                reply=Evidence, errors=(404,), summary="The signed report behind an event",
            ),
            get(
                path=f"{BASE}/reports/{{digest}}", work=self.report, reply=Evidence,
                errors=(404,), summary="The signed report that a reading names",
            ),
            get(
                path=f"{BASE}/discover/{{name:path}}", work=self.discover, query=DiscoveryQuery,
                errors=(404,), summary="Live readings of a name, in a trusted state only",
            ),
            get(
                path=f"{BASE}/desk/units", work=self.desk_page, query=DeskPage,
                summary="A page of the carriers' table",
            ),
            get(path=f"{BASE}/desk/marks", work=self.desk_marks, summary="Carriers on the map"),
            get(
                path=f"{BASE}/desk/proofs/{{number:int}}", work=self.desk_proof, errors=(404,),
                summary="Evidence checked against the anchors",
            ),
            get(
                path=f"{BASE}/desk/reports/{{digest}}", work=self.desk_report, errors=(404,),
                summary="The signed report behind a reading, checked against the anchors",
            ),
            get(path=f"{BASE}/{{serial}}", work=self.detail, errors=(404,), summary="One carrier"),
            post(
                path=f"{BASE}/{{serial}}/commands", work=self.command, body=Command,
                errors=(404, 409), summary="Parameters, name, certificate, suspend, resume, revoke",
            ),
        )  # fmt: skip

    def listing(self, asked: Asked) -> object:
        self._platform.queries.follow()
        units, total = self._platform.units(offset=asked.query.offset, limit=asked.query.limit)
        withheld = self._withheld(asked)
        carriers = [unit_document(unit, withheld) for unit in units]
        return {"carriers": carriers, "total": total, "counts": self._platform.counts()}

    def detail(self, asked: Asked) -> object:
        serial = asked.path("serial")
        self._platform.queries.follow()
        events = self._platform.events(name=serial)
        return {
            "carrier": unit_document(self._platform.unit(serial), self._withheld(asked)),
            "orders": self._platform.orders(serial),
            "events": [event_document(event, asked.lang) for event in events],
        }

    def events(self, asked: Asked) -> object:
        of = asked.query
        found = self._platform.events(name=of.name, before=of.before, limit=of.limit)
        return {"events": [event_document(event, asked.lang) for event in found]}

    def _withheld(self, asked: Asked) -> Withheld:
        return withheld_from(asked, self._platform.settings, self._readable)

    def evidence(self, asked: Asked) -> Evidence:
        return self._whole(asked, self._platform.evidence(int(asked.path("number"))))

    def report(self, asked: Asked) -> Evidence:
        return self._whole(asked, self._platform.report(asked.path("digest")))

    def _whole(self, asked: Asked, found: Evidence) -> Evidence:
        if self._platform.settings.unpublished_readings:
            require_whole(self._platform.unit(found.serial), self._withheld(asked))
        return found

    def discover(self, asked: Asked) -> object:
        found = self._platform.discover(
            asked.path("name"), asker=asked.account, counted=asked.query.counted
        )
        withheld = self._withheld(asked)
        seen = _seen(found, withheld(self._platform.unit(found.serial)))
        return discovery_document(seen, asked.lang)

    def desk_page(self, asked: Asked) -> object:
        of = asked.query
        self._platform.queries.follow()
        return self._desk.page(
            q=of.q.strip(), only=of.only.strip(), lang=asked.lang, offset=of.offset, limit=of.limit
        )

    def desk_marks(self, asked: Asked) -> object:
        return self._desk.marks(lang=asked.lang, withheld=self._withheld(asked))

    def desk_proof(self, asked: Asked) -> object:
        return self._desk.proof(int(asked.path("number")))

    def desk_report(self, asked: Asked) -> object:
        return self._desk.proof(asked.path("digest"))

    def provision(self, asked: Asked) -> object:
        unit = self._platform.provision(asked.body)
        self._note(asked, "provision", unit.serial, {"prefix": unit.prefix})
        return unit_document(unit, self._withheld(asked))

    def command(self, asked: Asked) -> object:
        serial = asked.path("serial")
        done = self._run(serial, asked.body, asked.account)
        self._note(asked, asked.body.action, serial, {"parameters": asked.body.parameters})
        return done if isinstance(done, OrderRow) else unit_document(done, self._withheld(asked))

    def _run(self, serial: str, command: Command, actor: str) -> Unit | OrderRow:
        platform = self._platform
        match command.action:
            case "parameters":
                return platform.set_parameters(serial, command.parameters, actor=actor)
            case "rename":
                return platform.rename(serial, command.suffix, actor=actor)
            case "certificate":
                return platform.certify(
                    serial, command.certificate, actor=actor, oscore_secret=command.oscore_secret
                )
            case "suspend":
                return platform.suspend(serial, actor=actor)
            case "resume":
                return platform.resume(serial, actor=actor)
            case "revoke":
                return platform.revoke(serial, actor=actor)

    def _note(self, asked: Asked, action: str, serial: str, detail: dict[str, Any]) -> None:
        if self._journal is not None:
            name = f"identity.carrier-{action}"
            self._journal(asked.account, name, serial, detail, asked.address)
