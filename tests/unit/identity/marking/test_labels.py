"""Labels: filled from records, laid out within their edges, refused where unreadable."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.marking.contents import Content, name_in_url, text_for
from mingwu.identity.marking.filling import is_simulated, words_of
from mingwu.identity.marking.layout import SIMULATED_WORDS, lay_out
from mingwu.identity.marking.lettering import Lettering, width
from mingwu.identity.marking.sheets import Sheets, svg_page
from mingwu.identity.marking.symbols import Symbology, make_symbol
from mingwu.identity.marking.templates import BUILT_IN, LabelTemplate, Line, check, chosen, fill
from mingwu.identity.records import Record
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.values import HandleValue

BASE = "https://mingwu.example.com"
HIDDEN = 0x0C  # for administrators only


def record(number: int = 1, *, simulated: bool = True, **more: str) -> Record:
    texts = {
        "DESC.zh": f"压铸单元{number}号",
        "DESC.en": f"Die casting cell {number}",
        "MODEL": "DCM-2500",
        "ALIAS.GS1": f"01/09506000134352/21/M{number:04}",
        **({"MW.SIMULATED": "true"} if simulated else {}),
        **more,
    }
    values = [
        HandleValue(index=at, type=kind, data=text.encode())
        for at, (kind, text) in enumerate(texts.items(), 2)
    ]
    return Record(f"88.888.101/DEV.{number:05}", tuple(values))


def test_words_come_from_public_values_only():
    secret = HandleValue(index=900, type="PRICE", data=b"1000", permissions=HIDDEN)
    full = Record(record().name, (*record().values, secret))
    words = words_of(full, BASE)
    assert words["name"] == "88.888.101/DEV.00001"
    assert words["suffix"] == "DEV.00001"
    assert words["name_zh"] == "压铸单元1号"
    assert words["model"] == "DCM-2500"
    assert words["gs1"] == "(01)09506000134352(21)M0001"
    assert words["url"] == f"{BASE}/things/88.888.101/DEV.00001"
    assert "price" not in words
    assert is_simulated(full)
    assert not is_simulated(record(simulated=False))


def test_a_line_without_anything_is_not_printed():
    words = words_of(record())
    assert fill("{MODEL} {SERIAL}", words) == "DCM-2500"
    assert fill("S/N {SERIAL}", words) == ""
    assert fill("Property of the plant", words) == "Property of the plant"


@pytest.mark.parametrize(
    ("content", "symbology", "base", "text"),
    [
        (Content.AUTO, Symbology.QR, BASE, f"{BASE}/things/88.888.101/DEV.00001"),
        (Content.AUTO, Symbology.QR, "", "88.888.101/DEV.00001"),
        (Content.AUTO, Symbology.DATAMATRIX, BASE, "88.888.101/DEV.00001"),
        (Content.AUTO, Symbology.GS1_128, BASE, "(01)09506000134352(21)M0001"),
        (Content.VAA, Symbology.DATAMATRIX, "", "VAA88.888.101/DEV.00001"),
        (Content.GS1_LINK, Symbology.QR, "", "https://id.gs1.org/01/09506000134352/21/M0001"),
    ],
)
def test_the_rule_of_contents(content: Content, symbology: Symbology, base: str, text: str):
    assert text_for(record(), content, symbology, base_url=base) == text


@pytest.mark.parametrize(
    ("content", "symbology", "name"),
    [
        (Content.URL, Symbology.QR, "88.1.1/A"),
        (Content.VAA, Symbology.QR, "10.1000/182"),
        (Content.GS1, Symbology.QR, "88.1.1/A"),
        (Content.NAME, Symbology.GS1_128, "88.1.1/A"),
    ],
)
def test_contents_that_a_name_lacks_are_refused(content: Content, symbology: Symbology, name: str):
    with pytest.raises(InvalidInput) as told:
        text_for(Record(name, ()), content, symbology)
    assert told.value.code == "marking.no-contents"
    reason = told.value.text("zh").partition("内容：")[2]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in reason)


@pytest.mark.parametrize("name", ["88.1.1/A", "88.1.1/中 文?#%2F", "10.1000/a/b"])
def test_addresses_of_pages_lead_back_to_the_name(name: str):
    from mingwu.identity.marking.contents import thing_url

    assert name_in_url(thing_url("http://[::1]:8080/", name)) == name


@pytest.mark.parametrize("text", ["88.1.1/A", "javascript:/things/x", "http://[", "https://x/y"])
def test_other_texts_are_no_addresses_of_pages(text: str):
    assert name_in_url(text) == ""


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda one: one.id)
def test_built_in_templates_fit_their_sheets(template: LabelTemplate):
    check(template)
    assert template.name_zh
    assert template.name_en


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"columns": 2}, "wider"),
        ({"rows": 2}, "taller"),
        ({"symbol_mm": 40}, "symbol"),
        ({"lines": (Line(text="{a b}"),)}, "placeholder"),
    ],
)
def test_a_template_that_cannot_be_printed_is_told(wrong: dict, fault: str):
    measures = {"page_width_mm": 60, "page_height_mm": 40, "width_mm": 60, "height_mm": 40}
    with pytest.raises(InvalidInput, match=fault):
        check(LabelTemplate(id="x", **{"symbol_mm": 20, **measures, **wrong}))


def test_own_templates_come_before_built_in_ones():
    own = LabelTemplate(id="a4-24", width_mm=50, height_mm=20, symbol_mm=10)
    assert chosen((own,), "a4-24") is own
    assert chosen((), "a4-24") is BUILT_IN[0]
    with pytest.raises(InvalidInput) as told:
        chosen((), "nothing")
    assert "roll-60x40" in told.value.next_step()


LABEL_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=120)


@given(LABEL_TEXT, LABEL_TEXT, st.sampled_from(BUILT_IN), st.booleans())
def test_everything_stays_on_the_label(zh: str, en: str, template: LabelTemplate, simulated: bool):
    symbol = make_symbol(
        template.symbology, "(01)09506000134352" if template.symbology.gs1 else "88.1.1/A"
    )
    words = {"name_zh": zh, "name_en": en, "name": "88.1.1/" + "A" * 60}
    label = lay_out(template, "88.1.1/A", symbol, words, simulated=simulated)
    mark = label.mark
    assert mark.module >= template.module_least_mm
    quiet = symbol.symbology.quiet_modules * mark.module
    assert mark.x - quiet >= -0.001
    assert mark.x + symbol.width * mark.module + quiet <= template.width_mm + 0.001
    assert mark.y + symbol.height * mark.row <= template.height_mm + 0.001
    for one in label.words:
        assert one.x + width(one.text, bold=one.bold) * one.size <= template.width_mm + 0.01
        assert 0 <= one.baseline <= template.height_mm
    assert any(one.text == SIMULATED_WORDS for one in label.words) == simulated
    assert bool(label.bands) == simulated


def test_what_a_printer_cannot_resolve_is_refused():
    template = chosen((), "tag-30x15")
    symbol = make_symbol(template.symbology, "88.888.101/" + "x" * 200)
    with pytest.raises(InvalidInput) as told:
        lay_out(template, "88.888.101/x", symbol, {}, simulated=False)
    assert told.value.code == "marking.too-small"


def test_modules_are_whole_dots_of_the_printer():
    template = LabelTemplate(id="x", page_width_mm=60, page_height_mm=40, width_mm=60, height_mm=40,
                             symbol_mm=30, printer_dpi=203)  # fmt: skip
    symbol = make_symbol(Symbology.QR, "88.888.101/DEV.1")
    module = lay_out(template, "x", symbol, {}, simulated=False).mark.module
    assert module * 203 / 25.4 == pytest.approx(round(module * 203 / 25.4))


def test_a_faulty_name_is_told_or_left_out():
    template = chosen((), "roll-100x60-gs1")
    bare = Record("88.888.101/BARE", ())
    with pytest.raises(InvalidInput, match="BARE"):
        Sheets(template, [record(), bare])
    sheets = Sheets(template, [record(1), bare, record(2)], faulty_too=False)
    assert [label.name for label in sheets.labels] == [record(1).name, record(2).name]
    assert [one.name for one in sheets.left_out] == ["88.888.101/BARE"]


def test_sheets_begin_where_the_opened_one_ends():
    template = chosen((), "a4-24")
    sheets = Sheets(template, [record(n) for n in range(1, 24)], skip=5)
    assert sheets.pages == 2
    x, y, label = next(sheets.page(0))
    assert (x, y, label.name) == (140, 37.5, record(1).name)
    assert [one.name for *_, one in sheets.page(1)] == [record(n).name for n in range(20, 24)]
    with pytest.raises(InvalidInput):
        Sheets(template, [], skip=24)


@pytest.mark.parametrize("drawn", [True, False])
def test_values_are_inert_in_svg(drawn: bool):
    lettering = Lettering()
    if not drawn:
        lettering._font = None
    elif not lettering.draws:
        pytest.skip("no CJK font: apt install fonts-noto-cjk")
    evil = '</text><script>alert("1")</script>'
    sheets = Sheets(chosen((), "a4-24"), [record(1, **{"MODEL": evil, "DESC.zh": "名物&<"})])
    root = ET.fromstring(svg_page(sheets, 0, lettering))  # noqa: S314 - our own document
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    assert tags <= {"svg", "rect", "defs", "path", "g", "title", "text", "use"}
    shown = "".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert "alert" in shown
    assert ("名物" in shown) != drawn


def test_a_bad_font_file_is_told(tmp_path):
    bad = tmp_path / "bad.ttf"
    bad.write_bytes(b"no font")
    with pytest.raises(InvalidInput) as told:
        Lettering(str(bad))
    assert told.value.code == "marking.no-font"
