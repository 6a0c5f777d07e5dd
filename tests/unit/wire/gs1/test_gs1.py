"""GS1 codec. Vectors: GS1 General Specifications (check digit, GMN pair), gs1.org's example GTIN
9506000134352 and the fictitious companies of GS1's own test data."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1 import checks, elements, link
from mingwu.wire.gs1.ai import AIS, PRIMARY_KEYS, QUALIFIERS, validate
from mingwu.wire.gs1.elements import SEPARATOR

GTIN = "09506000134352"
digits = st.text("0123456789", min_size=3, max_size=17)
text_82 = st.text(checks.CSET_82, min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("body", "digit"), [("629104150021", "3"), ("0950600013435", "2"), ("37610425002123456", "9")]
)
def test_published_check_digits(body, digit):
    assert checks.check_digit(body) == digit


def test_published_check_pair():
    assert checks.check_pair("1987654Ad4X4bL5ttr2310c") == "2K"
    validate("8013", "1987654Ad4X4bL5ttr2310c2K")
    with pytest.raises(InvalidInput, match="check digit"):
        validate("8013", "1987654Ad4X4bL5ttr2310d2K")


@given(digits, st.data())
def test_a_wrong_digit_is_always_noticed(body, data):
    whole = body + checks.check_digit(body)
    assert checks.has_check_digit(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != whole[place]]))
    assert not checks.has_check_digit(whole[:place] + other + whole[place + 1 :])


def test_every_key_and_qualifier_is_an_ai():
    assert set(PRIMARY_KEYS) | QUALIFIERS <= set(AIS)
    # prefix-free: an AI never begins with another, so reading from the left is safe
    assert not [(a, b) for a in AIS for b in AIS if a != b and b.startswith(a)]
    assert "3105" in AIS
    assert not {"3106", "3170", "3580", "04", "18"} & set(AIS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"(01){GTIN}(10)ABC", (("01", GTIN), ("10", "ABC"))),
        (f"]d201{GTIN}17271231{SEPARATOR}21X", (("01", GTIN), ("17", "271231"), ("21", "X"))),
        (f"01{GTIN}10A{SEPARATOR}21X", (("01", GTIN), ("10", "A"), ("21", "X"))),
        ("9506000134352", (("01", GTIN),)),
        ("376104250021234569", (("00", "376104250021234569"),)),
        (r"(01)09506000134352(21)a\(b)", (("01", GTIN), ("21", "a(b)"))),
        (f"{SEPARATOR}01{GTIN}3103000750", (("01", GTIN), ("3103", "000750"))),
    ],
)  # fmt: skip
def test_element_strings(text, expected):
    assert elements.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(01)09506000134353", "gs1.check-digit"),
        ("(01)950600013435", "gs1.format"),
        ("(01)09506000134352(17)271331", "gs1.date"),
        ("(04)1", "gs1.unknown-ai"),
        ("(01", "gs1.structure"),
        ("", "gs1.structure"),
        ("]d2", "gs1.structure"),
        ("(10)A(10)B", "gs1.structure"),
        ("(10)ä", "gs1.format"),
        ("010950", "gs1.structure"),
    ],
)
def test_faults_are_named_in_both_languages(text, code):
    with pytest.raises(InvalidInput) as caught:
        elements.parse(text)
    assert caught.value.code == code
    assert caught.value.text("zh") != caught.value.text("en")


@given(text_82, text_82)
def test_forms_agree(lot, serial):
    original = (("01", GTIN), ("10", lot), ("21", serial))
    for form in (elements.written(original), elements.scanned(original)):
        assert elements.parse(form) == original
    found = link.from_elements(original, "https://example.com/a")
    assert link.parse_uri(found.uri) == found


@given(st.text(max_size=60))
def test_nothing_but_invalid_input_comes_out(text):
    for read in (elements.parse, link.parse_uri, link.parse_path):
        with contextlib.suppress(InvalidInput):
            read(text)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("https://id.gs1.org/01/9506000134352/", f"01/{GTIN}"),
        (f"https://id.gs1.org/01/{GTIN}/22/2A/10/A-1?17=271231", f"01/{GTIN}/22/2A/10/A-1"),
        (f"http://example.com/some/stem/01/{GTIN}/21/a%2Fb", f"01/{GTIN}/21/a%2Fb"),
        ("https://example.com/414/9521321000018/254/X1", "414/9521321000018/254/X1"),
        ("https://example.com/8004/9521321400001", "8004/9521321400001"),
    ],
)  # fmt: skip
def test_digital_links(uri, path):
    assert link.parse_uri(uri).path == path


@pytest.mark.parametrize(
    "uri",
    [
        f"https://id.gs1.org/01/{GTIN}/21/1/10/A",  # order
        f"https://id.gs1.org/01/{GTIN}/235/1/10/A",  # alternatives do not mix
        f"https://id.gs1.org/01/{GTIN}/8011/1",
        f"https://id.gs1.org/01/{GTIN}/10",
        f"https://id.gs1.org/01/{GTIN}/10/%zz",
        "https://id.gs1.org/10/ABC",
        f"ftp://id.gs1.org/01/{GTIN}",
        f"https://id.gs1.org/01/{GTIN}?17=209999",
        f"https://id.gs1.org/01/{GTIN}?9999999=1",
    ],
)
def test_bad_digital_links(uri):
    with pytest.raises(InvalidInput):
        link.parse_uri(uri)
