"""No English inside a Chinese sentence: an error's placeholders are filled in both languages.

Reads the tree as syntax. A phrase is a ``Phrase`` (``kernel.catalogue``) with the Chinese beside
the English; numbers, names and single words that people type may stand alone.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mingwu

ROOT = Path(mingwu.__file__).parent
RAISED = re.compile(
    "ConfigError|InvalidInput|NotFound|Conflict|Denied|NotAuthenticated|Overloaded|Unavailable"
    "|PeerError|Fault|_bad|_fault|_malformed|_broken|_invalid"
)
CHINESE = re.compile("[\u4e00-\u9fff]")
# Two words with a blank, a value or a quotation mark between them.
PHRASE = re.compile("[a-z]{2,}[^a-zA-Z0-9$./=_-]+[a-z]{2,}|“ ” [a-z]{2,}$")
# These say something even in one word; a path or a setting is named as people type it.
SAYING = {"fault", "faults", "detail", "part", "what"}


def spoken(node: ast.expr) -> str:
    """The text of an expression, values in it as “ ”; empty where it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(spoken(part) for part in node.values)
    return " “ ” " if isinstance(node, ast.FormattedValue) else ""


def is_plain(node: ast.expr, argument: str | None) -> bool:
    """Whether an expression says something in English alone."""
    if CHINESE.search(ast.unparse(node)):
        return False
    if isinstance(node, ast.IfExp | ast.BoolOp):
        parts = node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse)
        return any(is_plain(part, argument) for part in parts)
    text = spoken(node)
    return bool(PHRASE.search(text)) or (argument in SAYING and bool(re.search("[a-z]{3,}", text)))


def filling(tree: ast.AST) -> Iterator[tuple[int, ast.expr, str | None]]:
    """What fills the placeholders of errors: line, expression, name of the placeholder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in SAYING:  # filled in below
                yield node.lineno, node.value, name
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        is_own = name.startswith("_")
        if not RAISED.fullmatch(name) or (is_own and CHINESE.search(ast.unparse(node))):
            continue
        yield from ((node.lineno, one.value, one.arg) for one in node.keywords if one.arg)
        if is_own:
            yield from ((node.lineno, one, None) for one in node.args[1:])


@pytest.mark.parametrize(
    "room", sorted(p.name for p in ROOT.iterdir() if (p / "__init__.py").exists())
)
def test_no_error_is_filled_with_plain_english(room):
    found = [
        f"{path.relative_to(ROOT)}:{line} {ast.unparse(value)}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, value, argument in filling(ast.parse(path.read_text("utf-8")))
        if is_plain(value, argument)
    ]
    assert found == [], "\n".join(found)
