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
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
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
from mingwu.identity.routing import Asked, Operation, json_reply, read_body, routes_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound, Overloaded
from mingwu.kernel.names import MAX_CHARS
from mingwu.kernel.shapes import convert

_encode = msgspec.json.Encoder().encode
_BASE = "/api/identity"
_QUEUE = 8
_MOST_TEXT = 4096


class SymbolFormat(StrEnum):
    """How one symbol is given."""

    SVG = "svg"
    DXF = "dxf"
    PNG = "png"
    JSON = "json"


class TextQuery(msgspec.Struct, frozen=True):
    """What somebody typed or scanned by hand."""

    text: Annotated[str, Meta(min_length=1, max_length=_MOST_TEXT)]


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

    name: list[str] = []
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
    return routes_of(marking.operations())


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

    def operations(self) -> tuple[Operation, ...]:
        one = partial(Operation, tag="marking")
        return (
            one(
                method="POST", path=f"{_BASE}/read", work=self.read_picture, errors=(400, 429),
                summary="Symbols of the picture in the body, and where they lead",
            ),
            one(
                method="GET", path=f"{_BASE}/read", work=self.read_text, query=TextQuery,
                summary="Where a typed text leads",
            ),
            one(
                method="GET", path=f"{_BASE}/labels/templates", work=self.templates,
                summary="Label templates, own and built-in",
            ),
            one(
                method="GET", path=f"{_BASE}/labels/symbol/{{name:path}}", work=self.symbol,
                query=SymbolQuery, media_type="image/svg+xml", reply=str, errors=(404,),
                summary="One symbol of a name as SVG, DXF, PNG or JSON",
            ),
            one(
                method="GET", path=f"{_BASE}/labels/sheet", work=self.sheet, query=SheetOrder,
                media_type="application/pdf", reply=str, errors=(404,),
                summary="A sheet of labels as PDF or SVG",
            ),
            one(
                method="POST", path=f"{_BASE}/labels/sheet", work=self.batch, body=SheetOrder,
                media_type="application/pdf", reply=str, errors=(404,),
                summary="The same for many names",
            ),
        )  # fmt: skip

    # ------------------------------------------------------------ reading
    async def read_picture(self, asked: Asked) -> Response:
        """Symbols of the picture in the body."""
        limit = self._settings.image_bytes
        try:
            data = await read_body(asked.request, limit)
        except InvalidInput:
            raise InvalidInput("marking.image-too-large", limit=f"{limit} B") from None
        if self._waiting >= _QUEUE:
            raise Overloaded("marking.busy")
        self._waiting += 1
        try:
            async with self._readers:
                seen = await asyncio.to_thread(self._decode, data)
        finally:
            self._waiting -= 1
        return await self._leads(asked, seen)

    def _decode(self, data: bytes) -> list[Seen]:
        settings = self._settings
        return decode(data, most_bytes=settings.image_bytes, most_pixels=settings.image_pixels)

    async def read_text(self, asked: Asked) -> Response:
        """Where a typed or hand-scanned text leads."""
        return await self._leads(asked, [Seen(symbology="", text=asked.query.text.strip())])

    async def _leads(self, asked: Asked, seen: list[Seen]) -> Response:
        return json_reply({"symbols": await run_in_threadpool(self._resolved, seen, asked.lang)})

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
    def templates(self, _asked: Asked) -> Any:
        """All label templates."""
        every = {one.id: one for one in (*BUILT_IN, *self._settings.templates)}
        return {"templates": list(every.values()), "default": BUILT_IN[0].id}

    def symbol(self, asked: Asked) -> Response:
        """One symbol of one name."""
        of: SymbolQuery = asked.query
        size = convert(
            drawings.Size,
            {"module_mm": of.module_mm, "bar_mm": of.bar_mm, "inverse": of.inverse},
            "query",
        )
        name = asked.path("name")
        data, media = self._draw(name, of, size)
        return _file(data, media, name, of.format)

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

    def sheet(self, asked: Asked) -> Response:
        """A sheet for the names of the query."""
        return self._sheet(asked.query)

    def batch(self, asked: Asked) -> Response:
        """The same from a JSON body."""
        return self._sheet(asked.body)

    def _sheet(self, order: SheetOrder) -> Response:
        most = self._settings.labels_most
        if not order.name:
            raise InvalidInput(
                "input.invalid", path="name", fault=Phrase("no name is given", "没有给出标识")
            )
        if len(order.name) > most:
            raise InvalidInput("marking.too-many", count=len(order.name), most=most)
        template = chosen(self._settings.templates, order.template)
        data, pages = self._print(template, order)
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
            raise InvalidInput("input.invalid", path="page", fault=f"1–{sheets.pages}")
        return svg_page(sheets, order.page - 1, self._lettering).encode(), sheets.pages


def _told(code: Code, lang: str) -> dict[str, object]:
    return {**code.as_dict(lang), "system_name": NAMES[code.system][lang == "zh"]}


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
