"""A resolution for people and for programs.

``format_resolution`` renders it as text or JSON; ``check`` turns what did not resolve into an error
with a next step. Control characters of a stranger's record never reach a terminal.
"""

import orjson

from mingwu.identity.client.handleclient import Resolution
from mingwu.identity.client.refusals import refused
from mingwu.identity.live import LIVE_TYPE, is_live
from mingwu.kernel.catalogue import codes, render
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.values import HandleValue

_LONGEST, _SHORTENED = 400, 64


def format_resolution(result: Resolution, form: str = "text") -> str:
    """The result for people (``text``) or programs (``json``)."""
    if form == "json":
        body: dict[str, object] = {"responseCode": result.rc, "handle": result.handle}
        if result.message:
            body["message"] = result.message
        if result.aliases:
            body["aliases"] = list(result.aliases)
        if result.ok:
            body["values"] = [value_to_json(value) for value in result.values]
        return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    head = f"{result.handle}  code {result.rc}  {result.elapsed_ms:.1f} ms  via " + " > ".join(
        result.path
    )
    lines = [head, *([result.message] if result.message else [])]
    if result.aliases:
        lines.insert(0, " = ".join((*result.aliases, result.handle)))
    lines += [_line(value) for value in sorted(result.values, key=_by_index)]
    return "\n".join(lines)


def _by_index(value: HandleValue) -> int:
    return value.index


def why_untold(result: Resolution, lang: str) -> list[str]:
    """Why an active carrier tells no readings, and the next step; nothing when it tells them."""
    for value in result.values:
        told = _live(value)
        reason, detail = told.get("reason"), told.get("detail")
        if value.type == LIVE_TYPE and isinstance(reason, str) and reason in codes():
            known = detail if isinstance(detail, dict) else {}
            texts = render(reason, lang, {"serial": told.get("carrier", ""), **known})
            return [inert(text) for text in texts] + [""]
    return []


def inert(text: str) -> str:
    """A stranger's text for a terminal: without control characters."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _live(value: HandleValue) -> dict[str, object]:
    """The JSON object of a live value; empty for others and for what is none."""
    if not is_live(value.type):
        return {}
    try:
        found = orjson.loads(value.data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _live_line(told: dict[str, object]) -> str:
    """A live value in words: what, when, how good, and the signed report that brought it."""
    if "tag" in told:
        value = told.get("value")
        unit = "" if told.get("unit") in {"", "1", None} else f" {told['unit']}"
        shown = f"{value:.15g}" if isinstance(value, float) else value
        words = ["–" if value is None else f"{shown}{unit}", told.get("time"), told.get("quality")]
    else:
        believed = "trusted" if told.get("trusted") is True else "not trusted"
        words = [told.get("state"), believed, told.get("reason"), told.get("measured")]
    words += ["simulated" if told.get("simulated") is True else ""]
    if told.get("report"):
        words.append(f"report {told['report']} · {str(told.get('evidence', ''))[:12]}…")
    return " · ".join(str(word) for word in words if word)


def _line(value: HandleValue) -> str:
    data, told = value_to_json(value)["data"], _live(value)
    shown = (
        data["value"] if isinstance(data["value"], str) else orjson.dumps(data["value"]).decode()
    )
    if told.keys() & {"tag", "trusted"}:
        shown = _live_line(told)
    if len(shown) > _LONGEST:  # signatures and keys, of use to programs
        shown = f"{shown[:_SHORTENED]}… {len(shown)} characters, all of them with --json"
    return f"{value.index:>9}  {value.type:<24}  {inert(shown)}"


def check(result: Resolution, server: str) -> Resolution:
    """The result if it resolved; raises PeerError ``identity.refused`` otherwise."""
    if not result.ok:
        raise refused(server, result.rc, result.handle, result.message)
    return result
