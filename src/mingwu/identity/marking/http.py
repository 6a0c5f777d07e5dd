"""Over HTTP: reading pictures, symbols of names, sheets of labels. All need a session.

=============================================  ====================================================
``POST /api/identity/read``                    body: a picture; its symbols and where they lead
``GET  /api/identity/read``                    ``?text=``: the same for what somebody typed
``GET  /api/identity/labels/templates``        label templates, own and built-in
``GET  /api/identity/labels/symbol/{name}``    one symbol: ``symbology``, ``content``, ``level``,
                                               ``format`` svg, dxf, png, json; ``module_mm``,
                                               ``bar_mm``, ``inverse``
``GET  /api/identity/labels/sheet``            ``name`` (repeatable), ``template``, ``format`` pdf
                                               or svg, ``page``, ``skip``
``POST /api/identity/labels/sheet``            the same as JSON, for batches
=============================================  ====================================================

A picture without a symbol is an answer, not an error. Reading pictures costs a core for a moment,
so only a few are read at a time and a short queue waits; beyond it the answer is 429.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.codes.code import Code
from mingwu.identity.codes.recognition import NAMES
from mingwu.identity.marking import drawings
from mingwu.identity.marking.contents import Content, text_for
from mingwu.identity.marking.filling import is_simulated
from mingwu.identity.marking.lettering import Lettering
from mingwu.identity.marking.reading import Seen, decode, reading_of, things_of
from mingwu.identity.marking.settings import MarkingSettings
from mingwu.identity.marking.sheets import Sheets, pdf, svg_page
from mingwu.identity.marking.symbols import Symbology, make_symbol
from mingwu.identity.marking.templates import BUILT_IN, LabelTemplate, check, chosen
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import InvalidInput, MingwuError, NotAuthenticated, NotFound, Overloaded
from mingwu.kernel.names import MAX_CHARS

_encode = msgspec.json.Encoder().encode
_BASE = "/api/identity"
_QUEUE = 8
_MOST_TEXT = 4096
_MOST_BODY = 1_000_000
T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class SymbolFormat(StrEnum):
    """How one symbol is given."""

    SVG = "svg"
    DXF = "dxf"
    PNG = "png"
    JSON = "json"


class SymbolQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query of the symbol route."""

    symbology: Symbology = Symbology.QR
    content: Content = Content.AUTO
    level: str = "M"
    format: SymbolFormat = SymbolFormat.SVG
    module_mm: float = 0.5
    bar_mm: float = 12.0
    inverse: bool = False
    lang: str = ""


class SheetFormat(StrEnum):
    """How a sheet is given."""

    PDF = "pdf"
    SVG = "svg"


class SheetOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels wanted: ``page`` counts from 1 and is of SVG only; ``skip`` labels stay free."""

    name: list[str]
    template: str = "a4-24"
    format: SheetFormat = SheetFormat.PDF
    page: int = 1
    skip: int = 0
    lang: str = ""


def routes(
    store: RecordStore,
    settings: MarkingSettings | None = None,
    *,
    base_url: str = "",
    gs1_root: str = "",
) -> list[Route]:
    """Routes over a store. ``base_url``: where the console answers; ``gs1_root``: Digital Links.

    Raises InvalidInput for a template or font of the settings that cannot be used.
    """
    marking = _Marking(store, settings or MarkingSettings(), base_url, gs1_root)
    table: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "/read", marking.read_picture),
        ("GET", "/read", marking.read_text),
        ("GET", "/labels/templates", marking.templates),
        ("GET", "/labels/symbol/{name:path}", marking.symbol),
        ("GET", "/labels/sheet", marking.sheet),
        ("POST", "/labels/sheet", marking.batch),
    )
    return [
        Route(_BASE + path, _known(handler), methods=[method]) for method, path, handler in table
    ]


def _lang(request: Request) -> str:
    asked = request.query_params.get("lang") or getattr(request.state, "lang", "en")
    return "zh" if asked == "zh" else "en"


def _known(handler: Handler) -> Handler:
    async def serve(request: Request) -> Response:
        try:
            if getattr(request.state, "principal", None) is None:
                raise NotAuthenticated("marking.login-required")  # noqa: TRY301 - one form of refusal
            return await handler(request)
        except MingwuError as error:
            return _json(error.as_dict(_lang(request)), error.status)

    return serve


def _json(body: Any, status: int = 200) -> Response:
    return Response(_encode(body), status, media_type="application/json")


class _Marking:
    def __init__(
        self, store: RecordStore, settings: MarkingSettings, base_url: str, gs1_root: str
    ) -> None:
        self._store = store
        self._settings = settings
        self._base_url = base_url
        self._gs1_root = gs1_root
        self._lettering = Lettering(settings.font_file)
        self._waiting = 0
        self._readers = asyncio.Semaphore(settings.readers)
        for template in settings.templates:
            check(template)

    # ------------------------------------------------------------ reading
    async def read_picture(self, request: Request) -> Response:
        """Symbols of the picture in the body."""
        data = await _body(request, self._settings.image_bytes)
        if self._waiting >= _QUEUE:
            raise Overloaded("marking.busy")
        self._waiting += 1
        try:
            async with self._readers:
                seen = await asyncio.to_thread(self._decode, data)
        finally:
            self._waiting -= 1
        return await self._leads(request, seen)

    def _decode(self, data: bytes) -> list[Seen]:
        settings = self._settings
        return decode(data, most_bytes=settings.image_bytes, most_pixels=settings.image_pixels)

    async def read_text(self, request: Request) -> Response:
        """Where a typed or hand-scanned text leads."""
        text = request.query_params.get("text", "").strip()
        if not 0 < len(text) <= _MOST_TEXT:
            raise InvalidInput("input.invalid", path="text", fault=f"1 to {_MOST_TEXT} characters")
        return await self._leads(request, [Seen(symbology="", text=text)])

    async def _leads(self, request: Request, seen: list[Seen]) -> Response:
        found = await run_in_threadpool(self._resolved, seen, _lang(request))
        return _json({"symbols": found})

    def _resolved(self, seen: list[Seen], lang: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for one in seen:
            code = reading_of(one.text)
            found.append(
                {
                    "symbology": one.symbology,
                    "text": one.shown,
                    "gs1": one.gs1,
                    "corners": one.corners,
                    "code": _told(code, lang) if code else None,
                    "things": things_of(self._store, one.text),
                }
            )
        return found

    # ------------------------------------------------------------ marking
    async def templates(self, request: Request) -> Response:
        """All label templates."""
        del request
        every = {one.id: one for one in (*BUILT_IN, *self._settings.templates)}
        return _json({"templates": list(every.values()), "default": BUILT_IN[0].id})

    async def symbol(self, request: Request) -> Response:
        """One symbol of one name."""
        asked = _query(request, SymbolQuery)
        size = _convert(
            {"module_mm": asked.module_mm, "bar_mm": asked.bar_mm, "inverse": asked.inverse},
            drawings.Size,
            "query",
        )
        name = request.path_params["name"]
        data, media = await run_in_threadpool(self._draw, name, asked, size)
        return _file(data, media, name, asked.format)

    def _draw(self, name: str, asked: SymbolQuery, size: drawings.Size) -> tuple[bytes, str]:
        record = self._record(name)
        text = text_for(
            record,
            asked.content,
            asked.symbology,
            base_url=self._base_url,
            gs1_root=self._gs1_root,
        )
        symbol = make_symbol(asked.symbology, text, asked.level)
        simulated = is_simulated(record)
        if asked.format is SymbolFormat.DXF:
            return drawings.dxf(symbol, size, simulated=simulated).encode(), "image/vnd.dxf"
        if asked.format is SymbolFormat.PNG:
            return drawings.png(symbol, size, simulated=simulated), "image/png"
        if asked.format is SymbolFormat.JSON:
            return _encode(drawings.geometry(symbol, size, simulated=simulated)), "application/json"
        drawn = drawings.svg(symbol, size, f"{asked.symbology} {text}", simulated=simulated)
        return drawn.encode(), "image/svg+xml"

    def _record(self, name: str) -> Record:
        record = self._store.get(name) if len(name) <= MAX_CHARS else None
        if record is None:
            raise NotFound("name.unknown", name=name[:60])
        return record

    async def sheet(self, request: Request) -> Response:
        """A sheet for the names of the query."""
        query: dict[str, Any] = dict(request.query_params)
        query["name"] = request.query_params.getlist("name")
        return await self._sheet(_convert(query, SheetOrder, "query"))

    async def batch(self, request: Request) -> Response:
        """The same from a JSON body."""
        data = await _body(request, _MOST_BODY)
        try:
            body = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidInput("input.invalid", path="body", fault=str(error)) from error
        return await self._sheet(_convert(body, SheetOrder, "body"))

    async def _sheet(self, order: SheetOrder) -> Response:
        most = self._settings.labels_most
        if not 0 < len(order.name) <= most:
            raise InvalidInput("marking.too-many", count=len(order.name), most=most)
        template = chosen(self._settings.templates, order.template)
        data, pages = await run_in_threadpool(self._print, template, order)
        media = "application/pdf" if order.format is SheetFormat.PDF else "image/svg+xml"
        response = _file(
            data, media, order.name[0] if len(order.name) == 1 else "labels", order.format
        )
        response.headers["X-Pages"] = str(pages)
        return response

    def _print(self, template: LabelTemplate, order: SheetOrder) -> tuple[bytes, int]:
        records = map(self._record, order.name)
        sheets = Sheets(
            template, records, base_url=self._base_url, gs1_root=self._gs1_root, skip=order.skip
        )
        if order.format is SheetFormat.PDF:
            return pdf(sheets, self._lettering), sheets.pages
        if not 1 <= order.page <= sheets.pages:
            raise InvalidInput("input.invalid", path="page", fault=f"1 to {sheets.pages}")
        return svg_page(sheets, order.page - 1, self._lettering).encode(), sheets.pages


def _told(code: Code, lang: str) -> dict[str, object]:
    return {**code.as_dict(lang), "system_name": NAMES[code.system][lang == "zh"]}


def _query(request: Request, cls: type[T]) -> T:
    return _convert(dict(request.query_params), cls, "query")


def _convert(data: Any, cls: type[T], path: str) -> T:
    try:
        return msgspec.convert(data, cls, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path=path, fault=str(error)) from error


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise InvalidInput("marking.image-too-large", limit=f"{limit} B")
    return bytes(data)


def _file(data: bytes, media: str, name: str, ending: str) -> Response:
    """A download; the page may also show it, but nothing in it runs."""
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:80]
    headers = {
        "Content-Disposition": f'inline; filename="{plain.strip("-") or "label"}.{ending}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    return Response(data, 200, headers, media)
