"""Answers to searches of the data access service, and what leads on from them.

Members as in RFC 8977 (``paging_metadata``, ``sorting_metadata``). Strangers get the first page and
are told, with the type registered for it, when there is more.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Row

from mingwu.identity.secondlevel.iiidap.answers import (
    REDACTED,
    Members,
    View,
    answer,
    contact_path,
    entity_object,
    identifier_object,
    notice,
    prefix_object,
    redacted,
)
from mingwu.identity.secondlevel.iiidap.find import (
    KINDS,
    Page,
    Search,
    find,
    read_search,
    write_cursor,
)
from mingwu.identity.secondlevel.iiidap.names import NAMES
from mingwu.identity.secondlevel.prefixes import prefix_row
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import NotAuthenticated

_WORDS = {
    "more": ("结果未列全", "Search results are not complete"),
    "more-text": (
        "匿名检索仅返回前 {limit} 项。请缩小范围，或登录后翻页。",
        "Strangers get the first {limit}. Narrow the search, or page on with an account.",
    ),
    "hosted": ("仅含托管标识", "Hosted identifiers only"),
    "hosted-text": (
        "企业自建节点上的标识不在此列；请按前缀查询其节点。",
        "Names on enterprises' own nodes are not listed; look their prefix up for the node.",
    ),
}


def search(
    node: SecondLevel, kind: str, params: Mapping[str, Sequence[str]], view: View
) -> Members:
    """Search results with what leads on; strangers are told that there is more."""
    asked = read_search(kind, params)
    if (asked.after is not None or asked.count) and not view.known:
        raise NotAuthenticated("secondlevel.pages-for-accounts")
    limit = node.settings.iiidap_page
    page = find(node.engine, asked, limit)
    singular = KINDS[kind].object
    results = f"{singular}SearchResults"
    members: Members = {results: _objects(node, kind, page.rows, view)}
    extensions = ["sorting"]
    notices = []
    if kind == NAMES["identifiers"]:
        notices.append(_told(view, "hosted", ""))
    if page.after is not None and not view.known:
        kept_back = "result set truncated due to authorization"
        notices.append(_told(view, "more", kept_back, limit=limit))
    if view.known:
        members["paging_metadata"] = _paging(asked, page, view)
        extensions.append("paging")
    members["sorting_metadata"] = _sorting(asked, results, view)
    if not view.contacts:
        members |= redacted(view, contact_path(singular, f"$.{results}[*]"))
        extensions.append(REDACTED)
    return answer(node, view, members, notices=notices, extensions=extensions)


def _told(view: View, key: str, kind: str, **params: object) -> Members:
    at = 0 if view.lang == "zh" else 1
    return notice(_WORDS[key][at], _WORDS[key + "-text"][at].format(**params), kind=kind)


def _objects(node: SecondLevel, kind: str, rows: Sequence[Row[Any]], view: View) -> list[Members]:
    tenants = node.tenants.some({row.uscc for row in rows})
    if kind == NAMES["prefixes"]:
        return [prefix_object(prefix_row(row), tenants[row.uscc], view) for row in rows]
    if kind == NAMES["entities"]:
        held = node.prefixes.held_by({row.uscc for row in rows})
        return [entity_object(tenants[row.uscc], held[row.uscc], view) for row in rows]
    given = node.prefixes.some({row.prefix for row in rows})
    return [
        identifier_object(
            row.name, given[row.prefix], tenants[row.uscc], view,
            template=row.template, at_ms=row.at_ms,
        )
        for row in rows
    ]  # fmt: skip


def _address(asked: Search, view: View, **more: str) -> str:
    query = {asked.field: asked.pattern} | more
    return f"{view.base}/{asked.kind}?{urlencode(query)}"


def _spelled(asked: Search) -> str:
    return f"{asked.sort}:{'d' if asked.descending else 'a'}"


def _paging(asked: Search, page: Page, view: View) -> Members:
    told: Members = {"pageSize": len(page.rows)}
    if page.total is not None:
        told["totalCount"] = page.total
    if page.after is not None:
        following = _address(asked, view, sort=_spelled(asked), cursor=write_cursor(*page.after))
        told["links"] = [{
            "value": _address(asked, view, sort=_spelled(asked)), "rel": "next",
            "href": following, "type": NAMES["media"],
        }]  # fmt: skip
    return told


def _sorting(asked: Search, results: str, view: View) -> Members:
    sorts = KINDS[asked.kind].sorts
    return {
        "currentSort": _spelled(asked),
        "availableSorts": [
            {
                "property": name,
                "jsonPath": f"$.{results}[*].{sort.path}",
                "default": at == 0,
                "links": [{
                    "value": _address(asked, view), "rel": "alternate",
                    "href": _address(asked, view, sort=name), "type": NAMES["media"],
                }],
            }
            for at, (name, sort) in enumerate(sorts.items())
        ],
    }  # fmt: skip
