"""Over HTTP: the carriers' bearer, and what the console and programs ask about them.

``POST /carriers/exchange`` takes and gives frames; it needs no account, the frames prove who sent
them. Everything under ``/api/identity/carriers`` needs an account that the API's door let in;
provisioning and commands need the permission ``register``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.carriers.bearers import MEDIA_TYPE, PATH
from mingwu.identity.carriers.frames import Readings
from mingwu.identity.carriers.model import Discovery, Event, Evidence, NewUnit, OrderRow, Unit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.kernel.catalogue import render
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated
from mingwu.trust.roles import Permission, Role, may

BASE = "/api/identity/carriers"
_MOST_ROWS = 1000
_BODY_BYTES = 256 * 1024
_encode = msgspec.json.Encoder().encode

Journal = Callable[[str, str, str, dict[str, Any], str], None]
"""Writes (actor, action, object, detail, address) into the journal; may block."""


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall happen to a carrier; ``parameters`` and ``suffix`` belong to their actions."""

    action: Literal["parameters", "rename", "suspend", "resume", "revoke"]
    parameters: Readings = {}
    suffix: Annotated[str, Meta(max_length=190)] = ""


_read_command = msgspec.json.Decoder(Command).decode
_read_new = msgspec.json.Decoder(NewUnit).decode


def unit_document(unit: Unit) -> dict[str, Any]:
    """A carrier as JSON-ready data, the three facts beside their times."""
    body: dict[str, Any] = msgspec.to_builtins(unit)
    for internal in ("link", "previous_link"):
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
    return body | {"reason_text": what, "next": step}


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    """A signed report for somebody who will check it: bytes as base64."""
    body: dict[str, Any] = msgspec.to_builtins(evidence)
    return body


def bearer_routes(platform: CarrierPlatform) -> list[Route]:
    """The HTTPS bearer; serve it with TLS."""
    limit = platform.settings.frame_bytes

    async def exchange(request: Request) -> Response:
        data = await _body(request, limit)
        if data is None:
            return Response(status_code=413)
        address = request.client.host if request.client is not None else ""
        reply = await run_in_threadpool(platform.access.handle, data, address)
        return Response(reply, media_type=MEDIA_TYPE)

    return [Route(PATH, exchange, methods=["POST"])]


def routes(platform: CarrierPlatform, journal: Journal | None = None) -> list[Route]:
    """Lists, details, events, evidence, discovery, provisioning and commands."""
    desk = _Desk(platform, journal)
    return [
        Route(BASE, behind_door(desk.listing), methods=["GET"]),
        Route(BASE, behind_door(desk.provision), methods=["POST"]),
        Route(f"{BASE}/events", behind_door(desk.events), methods=["GET"]),
        Route(
            f"{BASE}/events/{{number:int}}/evidence", behind_door(desk.evidence), methods=["GET"]
        ),
        Route(f"{BASE}/discover/{{name:path}}", behind_door(desk.discover), methods=["GET"]),
        Route(f"{BASE}/{{serial}}", behind_door(desk.detail), methods=["GET"]),
        Route(f"{BASE}/{{serial}}/commands", behind_door(desk.command), methods=["POST"]),
    ]


class Asker(msgspec.Struct, frozen=True):
    """Who asks, in which language, from where."""

    account: str
    role: Role
    lang: str
    address: str

    def require_register(self) -> None:
        if not may(self.role, Permission.REGISTER):
            raise Denied(
                "trust.no-permission", role=self.role.value, permission=Permission.REGISTER.value
            )


