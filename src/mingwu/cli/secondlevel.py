"""``mingwu secondlevel``: hosted names from a table, and data of all enterprises asked at once.

``register``, ``change`` and ``remove`` send a table's names (see ``cli.hostedtable``), with the
token of an engineer or with an enterprise's key.

``query TEMPLATE ITEM=VALUE …`` prints the rows and what became of asking each node; ``links`` shows
how the nodes are asked and the public key for their application identity; ``link`` sets that for
one, ``unlink`` ends it. ``--api`` is the address of the node's API, ``--token-file`` holds the
token of an administrator.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from mingwu.cli.hostedtable import ACTIONS, calls
from mingwu.cli.language import language
from mingwu.cli.tables import plain, table
from mingwu.identity.secondlevel import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.secondlevel.iiidap.client import refusal
from mingwu.identity.secondlevel.tenantkeys import START as KEY_START
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, PeerError, Unavailable

_OK = 200
_TIMEOUT_S = 60.0
_ROOT = "/api/secondlevel"
_TEXTS = {
    "name": ("Name", "标识"),
    "source": ("From", "来源"),
    "nothing": ("Nothing was found.", "没有找到。"),
    "simulated": ("# Simulated data", "# 仿真数据"),
    "node": ("Node", "节点"),
    "enterprise": ("Enterprise", "企业"),
    "state": ("State", "状态"),
    "rows": ("Rows", "行数"),
    "time": ("Time", "用时"),
    "why": ("Why", "原因"),
    "hosted": ("hosted here", "本节点托管"),
    "answered": ("answered", "已应答"),
    "refused": ("refused", "已拒绝"),
    "unreachable": ("unreachable", "不可达"),
    "unlinked": ("not linked", "未接入"),
    "unknown": ("no such template", "无此模板"),
    "asked": ("{answered} of {all} nodes answered", "{all} 个节点中 {answered} 个已应答"),
    "url": ("Address", "地址"),
    "application": ("Application identity", "应用身份"),
    "key": (
        "Public key of this node, for the application identity at the enterprise:",
        "本节点公钥，供企业创建应用身份时使用：",
    ),
    "next-pages": ("there is more: --pages {pages}", "还有更多：--pages {pages}"),
    "next-link": (
        "ask {prefix} too: mingwu secondlevel link {prefix} URL APPLICATION …",
        "接入 {prefix}：mingwu secondlevel link {prefix} 地址 应用身份 …",
    ),
    "next-look": (
        "a row's record: mingwu resolve {name} --root …",
        "查看记录：mingwu resolve {name} --root …",
    ),
    "next-query": (
        "ask: mingwu secondlevel query TEMPLATE ITEM=VALUE …",
        "查询：mingwu secondlevel query 模板 数据项=值 …",
    ),
    "sent": ("{done} done, {refused} refused", "成功 {done} 个，被拒 {refused} 个"),
    "gone": ("{prefix} is asked no longer", "已取消接入 {prefix}"),
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    query = actions.add_parser("query", help="names of a template with given values")
    query.add_argument("template", help="handle of the template")
    query.add_argument("conditions", nargs="*", help="ITEM=VALUE, or ITEM='beginning*'")
    query.add_argument("--asker", default="", help="credit code of the tenant it is asked for")
    query.add_argument("--limit", type=int, default=100, help="rows on a page, at most 1000")
    query.add_argument("--pages", type=int, default=1, help="pages to fetch, at most")
    links = actions.add_parser("links", help="enterprises' nodes and how each is asked")
    link = actions.add_parser("link", help="set how a node is asked, and try it")
    link.add_argument("prefix")
    link.add_argument("url", help="https://HOST[:PORT] of the enterprise's node")
    link.add_argument("application", help="handle of the application identity made there")
    link.add_argument(
        "--template", action="append", default=[], help="ASKED=THEIRS: what they call a template"
    )
    unlink = actions.add_parser("unlink", help="ask a node no longer")
    unlink.add_argument("prefix")
    tables = [actions.add_parser(name, help=told) for name, told in ACTIONS.items()]
    for one in tables:
        one.add_argument("prefix", help="a prefix that is hosted at the node")
        one.add_argument("table", type=Path, help="CSV: name, template, one column per value")
    for one in (query, links, link, unlink, *tables):
        one.add_argument("--api", required=True, help="address of the second-level node's API")
        one.add_argument(
            "--token-file", type=Path, required=True, help="token, or an enterprise's key"
        )
        one.add_argument("--json", action="store_true", help="print the answers as they came")
        one.add_argument("--lang", choices=("zh", "en"), default=language(), help="language")


def run(arguments: argparse.Namespace) -> int:
    """Print the answer; 1 when the node refuses, or a tried link does not work."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    action, prefix = arguments.action, getattr(arguments, "prefix", "")
    if action == "query":
        return await _query(arguments)
    if action in ACTIONS:
        return await _send(arguments)
    if action == "links":
        told = await _call(arguments, "GET", "/links")
    elif action == "link":
        form = {
            "url": arguments.url,
            "application": arguments.application,
            "templates": _pairs(arguments.template),
        }
        told = await _call(arguments, "PUT", f"/links/{prefix}", form)
    else:
        told = await _call(arguments, "DELETE", f"/links/{prefix}")
    if arguments.json:
        _print_json(told)
    else:
        for line in _shown(arguments, told):
            print(line)
    return int(action == "link" and told["tried"]["state"] != "answered")


