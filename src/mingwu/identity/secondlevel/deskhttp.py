"""Routes for the pages of the second-level node: tables in pages, detail, sending again.

``routes(node, journal)`` gives Starlette routes under /api/secondlevel/desk beside those of
``http``; the same door and roles hold. Looking needs the permission *read* (applications:
*register*), sending a refused message again *system*; it is written to the journal.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.routing import Journal
from mingwu.identity.secondlevel import delegation
from mingwu.identity.secondlevel.http import ROOT, account, json_reply, number
from mingwu.identity.secondlevel.model import State
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.shapes import told
from mingwu.trust.roles import Permission

BASE = ROOT + "/desk"
_MOST = 200


class DeskHandlers:
    """The handlers of one node."""

    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    async def about(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await asyncio.to_thread(self._node.desk.about))

    async def applications(self, request: Request) -> Response:
        account(request, Permission.REGISTER)
        asked = request.query_params.get("state", "")
        try:
            state = State(asked) if asked else None
        except ValueError as error:
            raise InvalidInput("input.invalid", path="state", fault=told(error)) from error
        found = await asyncio.to_thread(
            self._node.desk.applications, state=state, q=_text(request, "q"), **_page(request)
        )
        return json_reply(found)

    async def enterprises(self, request: Request) -> Response:
        account(request, Permission.READ)
        found = await asyncio.to_thread(
            self._node.desk.enterprises, q=_text(request, "q"), sort=_text(request, "sort"),
            order=_text(request, "order"), only=_text(request, "only"), **_page(request),
        )  # fmt: skip
        return json_reply(found)

    async def node(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(
            await asyncio.to_thread(self._node.desk.node, request.path_params["node"])
        )

    async def deposits(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await asyncio.to_thread(self._node.desk.deposits, **_page(request)))

    async def duties(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await asyncio.to_thread(self._node.desk.duties))

    async def messages(self, request: Request) -> Response:
        account(request, Permission.READ)
        found = await asyncio.to_thread(
            self._node.desk.messages, state=_text(request, "state"), **_page(request)
        )
        return json_reply(found)

    async def again(self, request: Request) -> Response:
        who = account(request, Permission.SYSTEM)
        wanted = request.path_params["number"]
        await asyncio.to_thread(self._node.outbox.again, wanted)
        if self._journal is not None:
            address = request.client.host if request.client is not None else ""
            await asyncio.to_thread(
                self._journal, who, "identity.upstream-again", str(wanted), {}, address
            )
        return json_reply({"number": wanted, "state": "waiting"})

    async def delegation(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await delegation.look(self._node.settings, self._node.site))


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door."""
    do = DeskHandlers(node, journal)
    table: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/about", do.about),
        ("GET", "/applications", do.applications),
        ("GET", "/enterprises", do.enterprises),
        ("GET", "/nodes/{node}", do.node),
        ("GET", "/duties", do.duties),
        ("GET", "/deposits", do.deposits),
        ("GET", "/messages", do.messages),
        ("POST", "/messages/{number:int}/again", do.again),
        ("GET", "/delegation", do.delegation),
    )
    return [Route(BASE + path, handler, methods=[method]) for method, path, handler in table]


def _page(request: Request) -> dict[str, int]:
    return {"offset": number(request, "offset", 0, 2**31),
            "limit": number(request, "limit", 50, _MOST)}  # fmt: skip


def _text(request: Request, name: str) -> str:
    return request.query_params.get(name, "").strip()[:200]
