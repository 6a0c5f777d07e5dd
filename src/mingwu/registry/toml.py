"""A small TOML 1.0 writer for what a plant file holds.

Style: scalars first, then every top-level list of tables as ``[[name]]``; tables inside are
inline, lists of tables inside one inline table per line. Reading is the standard library's.
"""

import re
from collections.abc import Mapping, Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F


def dumps(data: Mapping[str, object]) -> str:
    """TOML text of ``data``; values: str, bool, int, float, lists and mappings of them.

    None is left out, as TOML has no word for it.
    """
    lines, sections = [], []
    for key, value in data.items():
        rows = _tables(value)
        if rows:
            for row in rows:
                sections += ["", f"[[{_key(key)}]]", *_section(row)]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    return "\n".join(lines + sections) + "\n"


def _section(row: Mapping[str, object]) -> list[str]:
    lines = []
    for key, value in row.items():
        rows = _tables(value)
        if rows:
            lines += [f"{_key(key)} = [", *(f"  {_value(item)}," for item in rows), "]"]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines


def _tables(value: object) -> list[Mapping[str, object]]:
    """The rows when ``value`` is a list of tables only, else nothing."""
    if not isinstance(value, list | tuple):
        return []
    rows = [item for item in value if isinstance(item, Mapping)]
    return rows if len(rows) == len(value) else []


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    def escape(char: str) -> str:
        if char in _ESCAPES:
            return _ESCAPES[char]
        code = ord(char)
        return f"\\u{code:04x}" if code < _FIRST_PRINTABLE or code == _DELETE else char

    return '"' + "".join(map(escape, text)) + '"'


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)  # Python's 1e-05, inf and nan are TOML's too
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"TOML has no form for {type(value).__name__}")
