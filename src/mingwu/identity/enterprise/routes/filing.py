"""Routes of the filing queue: pages, counts, and the decisions about one name or thousands.

Reading needs the role viewer (values are not shown), deciding engineer. A decision names the names
(with the versions that were looked at) or says which match; the latter is done in pages, so that a
caller can show how far it is and stop. Every page is a line of the journal.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mingwu.identity.enterprise.filing import (
    DECISIONS,
    STATES,
    STEP,
    Asked,
    Decided,
    Note,
    Wanted,
)
from mingwu.identity.enterprise.model import Move
from mingwu.identity.enterprise.routes.visits import BASE, OwnRoute, Visit, plain, results_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.trust.roles import Permission


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True):
    """``items``, or ``matching`` up to the sequence ``upto`` that a page of the queue told."""

    items: list[Move] = []
    matching: Wanted | None = None
    upto: Annotated[int, Meta(ge=0)] = 0
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=2000)] = STEP
    note: Note = ""


def _queue(call: Visit) -> object:
    asked = call.wanted(Asked)
    if asked.state not in {None, *STATES}:
        raise InvalidInput(
            "input.invalid", path="state", fault=Phrase("not in the queue", "不在待备案队列中")
        )
    return call.node.filing.page(asked)


def _counts(call: Visit) -> object:
    return call.node.filing.counts(call.wanted(Wanted))


def _decide(call: Visit) -> object:
    body: DecisionBody = call.body
    action = DECISIONS.get(call.request.path_params["what"])
    if action is None:
        raise InvalidInput(
            "input.invalid", path="what", fault=Phrase("file or return", "应为 file 或 return")
        )
    if bool(body.items) == (body.matching is not None):
        raise InvalidInput(
            "input.invalid",
            path="body",
            fault=Phrase("either items or matching", "items 与 matching 只能给出其一"),
        )
    actor = call.asker.actor
    if body.matching is None:
        done = call.node.filing.decide(action, body.items, actor=actor, note=body.note)
        return _reply(Decided(results=done), call.lang)
    if not body.upto:
        raise InvalidInput("input.invalid", path="upto", fault=Phrase("it is missing", "未给出"))
    found = call.node.filing.decide_matching(
        action, body.matching, upto=body.upto, after=body.after, limit=body.limit,
        actor=actor, note=body.note,
    )  # fmt: skip
    return _reply(found, call.lang)


def _reply(decided: Decided, lang: str) -> dict[str, Any]:
    return {**results_of(decided.results, lang), "next": decided.next, "left": decided.left}


def _told(call: Visit, result: Any) -> tuple[str, dict[str, Any]]:
    """The line of the journal: what was decided, about which names, with which words."""
    body: DecisionBody = call.body
    detail = {"decision": call.request.path_params["what"], "note": body.note,
              "done": result["done"], "refused": result["refused"]}  # fmt: skip
    if body.matching is not None:
        unset = plain(Wanted())
        given = plain(body.matching).items()
        detail["matching"] = {name: value for name, value in given if value != unset[name]}
        detail["sequences"] = [body.after, result["next"] or body.upto]
    only = body.items[0].name if len(body.items) == 1 else ""
    return only or f"{BASE}/filing", detail


ROUTES = (
    OwnRoute("GET", "/filing", "Names that wait for filing", _queue, query=Asked),
    OwnRoute("GET", "/filing/counts", "How many names wait, by template and kind",
             _counts, query=Wanted),
    OwnRoute("POST", "/filing/{what:str}", "File names, or return them with a reason",
             _decide, Permission.REGISTER, DecisionBody, "filing", _told),
)  # fmt: skip
