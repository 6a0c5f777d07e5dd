"""Unified data queries and links to enterprises' nodes over HTTP.

=============================================  =====  ============================================
``POST /api/secondlevel/query``                admin  rows of hosted names and own nodes, and what
                                                      became of asking each node
``GET /api/secondlevel/templates``             read   templates to ask over
``GET /api/secondlevel/links``                 admin  own nodes, how each is asked; this node's
                                                      public key for their application identity
``PUT /api/secondlevel/links/{prefix}``        admin  how a node is asked; tried at once
``DELETE /api/secondlevel/links/{prefix}``     admin  no longer
=============================================  =====  ============================================

Accounts are not bound to tenants: who names the asker speaks for the node's operator.
"""

import asyncio
from functools import partial
from typing import Any

import msgspec
from starlette.routing import Route

from mingwu.identity.routing import Asked, Journal, Operation, routes_of
from mingwu.identity.secondlevel.links import LinkForm, NodeLink
from mingwu.identity.secondlevel.routes.node import ROOT
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.unified import DataQuery, NodeAnswer
from mingwu.trust.roles import Permission


class DataRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name with its values; ``source`` is the prefix of the node that gave it."""

    name: str
    prefix: str
    template: str
    values: dict[str, str]
    at_ms: int
    source: str


class DataReply(msgspec.Struct, frozen=True, kw_only=True):
    """One page. ``after`` begins the next; ``counts`` are nodes by state."""

    rows: tuple[DataRow, ...]
    after: str
    nodes: tuple[NodeAnswer, ...]
    counts: dict[str, int]
    simulated: bool


class TemplatesReply(msgspec.Struct, frozen=True, kw_only=True):
    """Handles of templates; a query may also ask over ``*/NAME``, that name under any prefix."""

    templates: tuple[str, ...]


class LinkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix that its enterprise serves, and the link where there is one."""

    prefix: str
    uscc: str
    name: str
    link: NodeLink | None


class LinksReply(msgspec.Struct, frozen=True, kw_only=True):
    """``public_key`` (PEM) belongs into the application identity at the enterprise's node."""

    public_key: str
    links: tuple[LinkRow, ...]


class LinkReply(msgspec.Struct, frozen=True, kw_only=True):
    """A link as stored, and how trying it went."""

    link: NodeLink
    tried: NodeAnswer


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door; changes go into ``journal``."""
    return routes_of(_Queries(node, journal).operations())


class _Queries:
    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    def operations(self) -> tuple[Operation, ...]:
        one = partial(Operation, tag="second-level", permission=Permission.SYSTEM)
        links, link = f"{ROOT}/links", f"{ROOT}/links/{{prefix}}"
        return (
            one(
                method="POST", path=f"{ROOT}/query", work=self.query, body=DataQuery,
                reply=DataReply, errors=(403, 404),
                summary="Data of a template from hosted names and enterprises' nodes at once",
            ),
            one(
                method="GET", path=f"{ROOT}/templates", work=self.templates,
                permission=Permission.READ, reply=TemplatesReply,
                summary="Templates that hosted names use or enterprises told",
            ),
            one(
                method="GET", path=links, work=self.links, reply=LinksReply,
                summary="Enterprises' nodes and how each is asked",
            ),
            one(
                method="PUT", path=link, work=self.put, body=LinkForm, reply=LinkReply,
                errors=(404,), summary="Set how an enterprise's node is asked, and try it",
            ),
            one(
                method="DELETE", path=link, work=self.remove, errors=(404,),
                summary="Ask an enterprise's node no longer",
            ),
        )  # fmt: skip

    async def query(self, asked: Asked) -> Any:
        return await self._node.unified.query(asked.body, asked.lang)

    def templates(self, _asked: Asked) -> TemplatesReply:
        told = (str(row["handle"]) for row in self._node.templates())
        return TemplatesReply(templates=tuple(sorted({*told, *self._node.lookup.templates()})))

    def links(self, _asked: Asked) -> LinksReply:
        rows = (LinkRow(**one._asdict()) for one in self._node.links.targets())
        return LinksReply(public_key=self._node.query_key().public().pem().decode(),
                          links=tuple(rows))  # fmt: skip

    async def put(self, asked: Asked) -> LinkReply:
        prefix = asked.path("prefix")
        made = await asyncio.to_thread(self._node.links.put, prefix, asked.body, asked.account)
        detail = {"url": made.url, "application": made.application}
        await asyncio.to_thread(self._note, asked, "link-set", prefix, detail)
        return LinkReply(link=made, tried=await self._node.unified.try_link(made, asked.lang))

    def remove(self, asked: Asked) -> dict[str, str]:
        prefix = asked.path("prefix")
        self._node.links.remove(prefix)
        self._note(asked, "link-remove", prefix, {})
        return {"removed": prefix}

    def _note(self, asked: Asked, action: str, prefix: str, detail: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal(asked.account, f"identity.{action}", prefix, detail, asked.address)
