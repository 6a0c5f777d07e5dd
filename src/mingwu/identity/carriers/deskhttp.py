"""Routes for the carriers' page beside those of ``http``: pages, map, a proof checked.

Everything lies under ``/api/identity/carriers/desk`` and needs an account that the API's door let
in, as the other routes do.
"""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from mingwu.identity.carriers.desk import CarrierDesk
from mingwu.identity.carriers.http import BASE, Asker, behind_door, number
from mingwu.identity.carriers.platform import CarrierPlatform

_MOST_ROWS = 200


def routes(platform: CarrierPlatform) -> list[Route]:
    """Routes for the API to mount behind its door."""
    desk = CarrierDesk(platform)

    async def page(request: Request, asker: Asker) -> object:
        asked = request.query_params
        return await run_in_threadpool(
            desk.page, q=_text(asked, "q"), only=_text(asked, "only"), lang=asker.lang,
            offset=number(asked, "offset", 0), limit=min(number(asked, "limit", 25), _MOST_ROWS),
        )  # fmt: skip

    async def marks(_request: Request, asker: Asker) -> object:
        return await run_in_threadpool(desk.marks, lang=asker.lang)

    async def proof(request: Request, _asker: Asker) -> object:
        return await run_in_threadpool(desk.proof, request.path_params["number"])

    return [
        Route(f"{BASE}/desk/units", behind_door(page), methods=["GET"]),
        Route(f"{BASE}/desk/marks", behind_door(marks), methods=["GET"]),
        Route(f"{BASE}/desk/proofs/{{number:int}}", behind_door(proof), methods=["GET"]),
    ]


def _text(asked: Mapping[str, str], name: str) -> str:
    return asked.get(name, "").strip()[:200]
