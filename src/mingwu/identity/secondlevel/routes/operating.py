"""HTTP routes for what only the operator knows and owes the top node.

Templates of the node and of enterprises fill tables T4 and T11, programs that use identifiers T5
and T10; planned maintenance and emergencies go into M2 at once and into the monthly report. Looking
needs the permission *read*, writing *configure*; every change is a line of the journal.
"""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.routing import Route

from mingwu.identity.routing import Asked, Journal, Operation, routes_of
from mingwu.identity.secondlevel.model import Prefix, Text
from mingwu.identity.secondlevel.routes.node import ROOT, TAG
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.trust.roles import Permission

_NAME = Annotated[str, Meta(min_length=1, max_length=255)]
_TOLD = Annotated[str, Meta(min_length=1, max_length=1000)]


class TemplateForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data template: its handle, whose it is (a prefix of this node), what it defines."""

    handle: _NAME
    prefix: Prefix
    definition: dict[str, Any]


class SoftwareForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that uses identifiers: whose it is, what it is called, what for."""

    id: _NAME
    prefix: Prefix
    name: _NAME
    purpose: Text = ""


class EventForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Maintenance or an emergency that begins now; ``node``: a prefix, empty for this node.

    ``cause``: 1 network, 2 system, 3 attack, 4 other.
    """

    kind: Literal["maintenance", "emergency"]
    zh: _TOLD
    en: Annotated[str, Meta(max_length=1000)] = ""
    node: Annotated[str, Meta(max_length=64)] = ""
    cause: Annotated[int, Meta(ge=1, le=4)] = 4


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door."""
    return routes_of(_Operating(node, journal).operations())


class _Operating:
    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    def operations(self) -> tuple[Operation, ...]:
        get = partial(Operation, method="GET", tag=TAG)
        one = partial(Operation, tag=TAG, permission=Permission.CONFIGURE, errors=(404,))
        software, events = f"{ROOT}/software", f"{ROOT}/events"
        return (
            get(
                path=f"{ROOT}/metadata", work=lambda _asked: self._node.templates(),
                summary="Templates told to the top-level node (T4, T11)",
            ),
            one(
                method="PUT", path=f"{ROOT}/metadata", work=self.put_template, body=TemplateForm,
                summary="Keep a template for tables T4 and T11",
            ),
            get(
                path=software, work=lambda _asked: self._node.software(),
                summary="Programs that use identifiers (T5, T10)",
            ),
            one(
                method="PUT", path=software, work=self.put_software, body=SoftwareForm,
                summary="Keep a program for tables T5 and T10",
            ),
            one(
                method="DELETE", path=f"{software}/{{id}}", work=self.remove_software,
                summary="Leave a program out of the next T5 and T10",
            ),
            one(
                method="POST", path=events, work=self.begin, body=EventForm, status=201,
                summary="Maintenance or an emergency begins",
            ),
            one(
                method="POST", path=f"{events}/{{number:int}}/end", work=self.end,
                summary="Maintenance or an emergency is over",
            ),
        )  # fmt: skip

    def put_template(self, asked: Asked) -> object:
        form: TemplateForm = asked.body
        self._require(form.prefix)
        self._node.put_template(form.handle, form.prefix, form.definition)
        self._note(asked, "metadata-put", form.handle, prefix=form.prefix)
        return form

    def put_software(self, asked: Asked) -> object:
        form: SoftwareForm = asked.body
        self._require(form.prefix)
        self._node.put_software(form.id, form.prefix, form.name, form.purpose)
        self._note(asked, "software-put", form.id, prefix=form.prefix)
        return form

    def remove_software(self, asked: Asked) -> object:
        id_ = asked.path("id")
        self._node.remove_software(id_)
        self._note(asked, "software-remove", id_)
        return {"removed": id_}

    def begin(self, asked: Asked) -> object:
        form: EventForm = asked.body
        at = form.node or self._node.settings.prefix
        self._require(at)
        number = self._node.monitoring.report_event(
            at, form.kind, form.cause, zh=form.zh, en=form.en or form.zh
        )
        self._note(asked, "event-begin", str(number), node=at, kind=form.kind)
        return {"number": number}

    def end(self, asked: Asked) -> object:
        number = int(asked.path("number"))
        self._node.monitoring.end_event(number)
        self._note(asked, "event-end", str(number))
        return {"number": number}

    def _require(self, prefix: str) -> None:
        """Raise NotFound unless the prefix is this node's own or given by it."""
        if prefix != self._node.settings.prefix:
            self._node.prefixes.get(prefix)

    def _note(self, asked: Asked, action: str, subject: str, **detail: Any) -> None:
        if self._journal is not None:
            self._journal(asked.account, f"identity.{action}", subject, detail, asked.address)
