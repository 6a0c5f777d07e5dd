"""The API's reference page ``/api/docs``: what the OpenAPI document says, as plain HTML.

Made once from the endpoint declarations; no script, nothing from outside.
"""

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from msgspec import json as msgjson

from mingwu.api.openapi import Described

_STYLE = """
body{font:15px/1.55 system-ui,sans-serif;max-width:920px;margin:32px auto;padding:0 20px;
color:#192024;background:#f3f4f2}
h1{font-size:24px;margin:0 0 4px}h2{font-size:15px;margin:32px 0 8px;text-transform:capitalize}
article{background:#fff;border:1px solid #e1e4e0;border-radius:8px;padding:10px 16px;margin:8px 0}
code{font:13px ui-monospace,monospace}b{display:inline-block;min-width:58px;color:#0b5f78}
small{color:#6f7a80}table{border-collapse:collapse;margin:6px 0 2px}
td{padding:2px 16px 2px 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#0f1417;color:#e4eaec}a{color:#5bb5d0}
article{background:#161d21;border-color:#263037}b{color:#58b6d1}}
"""

_CONVERTER = re.compile(r":\w+(?=})")

_LIVE = """<h2>live</h2><article><b>WS</b><code>/api/live</code> — live values
<p>Send <code>{"subscribe": [tag numbers], "id": 1}</code> or <code>{"subscribe": "status"}</code>
or <code>{"subscribe": "gateway.NAME"}</code>; the answer names a topic, a snapshot follows, then
what changed. Columns: <code>n</code> tag, <code>v</code> value, <code>ms</code> source time,
<code>q</code> quality byte, <code>x</code> texts.
<code>{"unsubscribe": topic}</code> ends it.</p></article>"""


def docs_page(described: Sequence[Described]) -> str:
    """The page."""
    sections = "".join(
        f"<h2>{escape(tag)}</h2>" + "".join(_article(one) for one in group)
        for tag, group in groupby(sorted(described, key=lambda e: e.tag), key=lambda e: e.tag)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Mingwu API</title>'
        f"<style>{_STYLE}</style><h1>Mingwu API</h1>"
        '<p>The same as a document: <a href="/api/openapi.json">/api/openapi.json</a>. '
        "Log in with POST /api/session; the reply's token is a bearer token.</p>"
        f"{sections}{_LIVE}</html>"
    )


def _article(one: Described) -> str:
    role = f"role {one.role}" if one.role else "open"
    return (
        f"<article><b>{one.method}</b><code>{escape(_CONVERTER.sub('', one.path))}</code>"
        f" — {escape(one.summary)} <small>({role})</small>{_rows(one)}</article>"
    )


def _rows(one: Described) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_shape(shape))}</td></tr>"
        for cls in (one.query, one.body)
        if cls is not None
        for name, shape in _fields(cls).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _fields(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for schema in msgjson.schema(cls).get("$defs", {}).values():
        found |= schema.get("properties", {})
    return found


def _shape(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return " | ".join(str(value) or "(empty)" for value in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(_shape(one) for one in shape["anyOf"])
    limits = [f"{word} {shape[key]}" for key, word in _LIMITS if key in shape]
    default = [f"default {shape['default']}"] if shape.get("default") not in (None, "") else []
    return ", ".join([str(shape.get("type", "value")), *limits, *default])


_LIMITS = (
    ("minimum", "from"),
    ("maximum", "to"),
    ("minLength", "at least"),
    ("maxLength", "at most"),
    ("maxItems", "items at most"),
    ("description", "—"),
)
