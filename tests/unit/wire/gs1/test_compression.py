"""Compressed Digital Links against vectors of public implementations, round trips, bad input.

Vectors (``compressed.txt``): the test tables of Solidsoft-Reply/Gs1DigitalLinkLib, of the Python
library gs1-compression (the last two lines), and of GS1's prototype, which they port.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.codes.recognition import recognise
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.ai import AIS
from mingwu.wire.gs1.checks import CSET_82, check_digit
from mingwu.wire.gs1.compression import compress, decompress
from mingwu.wire.gs1.elements import parse

VECTORS = [
    line.split() for line in Path(__file__).with_name("compressed.txt").read_text().splitlines()
]


@pytest.mark.parametrize(("path", "packed"), VECTORS)
def test_published_vectors_both_ways(path: str, packed: str):
    entity = link.parse_path("/" + path)[1]
    assert compress(entity) == packed
    assert link.from_elements(decompress(packed).elements).path == path
    found = link.parse_uri(f"https://example.org/stem/{packed}?17=271231&lang=zh")
    assert (found.path, found.stem) == (path, "https://example.org/stem")
    assert ("17", "271231") in found.attributes


@pytest.mark.parametrize(
    ("packed", "path"),
    [
        ("01/05412345000013/EEarwSM", "01/05412345000013/10/ABC123"),
        ("01/05412345000013/EEarwSMhC4an0V04", "01/05412345000013/10/ABC123/21/72292641703"),
        ("414/5060917510004/cEBWUKu", "414/5060917510004/7040/5KFX"),
        ("8017/817019610850151481/gBlz0X5A", "8017/817019610850151481/8019/4003812"),
        ("8010/0541234537290A41%23GH33/gBGmLt9I1", "8010/0541234537290A41%23GH33/8011/6639047221"),
    ],
)
def test_links_compressed_behind_their_key(packed: str, path: str):
    assert link.parse_uri(f"https://id.gs1.org/{packed}").path == path


def test_attributes_and_other_words_are_compressed_too():
    # vectors of gs1-compression (the first) and GS1's prototype
    found = link.parse_uri("http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TXgpNWCv1")
    assert found.path == "01/05412345000013/10/ABC%26%2B123"
    assert found.attributes == (("7003", "1903061658"),)
    assert found.extensions == (("k1", "v1"),)
    assert found.compressed == "http://example.org/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TQ?k1=v1"
    again = link.parse_uri(found.compressed)
    assert (again.entity, again.attributes) == (found.entity, found.attributes)


def test_sequences_are_shorter_and_read_back():
    elements = parse("(01)05412345000013(17)271231(10)ABC123(21)7")
    short = compress(elements, sequences=True)
    assert len(short) < len(compress(elements))
    assert sorted(decompress(short).elements) == sorted(elements)


SERIAL = st.text(CSET_82, min_size=1, max_size=20)


@given(st.text("0123456789", min_size=13, max_size=13), SERIAL, SERIAL, st.booleans())
def test_round_trip(digits: str, batch: str, serial: str, sequences: bool):
    elements = (("01", digits + check_digit(digits)), ("10", batch), ("21", serial))
    assert sorted(decompress(compress(elements, sequences=sequences)).elements) == sorted(elements)


EXAMPLES = {"N": "7", "X": "A", "Y": "A", "Z": "A"}


# those with check digits and dates are among the vectors
FREE = sorted(ai for ai, one in AIS.items() if not (one.check or one.pair or one.date))


@pytest.mark.parametrize("ai", FREE)
def test_every_ai_reads_back(ai: str):
    known = AIS[ai]
    sizes = re.findall(r"([NXYZ])(\.\.)?(\d+)", known.form)
    for shortest in (True, False):
        value = "".join(
            EXAMPLES[kind] * (1 if up_to and shortest else int(size)) for kind, up_to, size in sizes
        )
        if ai == "8007":
            value = value[:24]  # the compression's table ends there
        if ai in {"423", "425"}:
            value = value.ljust(3, "7")  # and begins with a country
        assert decompress(compress(((ai, value),))).elements == ((ai, value),)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", max_size=60))
def test_any_text_is_read_or_refused(text: str):
    try:
        elements = decompress(text).elements
    except InvalidInput as error:
        assert error.code.startswith("gs1.")  # noqa: PT017 - either way is right
    else:
        assert elements


@pytest.mark.parametrize(
    "text", ["", "AQ", "AQnYUc1gm", "AQnYUc1gmh", "9Fnn", "AQnYUc1gmg==", "A" * 501, "BJ3c", "D___"]
)
def test_what_is_no_compressed_link_is_told(text: str):
    with pytest.raises(InvalidInput):
        decompress(text)


@pytest.mark.parametrize("word", ["about", "products", "favicon", "index-2", "zh-CN", "contact_us"])
def test_ordinary_addresses_are_not_taken_for_codes(word: str):
    assert recognise(f"https://example.com/{word}") is None


def test_a_compressed_link_is_recognised():
    code = recognise("https://qr.example.com/AQnYUc1gmiCNV4JG")
    assert code is not None
    assert code.key == "gs1:01/05412345000013/10/ABC123"
