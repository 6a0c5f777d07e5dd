"""The documents keep their promises: same headings in both languages, no dead links, no hosts."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
README_LINES_MOST = 130


def headings(page: str) -> list[int]:
    prose = re.sub(r"(?ms)^```.*?^```", "", (ROOT / page).read_text("utf-8"))
    return [len(mark) for mark in re.findall(r"(?m)^(#+) ", prose)]


def test_both_readmes_have_the_same_headings():
    assert headings("README.md") == headings("README.zh.md")
    for page in ("README.md", "README.zh.md"):
        assert len((ROOT / page).read_text("utf-8").splitlines()) <= README_LINES_MOST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for target in LINK.findall(page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_standards_table_names_tests_that_exist():
    for line in (ROOT / "docs" / "standards.md").read_text("utf-8").splitlines():
        for path in re.findall(r"`(tests/[^`]+)`", line):
            assert (ROOT / path).exists(), path


def test_modules_named_in_the_pages_exist():
    named = {
        (page.name, module)
        for page in (*ROOT.glob("docs/*.md"), *ROOT.glob("docs/formats/*.md"), *ROOT.glob("*.md"))
        for module in re.findall(r"`([\w./]+\.py)`", page.read_text("utf-8"))
    }
    folders = ("src", "tests", "bench", "docs")
    files = [f"/{path.relative_to(ROOT)}" for one in folders for path in (ROOT / one).rglob("*.py")]
    assert named
    gone = {one for one in named if not any(file.endswith("/" + one[1]) for file in files)}
    assert not gone


def test_every_decision_is_numbered_once():
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_requirement_lists_carry_hashes_and_name_no_host():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
