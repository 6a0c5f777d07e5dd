"""Reads settings declarations: the one source of sample file, reference page and JSON Schema.

A field's meaning stands in the comment lines above it (or beside it) in the struct's source; the
house test fails where it is missing, so what is printed here is never empty.
"""

import ast
import enum
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec

from mingwu.kernel.settings import Settings


@dataclass(frozen=True)
class Field:
    """One setting: ``nested`` is its struct when the setting is a table of its own."""

    name: str
    meaning: str
    default: Any
    shape: str
    nested: type[Settings] | None


def fields(cls: type[Settings]) -> Iterator[Field]:
    """The settings of ``cls`` in declared order."""
    meanings = _meanings(cls)
    for info in msgspec.structs.fields(cls):
        default = info.default
        if default is msgspec.NODEFAULT and info.default_factory is not msgspec.NODEFAULT:
            default = info.default_factory()
        nested = (
            info.type if isinstance(info.type, type) and issubclass(info.type, Settings) else None
        )
        yield Field(
            info.encode_name, meanings.get(info.name, ""), default, _type_name(info.type), nested
        )


def _meanings(cls: type) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(cls))
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 — getsource of a class
    meanings: dict[str, str] = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            index = node.lineno - 2
            while index >= 0 and lines[index].strip().startswith("#"):
                above.insert(0, lines[index].strip().lstrip("# "))
                index -= 1
            beside = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")[2]
            meanings[node.target.id] = " ".join([*above, beside]).strip()
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and meanings:
            last = next(reversed(meanings))
            meanings[last] = meanings[last] or " ".join(str(node.value.value).split())
    return meanings


def _type_name(declared: Any) -> str:
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return " | ".join(f'"{member.value}"' for member in declared)
    if isinstance(declared, type):
        return declared.__name__
    bounds = [m for m in getattr(declared, "__metadata__", ()) if isinstance(m, msgspec.Meta)]
    if bounds:
        meta = bounds[0]
        pairs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt))
        limits = " ".join(f"{sign} {value}" for sign, value in pairs if value is not None)
        return f"{_type_name(get_args(declared)[0])} {limits}".strip()
    if get_origin(declared) in {tuple, list, frozenset}:
        return f"list of {_type_name(get_args(declared)[0])}"
    options = [option for option in get_args(declared) if option is not type(None)]
    return " or ".join(map(_type_name, options)) if options else str(declared)


def toml_value(value: Any) -> str:
    """A default as TOML writes it."""
    if isinstance(value, enum.Enum):
        return toml_value(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, msgspec.Struct):
        pairs = (f"{k} = {toml_value(v)}" for k, v in msgspec.structs.asdict(value).items())
        return "{ " + ", ".join(pairs) + " }"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
