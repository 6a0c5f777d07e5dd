"""The house keeps its own rules: sizes, names, documented settings, error texts, one home each.

Everything here reads the tree as text or syntax; nothing of it is imported, so that no engine is
started by a style check.
"""

import ast
import functools
import re
import string
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mingwu"
MODULES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}

MODULE_LINES_MOST = 800
FUNCTION_LINES_MOST = 80
FUNCTION_LINES_P90 = 35
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_size_name_and_docstring(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= MODULE_LINES_MOST
    assert not FORBIDDEN_NAMES & set(path.relative_to(SOURCE).with_suffix("").parts)
    assert ast.get_docstring(TREES[path]), "a module opens by saying what it owns"


def test_functions_stay_readable():
    lengths = {
        f"{name(p)}:{f.lineno} {f.name}": length(f) for p, t in TREES.items() for f in functions(t)
    }
    assert [k for k, v in lengths.items() if v > FUNCTION_LINES_MOST] == []
    ordered = sorted(lengths.values())
    assert ordered[int(len(ordered) * 0.9)] <= FUNCTION_LINES_P90


def test_a_public_symbol_has_one_home():
    """Packages do not re-export: what ``__init__`` files import would exist under two paths."""
    importing = [
        name(path)
        for path, tree in TREES.items()
        if path.name == "__init__.py"
        and any(isinstance(n, ast.Import | ast.ImportFrom) for n in tree.body)
    ]
    assert importing == []


def test_a_class_is_not_defined_twice_in_a_package():
    homes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, tree in TREES.items():
        package = name(path.parent)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[package, node.name].append(name(path))
    assert {k: v for k, v in homes.items() if len(v) > 1} == {}


def settings_classes() -> list[tuple[Path, ast.ClassDef]]:
    return [
        (path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Settings" for base in node.bases)
    ]


def undocumented(path: Path, cls: ast.ClassDef) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    doc = ast.get_docstring(cls) or ""
    missing = []
    for node, following in zip(cls.body, [*cls.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = lines[node.lineno - 2].strip().startswith("#")
        beside = any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
        below = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        described = "description=" in ast.unparse(node)
        nested = ast.unparse(node.annotation).endswith("Settings")  # documents itself
        if not (above or beside or below or described or nested or f"``{node.target.id}``" in doc):
            missing.append(f"{name(path)}:{node.lineno} {cls.name}.{node.target.id}")
    return missing


def test_every_setting_is_documented():
    assert [m for path, cls in settings_classes() for m in undocumented(path, cls)] == []


ERRORS = {
    node.name
    for node in TREES[SOURCE / "kernel" / "errors.py"].body
    if isinstance(node, ast.ClassDef)
}
CODE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def calls(tree: ast.AST, names: set[str]) -> list[ast.Call]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            called = getattr(function, "id", None) or getattr(function, "attr", None)
            if called in names:
                found.append(node)
    return found


@functools.cache
def registered_texts() -> dict[str, dict[str, tuple[str, str]]]:
    texts = {}
    for tree in TREES.values():
        for call in calls(tree, {"add"}):
            if isinstance(call.args[0], ast.Constant) and {k.arg for k in call.keywords} == {
                "en",
                "zh",
            }:
                texts[call.args[0].value] = {
                    k.arg: ast.literal_eval(k.value) for k in call.keywords
                }
    return texts


def test_every_error_code_has_its_texts():
    used = {
        call.args[0].value: f"{name(path)}:{call.lineno}"
        for path, tree in TREES.items()
        for call in calls(tree, ERRORS)
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    assert {code: at for code, at in used.items() if code not in registered_texts()} == {}


def test_error_texts_agree_between_languages():
    for code, texts in registered_texts().items():
        assert CODE.fullmatch(code), code
        holes = {
            lang: {
                hole for part in pair for _, hole, _, _ in string.Formatter().parse(part) if hole
            }
            for lang, pair in texts.items()
        }
        assert holes["en"] == holes["zh"], code
        assert all(pair[1] for pair in texts.values()), f"{code} names no next step"


def test_no_unfinished_marks_and_no_machine_paths():
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    machine = re.compile(r"/(?:home|root|work)/\w")
    for path in [*MODULES, *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.py")]:
        text = path.read_text("utf-8")
        assert not marks.search(text), path
        assert not machine.search(text), path


def test_broad_handlers_are_argued():
    for path in MODULES:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if "BLE001" in line:
                assert re.search(r"BLE001\s*[—–-]+\s*\S+", line), (
                    f"{name(path)}:{number} says no reason"
                )


def test_drivers_know_only_the_contract():
    """A driver folder imports from ``field`` nothing but itself and ``field.base``."""
    for path, tree in TREES.items():
        parts = path.relative_to(SOURCE).parts
        if parts[0] != "field" or len(parts) < 3:
            continue
        for node in ast.walk(tree):
            module = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
            if module and module.startswith("mingwu.field."):
                assert module.split(".")[2] in {"base", parts[1]}, f"{name(path)} imports {module}"
