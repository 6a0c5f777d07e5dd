"""Linksets (RFC 9264, GS1 Resolver 1.2 §2.10): JSON, JSON-LD and a page for people.

Rules kept: an anchor per level; every target has href and title; a level has exactly one
defaultLink, with nothing but href and title; hreflang is an array.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

import orjson

from mingwu.identity.gs1.links import DEFAULT, DEFAULT_MULTI, VOCABULARY, Level, Link
from mingwu.wire.gs1.link import parse_uri

LINKSET = "application/linkset+json"
JSON = "application/json"
JSON_LD = "application/ld+json"
HTML = "text/html"
# A language tag (RFC 5646): language, perhaps script, perhaps country, perhaps more.
_TAG = re.compile(r"(?i)([a-z]{2})(?:-[a-z]{4})?(-[a-z]{2})?(?:-.*)?")
_CHINESE = {
    "defaultLink": "默认链接",
    "defaultLinkMulti": "按语言的默认链接",
    "pip": "产品信息",
    "masterData": "主数据",
    "instructions": "使用说明",
    "certificationInfo": "认证信息",
    "traceability": "追溯信息",
    "safetyInfo": "安全信息",
}


def linkset(levels: Iterable[Level], root: str, *, packed: bool = False) -> dict[str, Any]:
    """The linkset document of some levels; ``root`` is the resolver's address.

    ``packed``: anchors as compressed Digital Links.
    """
    entries = [_entry(level, root) for level in levels]
    if packed:
        for entry in entries:
            entry["anchor"] = parse_uri(entry["anchor"]).compressed
    return {"linkset": entries}


def only(level: Level, links: Iterable[Link], root: str) -> dict[str, Any]:
    """The linkset of a choice: some links of one level."""
    entry: dict[str, Any] = {"anchor": f"{root}/{level.path}"}
    for link in links:
        entry.setdefault(link.rel, []).append(_target(link))
    return {"linkset": [entry]}


def json_ld(document: dict[str, Any], context_url: str) -> dict[str, Any]:
    """The same with its JSON-LD context."""
    return {"@context": [context_url], **document}


def page(document: dict[str, Any], context_url: str, title: str, lang: str = "en") -> bytes:
    """An HTML page with the links, the linkset embedded as JSON-LD; values are inert."""
    # "<" cannot end the script element when it is written as an escape
    data = orjson.dumps(json_ld(document, context_url)).replace(b"<", b"\\u003c").decode()
    parts: list[str] = []
    for entry in document["linkset"]:
        item = f"<p>{escape(entry['itemDescription'])}</p>" if "itemDescription" in entry else ""
        parts.append(f"<h2>{escape(entry['anchor'])}</h2>{item}<ul>")
        for rel, targets in entry.items():
            if not isinstance(targets, list):
                continue
            name = escape(_label(rel, lang))
            parts += [
                f'<li>{name}: <a rel="noreferrer" href="{escape(target["href"])}">'
                f"{escape(target['title'])}</a></li>"
                for target in targets
            ]
        parts.append("</ul>")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    script = f'<script type="{JSON_LD}">{data}</script>'
    shown = "".join(parts)
    body = f"<h1>{escape(title)}</h1>{shown}"
    html = f'<html lang="{lang}"><head>{head}{script}</head><body>{body}</body></html>'
    return f"<!doctype html>{html}".encode()


def _label(rel: str, lang: str) -> str:
    """A relation in words where there are some, else as the vocabulary writes it."""
    word = rel.removeprefix(VOCABULARY)
    return f"{_CHINESE[word]}（{word}）" if lang == "zh" and word in _CHINESE else word


def _entry(level: Level, root: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "anchor": f"{root}/{level.path}",
        "itemDescription": level.description,
        DEFAULT: [{"href": level.default.href, "title": level.default.title}],
    }
    if level.defaults:
        entry[DEFAULT_MULTI] = [_target(link) for link in level.defaults]
    for link in level.links:
        entry.setdefault(link.rel, []).append(_target(link))
    return entry


def _target(link: Link) -> dict[str, Any]:
    target: dict[str, Any] = {"href": link.href, "title": link.title}
    if link.type:
        target["type"] = link.type
    tags = dict.fromkeys(filter(None, map(_schema_tag, link.hreflang)))
    if tags:
        target["hreflang"] = list(tags)
    if link.context:
        target["context"] = list(link.context)
    return target


def _schema_tag(tag: str) -> str:
    """What the schema of linksets has room for: zh-Hans-CN as zh-CN, zh-Hant as zh; else ""."""
    match = _TAG.fullmatch(tag)
    return match[1] + (match[2] or "") if match else ""
