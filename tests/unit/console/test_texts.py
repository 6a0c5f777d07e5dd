"""Words and static files of the console: complete in both languages, nothing from outside."""

import re
from pathlib import Path

import pytest

from mingwu.console import islands
from mingwu.console.qr import qr_svg
from mingwu.console.texts import tables as texts
from mingwu.identity.secondlevel.notices import TAKEOVER

STATIC = islands.STATIC
SCRIPTS = sorted(STATIC.glob("*.js"))
PAGES = sorted(STATIC.parent.glob("*.py"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")

# Keys made from parts at run time: t("state." + name) and the like.
FAMILIES = ("actor.",
            "state.", "run.", "dev.", "reason.", "kind.", "level.", "rel.", "part.", "buffer.",
            "method.", "window.", "role.", "live.",
            "appstate.", "appkind.", "mode.", "appfield.", "appfault.", "check.", "checkstate.",
            "checknote.", "upstream.", "eventkind.", "eventcause.",
            "cause.", "failure.", "period.", "duty.", "message.", "channel.", "whither.",
            "sla.",
            "keyplace.", "carrierform.", "orderstate.", "blocked.", "severity.",
            "proofcheck.", "proofverdict.", "tone.",
            "life.", "value.", "right.", "trust.", "chain.", "edge.", "nodefound.", "act.",
            "signature.", "name.none.", "queue.", "nodeanswer.",
            "tplstate.", "tplmove.", "tplaction.", "tplwhat.", "tplfield.", "tplhint.", "datatype.",
            "industry.level.",
            "importstep.", "importstate.", "importnote.", "import.sep.", "outcome.",
            "outcomewould.", "existing.",
            "who.", "may.", "granttab.", "accessrule.", "accesswhy.", "because.")  # fmt: skip


def test_both_languages_use_the_same_placeholders() -> None:
    for key, (en, zh) in texts.pairs().items():
        assert sorted(PLACEHOLDER.findall(en)) == sorted(PLACEHOLDER.findall(zh)), key
        assert bool(en) == bool(zh), key


def used_keys() -> set[str]:
    used: set[str] = set()
    for path in SCRIPTS:
        source = path.read_text()
        used |= set(re.findall(r"""\bt\(\s*["']([\w.]+)["']\s*[,)]""", source))
        used |= set(re.findall(r'\bt\(\w+ \? "([\w.]+)" : "[\w.]+"\)', source))
        used |= set(re.findall(r'\bt\(\w+ \? "[\w.]+" : "([\w.]+)"\)', source))
        used |= set(re.findall(r'\? t\("([\w.]+)"\)', source))
    for path in PAGES:
        used |= set(re.findall(r"""words\[["']([\w.]+)["']\]""", path.read_text()))
        quoted = set(re.findall(r'"([a-z]+\.\w+)"', path.read_text()))
        used |= {key for key in quoted if not key.endswith((".css", ".js", ".svg"))}
    return used


def test_every_used_word_exists() -> None:
    missing = {key for key in used_keys() if key not in texts.pairs()}
    assert not missing


@pytest.mark.parametrize("kind", ["outage", "maintenance", "emergency", TAKEOVER])
def test_every_kind_of_event_has_a_word(kind: str) -> None:
    assert f"eventkind.{kind}" in texts.pairs()


def test_no_word_is_left_over() -> None:
    used = used_keys()
    left = {key for key in texts.pairs() if key not in used and not key.startswith(FAMILIES)}
    assert not left


def test_every_reason_and_level_has_words() -> None:
    from mingwu.kernel.plant import Kind
    from mingwu.kernel.quality import Reason
    from mingwu.registry.model import Level, RelationKind

    for family, members in (
        ("reason", [one.name.lower() for one in Reason]),
        ("level", list(Level)),
        ("kind", list(Kind)),
        ("rel", [*RelationKind, *(f"{one}.inverse" for one in RelationKind)]),
    ):
        for member in members:
            assert f"{family}.{member}" in texts.pairs()


def test_reasons_in_javascript_stand_in_the_kernels_order() -> None:
    from mingwu.kernel.quality import Reason

    source = (STATIC / "format.js").read_text()
    block = re.search(r"const REASONS = \[(.*?)\]", source, re.DOTALL)
    assert block is not None
    assert re.findall(r'"(\w+)"', block[1]) == [one.name.lower() for one in sorted(Reason)]


@pytest.mark.parametrize("path", [*SCRIPTS, *STATIC.glob("*.css")], ids=lambda path: path.name)
def test_nothing_comes_from_outside(path: Path) -> None:
    found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text()))
    assert found <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in path.read_text()


def defined(sheet: str) -> set[str]:
    """Classes that a style sheet gives a look of their own, not only inside something else."""
    found = set()
    for selectors in re.findall(r"([^{}]+)\{", re.sub(r"(?s)/\*.*?\*/", "", sheet)):
        for one in selectors.split(","):
            own = re.fullmatch(r"\w*(?:\[\S+\])?\.([\w-]+)(?:[:\[]\S*)?", one.strip())
            found |= {own[1]} if own else set()
    return found


def test_a_class_is_defined_in_one_style_sheet() -> None:
    homes: dict[str, list[str]] = {}
    for path in sorted(STATIC.glob("*.css")):
        for name in defined(path.read_text()):
            homes.setdefault(name, []).append(path.name)
    assert {name: at for name, at in homes.items() if len(at) > 1} == {}


def test_a_definition_is_told_from_a_place() -> None:
    sheet = ".a, b.c:hover { } @media (x) { .d[e] { } } .f .g { } .h > .i { } /* .j { } */ .k.l { }"
    assert defined(sheet) == {"a", "c", "d"}


def test_every_icon_exists_once() -> None:
    sprite = (STATIC / "icons.svg").read_text()
    symbols = re.findall(r'<symbol id="(\w+)"', sprite)
    assert len(symbols) == len(set(symbols))
    used: set[str] = set()
    for path in SCRIPTS:
        source = path.read_text()
        used |= set(re.findall(r'\b(?:icon|iconButton|empty|state)\("(\w+)"', source))
    for path in PAGES:
        used |= set(re.findall(r"""\bicon\(["'](\w+)["']""", path.read_text()))
    assert used <= set(symbols)


def test_static_key_is_of_the_contents() -> None:
    assert re.fullmatch(r"mw[0-9a-f]{16}", islands.static_key())
    assert islands.static_url("mingwu.css").endswith(f"/{islands.static_key()}/mingwu.css")


def test_qr_is_an_svg_with_a_label() -> None:
    svg = qr_svg("88.888.101/DEV.1", 'the "code"')
    assert svg.startswith("<svg ")
    assert 'aria-label="the &quot;code&quot;"' in svg
    assert len(svg) < 4000
