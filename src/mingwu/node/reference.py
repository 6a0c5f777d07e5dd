"""Pages made from code: the sample configuration, the settings, the error codes, the commands."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec

import mingwu
from mingwu.field import catalogue as drivers
from mingwu.kernel.catalogue import codes
from mingwu.kernel.settings import Settings
from mingwu.node.config import SECTIONS, Filling
from mingwu.node.declarations import Field, fields, toml_value

# Never shown: the node fills these in from its folder and its secrets.
_FILLED = {"directory", "password"}


def sample() -> str:
    """A configuration file with every setting at its default, explained, as ``#name = value``."""
    lines = [
        "# Mingwu configuration. Every setting stands at its default: uncomment what you change.",
        "# `mingwu check FILE` finds every fault; `mingwu up FILE` starts the platform.",
    ]
    for name, section in SECTIONS.items():
        lines += ["", *_wrapped(_first_paragraph(section.cls)), f"[{name}]"]
        lines += _sample_fields(name, section.cls)
    return "\n".join(lines) + "\n"


def _sample_fields(path: str, cls: type[Settings]) -> Iterator[str]:
    filled = _filled(path)
    nested: list[Field] = []
    for field in fields(cls):
        if field.name in _FILLED:
            continue
        if field.nested is not None:
            nested.append(field)
            continue
        yield from _wrapped(f"{field.meaning} ({field.shape})")
        default = filled.get(field.name, field.default)
        yield (
            f"# {field.name} = {toml_value(default)}"
            if default is not msgspec.NODEFAULT
            else (f"# {field.name} = …  (required)")
        )
    for field in nested:
        if field.nested is not None and field.name not in filled:
            yield from ("", *_wrapped(field.meaning), f"[{path}.{field.name}]")
            yield from _sample_fields(f"{path}.{field.name}", field.nested)


def _filled(path: str) -> dict[str, object]:
    section = SECTIONS.get(path)
    return section.fill({}, Filling(Path("var"), create=False)) if section else {}


def _wrapped(text: str, width: int = 96) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) > width:
            yield line
            line = "#"
        line += f" {word}"
    if line != "#":
        yield line


def _first_paragraph(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def write(folder: Path) -> list[Path]:
    """Write all reference pages; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "configuration.md": _configuration_page(),
        "drivers.md": _drivers_page(),
        "errors.md": _errors_page(),
        "mingwu.sample.toml": sample(),
        "configuration.schema.json": _schema(),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in pages]


def _table(cls: type[Settings], prefix: str = "") -> Iterator[str]:
    for field in fields(cls):
        if field.name in _FILLED:
            continue
        if field.nested is not None:
            yield from _table(field.nested, f"{prefix}{field.name}.")
            continue
        required = field.default is msgspec.NODEFAULT
        default = "required" if required else f"`{toml_value(field.default)}`"
        shape = field.shape.replace("|", "\\|")
        yield f"| `{prefix}{field.name}` | {shape} | {default} | {field.meaning} |"


_HEAD = ["| setting | type | default | meaning |", "|---|---|---|---|"]
_MADE = "<!-- Made by `./dev docs` from the declarations; do not edit. -->"


def _configuration_page() -> str:
    lines = ["# Configuration reference", _MADE]
    for name, section in SECTIONS.items():
        lines += ["", f"## [{name}]", _first_paragraph(section.cls), "", *_HEAD]
        lines += _table(section.cls)
    return "\n".join(lines) + "\n"


def _drivers_page() -> str:
    lines = ["# Driver settings", _MADE]
    for name in drivers.names():
        cls = drivers.kind(name).settings
        lines += ["", f"## {name}", _first_paragraph(cls), "", *_HEAD, *_table(cls)]
    return "\n".join(lines) + "\n"


def _errors_page() -> str:
    for module in pkgutil.walk_packages(mingwu.__path__, "mingwu."):
        if module.name.rpartition(".")[2] != "__main__":
            import_module(module.name)
    lines = ["# Error codes", _MADE, "", "| code | what happened | 说明 | next step | 下一步 |"]
    lines.append("|---|---|---|---|---|")
    for code, texts in sorted(codes().items()):
        (what, step), (what_zh, step_zh) = texts["en"], texts["zh"]
        cells = (f"`{code}`", what, what_zh, step, step_zh)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _schema() -> str:
    schemas, components = msgspec.json.schema_components(
        [section.cls for section in SECTIONS.values()], ref_template="#/$defs/{name}"
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mingwu configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": dict(zip(SECTIONS, schemas, strict=True)),
        "$defs": components,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"
