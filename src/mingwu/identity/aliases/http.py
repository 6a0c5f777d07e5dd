"""Over HTTP: codes, aliases, chains, OID answers.

=================================  =====================================================
``GET /api/identity/codes``        ``?text=``: all readings of a text
``GET /api/identity/chain/{t}``    the graph from a code or name; ``depth`` 1-20
``GET /api/identity/record/{t}``   what a name answers, also one of another node (viewer)
``GET /api/identity/aliases/{t}``  names that a code leads to, and their aliases
``POST /api/identity/aliases``     {"name", "alias"}: give an alias (permission register)
``DELETE /api/identity/aliases``   the same, take it away
``GET /api/identity/oid/{oid}``    NAPTR answers, see ``aliases.naptr``
=================================  =====================================================

Reading is as open as resolving, but other nodes are asked only for those who are logged in. Text
language: ``lang`` (zh, en), default en.
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.routing import Route

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import DEPTH, Source, chain
from mingwu.identity.aliases.naptr import answer
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.codes.recognition import NAMES, readings, require
from mingwu.identity.records import RecordStore
from mingwu.identity.routing import Asked, Operation, routes_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.trust.roles import Permission
from mingwu.wire.handle.jsonform import value_to_json

_BASE = "/api/identity"
_MOST_BODY = 16_384


class AliasChange(msgspec.Struct, frozen=True):
    """Body of POST and DELETE."""

    name: str
    alias: str


class TextQuery(msgspec.Struct, frozen=True):
    """What somebody typed or scanned."""

    text: str = ""


class ChainQuery(msgspec.Struct, frozen=True):
    """How many steps to follow."""

    depth: Annotated[int, Meta(ge=1, le=20)] = DEPTH


def routes(store: RecordStore, *, source: Source | None = None) -> list[Route]:
    """Routes over a store; ``source`` is where chains ask (default: the store alone)."""
    return routes_of(_Aliases(store, source).operations())


class _Aliases:
    def __init__(self, store: RecordStore, source: Source | None) -> None:
        self._store = store
        self._book = AliasBook(store)
        self._here = local_source(store)
        self._anywhere = source or self._here

    def operations(self) -> tuple[Operation, ...]:
        one = partial(Operation, tag="codes")
        change = partial(
            one, path=f"{_BASE}/aliases", permission=Permission.REGISTER, body=AliasChange,
            body_bytes=_MOST_BODY, errors=(404, 409),
        )  # fmt: skip
        return (
            one(
                method="GET", path=f"{_BASE}/codes", work=self.codes, permission=None,
                summary="All readings of a text as a code", query=TextQuery,
            ),
            one(
                method="GET", path=f"{_BASE}/chain/{{text:path}}", work=self.graph, permission=None,
                summary="The graph from a code or name across owners, places and systems",
                query=ChainQuery, errors=(404,),
            ),
            one(
                method="GET", path=f"{_BASE}/record/{{text:path}}", work=self.record,
                summary="What a name answers, also one of another node", errors=(404,),
            ),
            one(
                method="GET", path=f"{_BASE}/aliases/{{text:path}}", work=self.names,
                summary="Names that a code leads to, and their aliases", permission=None,
            ),
            change(method="POST", work=self.give, summary="Give a name an alias"),
            change(method="DELETE", work=self.take, summary="Take an alias away"),
            one(
                method="GET", path=f"{_BASE}/oid/{{oid:path}}", work=self.oid, permission=None,
                summary="NAPTR answers of an object identifier",
            ),
        )  # fmt: skip

    def codes(self, asked: Asked) -> Any:
        found = [code.as_dict(asked.lang) for code in readings(asked.query.text)]
        for body in found:
            names = NAMES.get(str(body["system"]), ("", ""))
            body["system_name"] = names[asked.lang == "zh"]
        return {"text": asked.query.text, "readings": found}

    async def graph(self, asked: Asked) -> Any:
        source = self._anywhere if asked.account else self._here
        return await chain(asked.path("text"), source, depth=asked.query.depth)

    async def record(self, asked: Asked) -> Any:
        name = asked.path("text")
        seen = await self._anywhere.look(name, True)  # noqa: FBT003 — may ask other nodes
        return {
            "handle": name,
            "state": seen.state,
            "site": seen.site,
            "owner": seen.owner,
            "values": [value_to_json(value) for value in seen.values if value.is_public],
        }

    def names(self, asked: Asked) -> Any:
        code = require(asked.path("text"))
        return {
            "code": code.as_dict(asked.lang),
            "names": [
                {
                    "name": name,
                    "aliases": [one.as_dict(asked.lang) for one in self._book.aliases(name)],
                }
                for name in self._book.names_of(code)
            ],
        }

    def give(self, asked: Asked) -> Any:
        code = self._book.add(asked.body.name, asked.body.alias)
        return {"name": asked.body.name, "alias": code.as_dict(asked.lang)}

    def take(self, asked: Asked) -> Any:
        self._book.remove(asked.body.name, asked.body.alias)
        return {"name": asked.body.name}

    def oid(self, asked: Asked) -> Any:
        text = asked.path("oid")
        code = require(text if text[:1].isdigit() or ":" in text else "/" + text)
        if code.system != "oid":
            raise InvalidInput(
                "codes.oid",
                text=text[:60],
                detail=Phrase(f"it is a {code.system} code", f"这是 {code.system} 编码"),
            )
        return answer(self._store, code)
