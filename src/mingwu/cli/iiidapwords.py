"""How ``mingwu iiidap`` shows answers to people: records, tables, notices, next steps."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mingwu.cli.tables import padded, plain, table, width

Answer = Mapping[str, Any]

_TEXTS = {
    "identifier": ("Identifier", "标识"),
    "prefix": ("Prefix", "前缀"),
    "entity": ("Enterprise", "企业"),
    "code": ("Credit code", "信用代码"),
    "name": ("Name", "名称"),
    "template": ("Template", "数据模板"),
    "mode": ("Served", "服务方式"),
    "hosted": ("hosted here", "本节点托管"),
    "own": ("enterprise's own node", "企业自建节点"),
    "status": ("Status", "状态"),
    "holder": ("Holder", "持有企业"),
    "contact": ("Contact", "联系人"),
    "prefixes": ("Prefixes", "前缀"),
    "registration": ("Registered", "登记时间"),
    "last changed": ("Changed", "变更时间"),
    "node": ("Node", "节点地址"),
    "left-out": ("left out: {why}", "未显示：{why}"),
    "nothing": ("Nothing was found.", "没有找到。"),
    "total": ("{shown} of {total} shown", "共 {total} 项，显示 {shown} 项"),
    "count": ("{shown} shown", "显示 {shown} 项"),
    "next-resolve": (
        "its data: mingwu resolve {name} --root …",
        "解析数据：mingwu resolve {name} --root …",
    ),
    "next-node": (
        "ask the enterprise's node: mingwu resolve {name} --server {node}",
        "向企业节点解析：mingwu resolve {name} --server {node}",
    ),
    "next-names": (
        "its identifiers: mingwu iiidap search identifiers '{name}/*' …",
        "其标识：mingwu iiidap search identifiers '{name}/*' …",
    ),
    "next-prefix": (
        "one of its prefixes: mingwu iiidap query {name} …",
        "查看前缀：mingwu iiidap query {name} …",
    ),
    "next-pages": ("there is more: --pages {pages}", "还有更多：--pages {pages}"),
    "next-token": (
        "there is more: narrow the pattern, or use --token-file",
        "还有更多：请缩小范围，或使用 --token-file",
    ),
    "next-wider": ("look wider: a shorter pattern", "扩大范围：缩短检索模式"),
    "next-query": (
        "one of them: mingwu iiidap query {name} …",
        "查看其一：mingwu iiidap query {name} …",
    ),
    "next-ask": (
        "ask: mingwu iiidap query NAME | search identifiers|prefixes|entities 'PATTERN*'",
        "查询：mingwu iiidap query 标识 | search identifiers|prefixes|entities '模式*'",
    ),
}  # fmt: skip
_COLUMNS = {
    "identifier": ("identifier", "template", "holder", "last changed"),
    "prefix": ("prefix", "mode", "holder", "registration"),
    "entity": ("code", "name", "prefixes", "last changed"),
}
_RECORDS = {
    "identifier": ("identifier", "template", "status", "prefix", "holder", "contact",
                   "last changed", "node"),
    "prefix": ("prefix", "status", "mode", "holder", "contact", "registration", "last changed",
               "node"),
    "entity": ("code", "name", "status", "prefixes", "contact", "last changed"),
}  # fmt: skip
_CARD_PARTS = 4  # name, parameters, type, value (RFC 7095 3.3)
_HIDDEN_TITLES = {"Modelled on", "参照实现"}
_RESULTS = "SearchResults"
_TRUNCATED = "result set truncated due to authorization"


def word(key: str, lang: str, **params: object) -> str:
    """A text in the language asked for."""
    return _TEXTS[key][lang == "zh"].format(**params)


def shown(action: str, answers: Sequence[Answer], lang: str) -> Iterator[str]:
    """The lines of all answers."""
    if action == "search":
        yield from _table(answers, lang)
    elif action == "query":
        yield from _record(answers[0], lang)
    yield from _notices(answers[-1], everything=action == "help")


def next_steps(
    arguments: argparse.Namespace, answers: Sequence[Answer], *, more: bool
) -> list[str]:
    """What can be done next, as commands."""
    lang = arguments.lang
    if arguments.action == "help":
        return [word("next-ask", lang)]
    if arguments.action == "query":
        return [_after_record(answers[0], lang)]
    rows = [row for answer in answers for row in _rows(answer)]
    steps = []
    if rows:
        steps.append(word("next-query", lang, name=_facts(rows[0], lang)["key"]))
    else:
        steps.append(word("next-wider", lang))
    if more:
        steps.append(word("next-pages", lang, pages=arguments.pages + 1))
    elif any(one.get("type") == _TRUNCATED for one in answers[-1].get("notices", [])):
        steps.append(word("next-token", lang))
    return steps


def _after_record(answer: Answer, lang: str) -> str:
    facts, kind = _facts(answer, lang), answer.get("objectClassName")
    name = facts["key"]
    if kind == "identifier":
        node = facts["node"].removeprefix("hdl://")
        if node and not node.startswith("hdl:"):
            return word("next-node", lang, name=name, node=node)
        return word("next-resolve", lang, name=name)
    if kind == "entity":
        return word("next-prefix", lang, name=facts["prefixes"].partition(",")[0])
    return word("next-names", lang, name=name)


def _rows(answer: Answer) -> list[Answer]:
    return next((value for key, value in answer.items() if key.endswith(_RESULTS)), [])


def _table(answers: Sequence[Answer], lang: str) -> Iterator[str]:
    rows = [row for answer in answers for row in _rows(answer)]
    if not rows:
        yield word("nothing", lang)
        return
    columns = _COLUMNS.get(str(rows[0].get("objectClassName")), ("name",))
    cells = [[word(column, lang) for column in columns]]
    for row in rows:
        facts = _facts(row, lang)
        cells.append([facts.get(column, "") for column in columns])
    yield from table(cells)
    total = answers[0].get("paging_metadata", {}).get("totalCount")
    key = "count" if total is None else "total"
    yield word(key, lang, shown=len(rows), total=total)


def _record(answer: Answer, lang: str) -> Iterator[str]:
    facts = _facts(answer, lang)
    for entry in answer.get("redacted", []):
        why = plain(entry.get("reason", {}).get("description", ""))
        facts["contact"] = word("left-out", lang, why=why)
    labels = [
        (word(key, lang), facts[key])
        for key in _RECORDS.get(str(answer.get("objectClassName")), tuple(facts))
        if facts.get(key)
    ]
    widest = max((width(label) for label, _ in labels), default=0)
    for label, text in labels:
        yield f"{padded(label, widest)}  {text}"


def _facts(row: Answer, lang: str) -> dict[str, str]:
    """What is shown of an object, by the keys of the texts; ``key`` is how it is asked for."""
    kind, handle = str(row.get("objectClassName", "")), plain(row.get("handle", ""))
    holder = row if kind == "entity" else _first(row.get("entities"))
    contact = _first(holder.get("entities"))
    events = {one.get("eventAction"): plain(one.get("eventDate")) for one in row.get("events", [])}
    card = _card(holder)
    reached = [_card(contact).get(name, "") for name in ("fn", "tel", "email")]
    mode = str(row.get("mode", ""))
    return {
        "key": handle,
        "identifier": handle,
        "prefix": handle if kind == "prefix" else plain(row.get("prefix", "")),
        "code": handle,
        "name": card.get("fn", ""),
        "template": plain(row.get("template", "")),
        "mode": word(mode, lang) if mode in {"hosted", "own"} else plain(mode),
        "status": ", ".join(map(plain, row.get("status", []))),
        "holder": card.get("fn", ""),
        "contact": " ".join(text for text in reached if text),
        "prefixes": ", ".join(map(plain, row.get("iiidap_prefixes", []))),
        "registration": events.get("registration", ""),
        "last changed": events.get("last changed", ""),
        "node": next((plain(one.get("href")) for one in row.get("links", [])
                      if one.get("rel") == "related"), ""),
    }  # fmt: skip


def _first(entities: object) -> Answer:
    return entities[0] if isinstance(entities, list) and entities else {}


def _card(entity: Answer) -> dict[str, str]:
    card = entity.get("vcardArray", ["vcard", []])
    return {str(field[0]): plain(field[3]) for field in card[1] if len(field) >= _CARD_PARTS}


def _notices(answer: Answer, *, everything: bool) -> Iterator[str]:
    for one in answer.get("notices", []):
        title = plain(one.get("title", ""))
        if title in _HIDDEN_TITLES and not everything:
            continue
        lines = [plain(line) for line in one.get("description", [])]
        if everything:
            yield f"{title}:"
            yield from (f"  {line}" for line in lines)
            yield from (f"  {plain(link.get('href'))}" for link in one.get("links", []))
        else:
            yield f"# {title}: {' '.join(lines)}"