async def _query(arguments: argparse.Namespace) -> int:
    body: dict[str, Any] = {
        "template": arguments.template, "conditions": _pairs(arguments.conditions),
        "asker": arguments.asker, "limit": arguments.limit, "after": "",
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    pages = 0
    while True:
        told = await _call(arguments, "POST", "/query", body)
        pages += 1
        if arguments.json:
            _print_json(told)
        rows += told["rows"]
        body["after"] = told["after"]
        if not told["after"] or pages >= max(1, arguments.pages):
            break
    if not arguments.json:
        for line in _answer(arguments, rows, told, pages):
            print(line)
    return 0


async def _send(arguments: argparse.Namespace) -> int:
    """Send a table in calls of 2,000 names; print what was refused, and how many were done."""
    token = await asyncio.to_thread(_token, arguments.token_file)
    own = token.startswith(KEY_START)
    path = f"/tenant/identifiers/{arguments.prefix}" if own else (
        f"/prefixes/{arguments.prefix}/identifiers"
    )  # fmt: skip
    method = {"register": "POST", "change": "PUT", "remove": "DELETE"}[arguments.action]
    done = refused = 0
    for items in calls(arguments.table, arguments.action):
        outcomes = await _call(arguments, method, path, items, list[dict[str, Any]])
        if arguments.json:
            _print_json(outcomes)
        for one in outcomes:
            if one["code"] == 1:
                done += 1
                continue
            refused += 1
            if not arguments.json:
                print(f"{plain(one['name'])}  {one['code']}  {plain(one['message'])}")
    if not arguments.json:
        print(_word("sent", arguments.lang, done=done, refused=refused))
    return int(refused > 0)


def _print_json(told: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        item, sign, value = word.partition("=")
        if not sign or not item:
            raise InvalidInput(
                "input.invalid", path=word, fault=Phrase("write it as NAME=VALUE", "请写成 名称=值")
            )
        pairs[item] = value
    return pairs


def _word(key: str, lang: str, **params: object) -> str:
    return _TEXTS[key][lang == "zh"].format(**params)


def _answer(
    arguments: argparse.Namespace, rows: list[dict[str, Any]], told: Mapping[str, Any], pages: int
) -> Iterator[str]:
    lang = arguments.lang
    if rows:
        items = list(dict.fromkeys(item for row in rows for item in row["values"]))
        cells = [[_word("name", lang), _word("source", lang), *map(plain, items)]]
        for row in rows:
            values = (plain(row["values"].get(item, "")) for item in items)
            cells.append([plain(row["name"]), plain(row["source"]), *values])
        yield from table(cells)
    else:
        yield _word("nothing", lang)
    if told["simulated"]:
        yield _word("simulated", lang)
    yield ""
    yield from _nodes(told["nodes"], lang)
    yield _word("asked", lang, answered=told["counts"]["answered"], all=len(told["nodes"]))
    if rows:
        yield "  → " + _word("next-look", lang, name=plain(rows[0]["name"]))
    if told["after"]:
        yield "  → " + _word("next-pages", lang, pages=pages + 1)
    for step in dict.fromkeys(one[f"next_{lang}"] for one in told["nodes"]):
        if step:
            yield "  → " + plain(step)
    for one in told["nodes"]:
        if one["state"] == "unlinked":
            yield "  → " + _word("next-link", lang, prefix=plain(one["prefix"]))
            break


def _nodes(nodes: list[dict[str, Any]], lang: str) -> Iterator[str]:
    cells = [[_word(key, lang) for key in ("node", "enterprise", "state", "rows", "time", "why")]]
    for one in nodes:
        why = plain(one[f"message_{lang}"])
        name = plain(one["name"])
        cells.append([
            plain(one["prefix"]),
            _word("hosted", lang) if name == "hosted" else name,
            _word(one["state"], lang) if one["state"] in _TEXTS else plain(one["state"]),
            str(one["rows"]),
            f"{one['took_ms']} ms",
            why if one["known"] else _word("unknown", lang),
        ])  # fmt: skip
    yield from table(cells)


def _shown(arguments: argparse.Namespace, told: Mapping[str, Any]) -> Iterator[str]:
    lang = arguments.lang
    if arguments.action == "links":
        keys = ("node", "enterprise", "url", "application")
        cells = [[_word(key, lang) for key in keys]]
        for one in told["links"]:
            link = one["link"] or {"url": _word("unlinked", lang), "application": ""}
            cells.append([plain(one[key]) for key in ("prefix", "name")]
                         + [plain(link[key]) for key in ("url", "application")])  # fmt: skip
        yield from table(cells)
        yield ""
        yield _word("key", lang)
        yield str(told["public_key"]).strip()
        yield "  → " + _word("next-query", lang)
    elif arguments.action == "link":
        yield from _nodes([told["tried"]], lang)
        yield "  → " + _word("next-query", lang)
    else:
        yield _word("gone", lang, prefix=arguments.prefix)


async def _call(
    arguments: argparse.Namespace,
    method: str,
    path: str,
    body: object = None,
    shape: Any = dict[str, Any],
) -> Any:
    token = await asyncio.to_thread(_token, arguments.token_file)
    url = arguments.api.rstrip("/") + _ROOT + path
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": arguments.lang}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    data = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as reply,
        ):
            content = await reply.read()
    except (OSError, aiohttp.ClientError, ValueError) as error:
        detail = told(error)
        raise Unavailable("secondlevel.service-silent", url=url, detail=detail) from error
    if reply.status != _OK:
        raise refusal(url, reply.status, content, reply.headers.get("Retry-After", ""))
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.MsgspecError as error:
        raise PeerError("secondlevel.service-silent", url=url, detail=told(error)) from error


def _token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("input.invalid", path=str(path), fault=told(error)) from error
