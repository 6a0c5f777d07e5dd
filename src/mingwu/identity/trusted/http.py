"""Over HTTP: the verdict about a name of this node.

``GET /api/identity/trust/{name}``: a TrustReport with its texts in the reader's language. Anybody
may ask, as anybody may resolve; only public values are looked at.
"""

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.records import RecordStore
from mingwu.identity.trusted.anchors import StoreVerifier
from mingwu.identity.trusted.verdict import TrustReport, reason_text, verdict_text
from mingwu.identity.trusted.verifying import Anchor
from mingwu.kernel.errors import NotFound

_encode = msgspec.json.Encoder().encode


def document(report: TrustReport, lang: str) -> dict[str, Any]:
    """The report as JSON-ready data with texts for people."""
    body: dict[str, Any] = msgspec.to_builtins(report)
    body["verdict_text"] = verdict_text(report.verdict, lang)
    body["reason_text"] = reason_text(report.reason, lang)
    return body


def routes(store: RecordStore, anchors: tuple[Anchor, ...]) -> list[Route]:
    """Routes over a store; each request verifies anew, so nothing is shared between threads."""

    def look(name: str) -> TrustReport:
        record = store.get(name)
        if record is None:
            raise NotFound("name.unknown", name=name)
        live = tuple(sorted(source.index for source in record.live))
        report = StoreVerifier(store, anchors).report(record)
        return msgspec.structs.replace(report, live=live)

    async def trust(request: Request) -> Response:
        lang = "zh" if request.query_params.get("lang", "en") == "zh" else "en"
        try:
            report = await run_in_threadpool(look, request.path_params["name"])
        except NotFound as error:
            return Response(_encode(error.as_dict(lang)), error.status, media_type=_JSON)
        return Response(_encode(document(report, lang)), media_type=_JSON)

    return [Route("/api/identity/trust/{name:path}", trust, methods=["GET"])]


_JSON = "application/json"
