"""The pages: what each shows, for whom, under which address.

A page builds its frame and names its islands; no rows travel in a page and no page has timers on
the server (``facts/platform.md`` §3: page building blocks the loop that feeds all screens).
"""

from collections.abc import Callable
from html import escape
from urllib.parse import quote

from fastapi.responses import RedirectResponse
from nicegui import ui
from nicegui.context import context
from starlette.requests import Request
from starlette.responses import Response

from mingwu.api.door import language_of
from mingwu.api.ports import Principal
from mingwu.api.services import Services
from mingwu.console import namepages, nodepages, templatepages
from mingwu.console.islands import Island
from mingwu.console.presence import absent_pages, home_cards
from mingwu.console.qr import qr_svg
from mingwu.console.shell import Frame, brand, head, shell
from mingwu.console.texts import tables as texts
from mingwu.kernel.errors import NotFound

Build = Callable[[Frame, Request], None]


class Pages:
    """Registers the pages on NiceGUI's application; one instance per process."""

    def __init__(self, services: Services, public_url: str) -> None:
        self._services = services
        self._public_url = public_url.rstrip("/")
        self._absent = absent_pages(services.guarded)

    def register(self) -> None:
        """Put every page under its address; the last one takes what nobody else has."""
        self._page("/", "overview.title", _overview, simulated=True)
        self._page("/tags", "tags.title", _island("tags"), simulated=True)
        self._page("/gateways", "gateways.title", _island("gateways"), simulated=True)
        self._page("/history", "history.title", _island("history"), simulated=True)
        self._page(
            "/resolve",
            "resolve.title",
            _island("resolve"),
            simulated=True,
            areas=("names", "nodes", "carriers"),
        )
        self._page("/scan", "scan.title", _island("scan"), simulated=True)
        for path, title, module in nodepages.PAGES:
            areas = ("nodes", *nodepages.MORE_WORDS.get(path, ()))
            self._page(path, title, _island(module), simulated=True, areas=areas)
        for pages, areas in (
            (namepages.PAGES, namepages.AREAS),
            (namepages.ACCESS_PAGES, namepages.ACCESS_AREAS),
        ):
            for path, title, module in pages:
                self._page(path, title, _island(module), simulated=True, areas=areas)
        for path, title, module in templatepages.PAGES:
            self._page(path, title, _island(module), simulated=True, areas=templatepages.AREAS)
        ui.page("/names/{identifier:path}")(self._name)
        ui.page("/login")(self._login)
        ui.page("/things/{identifier:path}")(self._thing)
        ui.page("/{rest:path}")(self._missing)

    # ------------------------------------------------------------ the door
    async def _who(self, request: Request) -> Principal | None:
        principal = await self._services.door.principal(request)
        return None if principal is None or principal.must_change else principal

    def _to_login(self, request: Request) -> Response:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)

    async def _frame(
        self,
        request: Request,
        principal: Principal,
        path: str,
        title: str,
        *,
        simulated: bool,
        areas: tuple[str, ...] = ("names",),
    ) -> Frame:
        lang = language_of(request, principal)
        index = await self._services.index.get()
        state = index.state
        return Frame(
            lang=lang,
            principal=principal,
            path=path,
            title=texts.table(lang).get(title, title),
            plant=(state.name_zh if lang == "zh" else state.name_en) or state.name_en,
            simulated=simulated and (index.simulated or "simulated" in self._services.product),
            areas=areas,
            parts=self._services.parts,
            absent=self._absent,
        )

    def _page(
        self,
        path: str,
        title: str,
        build: Build,
        *,
        simulated: bool,
        areas: tuple[str, ...] = ("names",),
    ) -> None:
        async def page(request: Request) -> Response | None:
            principal = await self._who(request)
            if principal is None:
                return self._to_login(request)
            menu = path.partition("/{")[0]
            frame = await self._frame(
                request, principal, menu, title, simulated=simulated, areas=areas
            )
            with shell(frame):
                build(frame, request)
            return None

        ui.page(path)(page)

    # ------------------------------------------------------------ pages of their own
    async def _login(self, request: Request) -> Response | None:
        if await self._who(request) is not None:
            return RedirectResponse("/", status_code=303)
        lang = language_of(request, None)
        words = texts.table(lang)
        title = words["login.title"]
        head(Frame(lang=lang, principal=None, path="/login", title=title, areas=("login",)))
        html = (
            f'<section class="mw-login-lead">{brand()}'
            f'<p class="mw-login-name">{escape(words["product"])}</p>'
            f"<p>{escape(words['login.lead'])}</p></section>"
        )
        with ui.element("div").classes("mw-login"):
            ui.html(html, sanitize=False)
            Island("login")
        return None

    async def _thing(self, request: Request, identifier: str) -> Response | None:
        principal = await self._who(request)
        if principal is None:
            return self._to_login(request)
        index = await self._services.index.get()
        try:
            row = index.thing(identifier)
        except NotFound:
            return await self._missing(request)
        lang = language_of(request, principal)
        title = (row.name_zh if lang == "zh" else row.name_en) or row.name_en or row.id
        frame = await self._frame(request, principal, "/things", title, simulated=row.simulated)
        code = f"{self._public_url}/things/{row.id}" if self._public_url else row.id
        with shell(frame):
            Island("thing", id=row.id, qr=qr_svg(code, frame.words["thing.qr"]))
        return None

    async def _name(self, request: Request, identifier: str) -> Response | None:
        principal = await self._who(request)
        if principal is None:
            return self._to_login(request)
        frame = await self._frame(
            request, principal, "/names", identifier, simulated=True, areas=namepages.AREAS
        )
        with shell(frame):
            Island("name", name=identifier)
        return None

    async def _missing(self, request: Request) -> Response | None:
        principal = await self._who(request)
        if principal is None:
            return self._to_login(request)
        frame = await self._frame(request, principal, "", "thing.missing", simulated=False)
        context.client.status_code = 404
        with shell(frame):
            Island("missing", path=request.url.path)
        return None


def _overview(frame: Frame, request: Request) -> None:
    pages = home_cards(frame.words, frame.absent)
    Island("overview", query=dict(request.query_params), pages=pages)


def _island(module: str) -> Build:
    def build(_: Frame, request: Request) -> None:
        Island(module, query=dict(request.query_params), **request.path_params)

    return build