class _Desk:
    def __init__(self, platform: CarrierPlatform, journal: Journal | None) -> None:
        self._platform, self._journal = platform, journal

    async def listing(self, request: Request, _asker: Asker) -> object:
        offset = number(request.query_params, "offset", 0)
        limit = min(number(request.query_params, "limit", 100), _MOST_ROWS)

        def look() -> object:
            units, total = self._platform.units(offset=offset, limit=limit)
            carriers = [unit_document(unit) for unit in units]
            return {"carriers": carriers, "total": total, "counts": self._platform.counts()}

        return await run_in_threadpool(look)

    async def detail(self, request: Request, asker: Asker) -> object:
        serial = request.path_params["serial"]

        def look() -> object:
            events = self._platform.events(name=serial)
            return {
                "carrier": unit_document(self._platform.unit(serial)),
                "orders": self._platform.orders(serial),
                "events": [event_document(event, asker.lang) for event in events],
            }

        return await run_in_threadpool(look)

    async def events(self, request: Request, asker: Asker) -> object:
        asked = request.query_params

        def look() -> object:
            found = self._platform.events(
                name=asked.get("name", ""),
                before=number(asked, "before", 0),
                limit=min(number(asked, "limit", 100), _MOST_ROWS),
            )
            return {"events": [event_document(event, asker.lang) for event in found]}

        return await run_in_threadpool(look)

    async def evidence(self, request: Request, _asker: Asker) -> object:
        number = request.path_params["number"]
        return evidence_document(await run_in_threadpool(self._platform.evidence, number))

    async def discover(self, request: Request, asker: Asker) -> object:
        name = request.path_params["name"]
        counted = request.query_params.get("counted", "true") != "false"  # our own looking
        found = await run_in_threadpool(
            self._platform.discover, name, asker=asker.account, counted=counted
        )
        return discovery_document(found, asker.lang)

    async def provision(self, request: Request, asker: Asker) -> object:
        asker.require_register()
        new = await _decoded(request, _read_new)

        def write() -> object:
            unit = self._platform.provision(new)
            self._note(asker, "provision", unit.serial, {"prefix": unit.prefix})
            return unit_document(unit)

        return await run_in_threadpool(write)

    async def command(self, request: Request, asker: Asker) -> object:
        asker.require_register()
        serial = request.path_params["serial"]
        command = await _decoded(request, _read_command)

        def write() -> object:
            done = self._run(serial, command, asker.account)
            self._note(asker, command.action, serial, {"parameters": command.parameters})
            return done if isinstance(done, OrderRow) else unit_document(done)

        return await run_in_threadpool(write)

    def _run(self, serial: str, command: Command, actor: str) -> Unit | OrderRow:
        platform = self._platform
        match command.action:
            case "parameters":
                return platform.set_parameters(serial, command.parameters, actor=actor)
            case "rename":
                return platform.rename(serial, command.suffix, actor=actor)
            case "suspend":
                return platform.suspend(serial, actor=actor)
            case "resume":
                return platform.resume(serial, actor=actor)
            case "revoke":
                return platform.revoke(serial, actor=actor)

    def _note(self, asker: Asker, action: str, serial: str, detail: dict[str, Any]) -> None:
        if self._journal is not None:
            name = f"identity.carrier-{action}"
            self._journal(asker.account, name, serial, detail, asker.address)


def behind_door(
    handler: Callable[[Request, Asker], Awaitable[object]],
) -> Callable[[Request], Awaitable[Response]]:
    """``handler`` for known callers; its answer, or the error it raises, as JSON."""

    async def answer(request: Request) -> Response:
        lang = "zh" if request.query_params.get("lang", "en") == "zh" else "en"
        try:
            done = await handler(request, _asker_of(request, lang))
        except MingwuError as error:
            body = _encode(error.as_dict(lang))
            return Response(body, error.status, media_type="application/json")
        return Response(_encode(done), media_type="application/json")

    return answer


def _asker_of(request: Request, lang: str) -> Asker:
    principal = getattr(request.state, "principal", None)
    if principal is None or not getattr(principal, "account", ""):
        raise NotAuthenticated("trust.no-session")
    address = request.client.host if request.client is not None else ""
    return Asker(principal.account, Role(str(principal.role)), lang, address)


async def _decoded(request: Request, decode: Callable[[bytes], Any]) -> Any:
    data = await _body(request, _BODY_BYTES)
    if data is None:
        raise InvalidInput("input.invalid", path="$", fault=f"more than {_BODY_BYTES} bytes")
    try:
        return decode(data)
    except msgspec.DecodeError as error:
        raise InvalidInput("input.invalid", path="$", fault=str(error)) from error


async def _body(request: Request, limit: int) -> bytes | None:
    """The body, or None when it is longer than ``limit`` bytes."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            return None
    return bytes(data)


def number(asked: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of the query; raises InvalidInput."""
    text = asked.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > len(str(2**62)):
        raise InvalidInput("input.invalid", path=f"$.{name}", fault="not a number")
    return int(text)
