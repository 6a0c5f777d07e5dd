"""A resolution for people and for programs.

``format_resolution`` renders it as text or JSON; ``check`` turns what did not resolve into an error
with a next step. Control characters of a stranger's record never reach a terminal.
"""

import orjson

from mingwu.identity.client.handleclient import Resolution
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.values import HandleValue


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


def _line(value: HandleValue) -> str:
    data = value_to_json(value)["data"]
    shown = (
        data["value"] if isinstance(data["value"], str) else orjson.dumps(data["value"]).decode()
    )
    # Control characters of a stranger's record must not reach the terminal.
    shown = "".join(char if char.isprintable() else "�" for char in shown)
    return f"{value.index:>9}  {value.type:<24}  {shown}"


def check(result: Resolution, server: str) -> Resolution:
    """The result if it resolved; raises PeerError ``identity.refused`` otherwise."""
    if not result.ok:
        raise PeerError(
            "identity.refused", server=server, code=result.rc, name=result.handle,
            detail=result.message,
        )  # fmt: skip
    return result
