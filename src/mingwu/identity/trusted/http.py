"""Over HTTP: the verdict about a name of this node.

``GET /api/identity/trust/{name}``: a TrustReport with its texts in the reader's language. Anybody
may ask, as anybody may resolve; only public values are looked at.
"""

from typing import Any

import msgspec
from starlette.routing import Route

from mingwu.identity.records import RecordStore, is_carrier
from mingwu.identity.routing import Asked, Operation, routes_of
from mingwu.identity.trusted.anchors import StoreVerifier
from mingwu.identity.trusted.verdict import TrustReport, reason_text, verdict_text
from mingwu.identity.trusted.verifying import Anchor
from mingwu.kernel.errors import NotFound


def document(report: TrustReport, lang: str) -> dict[str, Any]:
    """The report as JSON-ready data with texts for people."""
    body: dict[str, Any] = msgspec.to_builtins(report)
    body["verdict_text"] = verdict_text(report.verdict, lang)
    body["reason_text"] = reason_text(report.reason, lang)
    return body


def routes(store: RecordStore, anchors: tuple[Anchor, ...]) -> list[Route]:
    """Routes over a store; each request verifies anew, so nothing is shared between threads."""

    def verdict(asked: Asked) -> dict[str, Any]:
        name = asked.path("name")
        record = store.get(name)
        if record is None:
            raise NotFound("name.unknown", name=name)
        live = [source.index for source in record.live]
        if is_carrier(record):
            live += [value.index for value in store.carrier_values(name) if value.is_public]
        report = StoreVerifier(store, anchors).report(record)
        return document(msgspec.structs.replace(report, live=tuple(sorted(live))), asked.lang)

    return routes_of(
        [
            Operation(
                method="GET", path="/api/identity/trust/{name:path}", work=verdict, tag="trust",
                summary="Whether a name's record is vouched for, and why", permission=None,
                errors=(404,),
            )
        ]
    )  # fmt: skip
