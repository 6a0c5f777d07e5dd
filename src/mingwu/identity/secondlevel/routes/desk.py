"""Routes for the pages of the second-level node: tables in pages, detail, sending again.

They lie under /api/secondlevel/desk beside those of ``http``; the same door and roles hold.
Looking needs the permission *read* (applications: *register*), sending a refused message again
*system*; it is written to the journal.
"""

from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.routing import Route

from mingwu.identity.routing import Asked, Journal, Operation, routes_of
from mingwu.identity.secondlevel import delegation
from mingwu.identity.secondlevel.model import State
from mingwu.identity.secondlevel.routes.node import ROOT, TAG
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.trust.roles import Permission

BASE = ROOT + "/desk"
_TEXT = Annotated[str, Meta(max_length=200)]


class DeskPages(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a table."""

    offset: Annotated[int, Meta(ge=0, le=2**31)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class ApplicationsQuery(DeskPages, frozen=True, kw_only=True):
    """Applications in a state, found by words."""

    state: State | None = None
    q: _TEXT = ""


class EnterprisesQuery(DeskPages, frozen=True, kw_only=True):
    """Enterprises found by words, some of them, in an order."""

    q: _TEXT = ""
    sort: _TEXT = ""
    order: _TEXT = ""
    only: _TEXT = ""


class MessagesQuery(DeskPages, frozen=True, kw_only=True):
    """Messages to the top-level node in a state."""

    state: _TEXT = ""


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door."""
    return routes_of(_Desk(node, journal).operations())


class _Desk:
    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    def operations(self) -> tuple[Operation, ...]:
        get = partial(Operation, method="GET", tag=TAG)
        return (
            get(path=f"{BASE}/about", work=self.about, summary="What this node is"),
            get(
                path=f"{BASE}/applications", work=self.applications, query=ApplicationsQuery,
                permission=Permission.REGISTER, summary="A page of the review queue",
            ),
            get(
                path=f"{BASE}/enterprises", work=self.enterprises, query=EnterprisesQuery,
                summary="A page of enterprises with the use of their names",
            ),
            get(
                path=f"{BASE}/nodes/{{node}}", work=self.node, errors=(404,),
                summary="One enterprise's node",
            ),
            get(path=f"{BASE}/duties", work=self.duties, summary="Tables, periods, what was told"),
            get(
                path=f"{BASE}/deposits", work=self.deposits, query=DeskPages,
                summary="Escrow deposits",
            ),
            get(
                path=f"{BASE}/messages", work=self.messages, query=MessagesQuery,
                summary="Messages to the top-level node",
            ),
            Operation(
                method="POST", path=f"{BASE}/messages/{{number:int}}/again", work=self.again,
                tag=TAG, permission=Permission.SYSTEM, errors=(404, 409),
                summary="Send a refused message again",
            ),
            get(
                path=f"{BASE}/delegation", work=self.delegation,
                summary="Where the top-level node refers names of this node to",
            ),
        )  # fmt: skip

    def about(self, _asked: Asked) -> object:
        return self._node.desk.about()

    def applications(self, asked: Asked) -> object:
        of: ApplicationsQuery = asked.query
        return self._node.desk.applications(
            state=of.state, q=of.q.strip(), offset=of.offset, limit=of.limit
        )

    def enterprises(self, asked: Asked) -> object:
        of: EnterprisesQuery = asked.query
        return self._node.desk.enterprises(
            q=of.q.strip(), sort=of.sort, order=of.order, only=of.only, offset=of.offset,
            limit=of.limit,
        )  # fmt: skip

    def node(self, asked: Asked) -> object:
        return self._node.desk.node(asked.path("node"))

    def duties(self, _asked: Asked) -> object:
        return self._node.desk.duties()

    def deposits(self, asked: Asked) -> object:
        return self._node.desk.deposits(offset=asked.query.offset, limit=asked.query.limit)

    def messages(self, asked: Asked) -> object:
        of: MessagesQuery = asked.query
        return self._node.desk.messages(state=of.state, offset=of.offset, limit=of.limit)

    def again(self, asked: Asked) -> object:
        wanted = int(asked.path("number"))
        self._node.outbox.again(wanted)
        if self._journal is not None:
            self._journal(asked.account, "identity.upstream-again", str(wanted), {}, asked.address)
        return {"number": wanted, "state": "waiting"}

    async def delegation(self, _asked: Asked) -> object:
        return await delegation.look(self._node.settings, self._node.site)
