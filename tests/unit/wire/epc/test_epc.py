"""EPC binary strings against published examples, round trips, and what does not fit.

The examples are those of TDS 2.3 Annex E.3, one per scheme (GS1 company prefix 9521141 and the
keys of the annex), as they are printed in a public resolver's development test.
"""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.bitstring import number
from mingwu.wire.epc import bits, memory
from mingwu.wire.epc.binary import Epc, decode, encode, encode_uri, suggest
from mingwu.wire.epc.identity import Identity, checked, from_uri
from mingwu.wire.epc.schemes import BY_HEADER, PLUS, PREFIX_BITS, SCHEMES
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.checks import CSET_82, check_digit
from mingwu.wire.gs1.elements import parse

ANNEX_E3 = [
    tuple(line.split())
    for line in Path(__file__).with_name("annex_e3.txt").read_text().splitlines()
]
# TDS Annex E.2 and the examples of TDT 1.6 (company prefixes 0614141, 0037000).
OLDER = [
    ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", "3074257BF7194E4000001A85"),
    ("urn:epc:tag:sgtin-198:3.0614141.712345.32a%2Fb",
     "3674257BF6B7A659B2C2BF1000000000000000000000000000"),
    ("urn:epc:tag:sgtin-96:3.0037000.030241.10419703", "30740242201D8840009EFDF7"),
    ("urn:epc:tag:sgtin-96:3.0037000.030241.1041970", "30740242201D8840000FE632"),
]  # fmt: skip


def padded(hexadecimal: str, count: int = 60) -> str:
    return hexadecimal.upper().ljust(count, "0")


def prefix_digits(epc: Epc) -> int:
    return len(epc.identity.prefix) if epc.identity else 0


def test_every_scheme_has_its_published_example():
    assert {name for name, *_ in ANNEX_E3} == {one.name for one in BY_HEADER.values()}


@pytest.mark.parametrize(("scheme", "hexadecimal", "path"), ANNEX_E3)
def test_published_examples_both_ways(scheme: str, hexadecimal: str, path: str):
    epc = decode(hexadecimal)
    assert epc.scheme == scheme
    assert link.from_elements(epc.elements).path == path
    again = encode(
        scheme,
        parse_path(path),
        prefix_digits=prefix_digits(epc),
        filter_value=epc.filter_value,
        date=epc.date,
    )
    assert padded(again) == padded(hexadecimal)
    assert len(again) % 4 == 0
    if epc.identity is not None:
        assert padded(encode_uri(epc.tag_uri)) == padded(hexadecimal)
        assert from_uri(epc.identity.uri)[0] == epc.identity


def parse_path(path: str):
    return link.parse_path("/" + path)[1]


@pytest.mark.parametrize(("uri", "hexadecimal"), OLDER)
def test_older_examples(uri: str, hexadecimal: str):
    assert padded(encode_uri(uri)) == padded(hexadecimal)
    assert decode(hexadecimal).tag_uri == uri


def test_the_date_of_a_dated_gtin():
    assert decode("FB342CDE795211411234538566CB0AFC4").date == ("17", "220630")


def test_general_identifiers():
    uri = "urn:epc:tag:gid-96:952056.2718.1414"
    assert encode_uri(uri) == "3500E86F8000A9E000000586"  # TDS Annex E.3
    epc = decode("3500E86F8000A9E000000586")
    assert (epc.tag_uri, epc.elements) == (uri, ())
    with pytest.raises(InvalidInput) as told:
        encode_uri("urn:epc:tag:gid-96:268435456.1.1")
    assert told.value.code == "epc.unfit"


def test_data_behind_a_plus_epc_are_kept_apart():
    more = "1" + "0001" * 4  # as if +AIDC data followed
    value = number(0xF9, 8) + "1" + "000" + bits.nibbles("095201234567891235") + more
    epc = decode(f"{int(value.ljust(128, '0'), 2):032X}")
    assert epc.toggle
    assert epc.rest.startswith(more)


DIGITS = "0123456789"
GCP = st.integers(6, 12).flatmap(lambda n: st.text(DIGITS, min_size=n, max_size=n))
NUMBER = st.integers(0, 2**31 - 1).map(str)
TEXT = st.text(CSET_82, min_size=1, max_size=16)


def fixed(digits: int, gcp: str):
    return st.text(DIGITS, min_size=digits - len(gcp), max_size=digits - len(gcp))


@st.composite
def identities(draw: st.DrawFn) -> tuple[str, Identity]:
    scheme = draw(st.sampled_from(sorted(SCHEMES)))
    known = SCHEMES[scheme]
    gcp = draw(GCP)
    size = {"sgtin": 13, "itip": 13, "sscc": 17, "gsrn": 17, "gsrnp": 17}.get(known.kind, 12)
    if known.kind == "giai":
        long = st.text(CSET_82, min_size=1, max_size=18)
        parts = [gcp, draw(long if scheme == "giai-202" else st.integers(0, 2**40).map(str))]
    elif known.kind == "cpi":
        parts = [gcp, draw(st.text("#-/0123456789ABCXYZ", min_size=1, max_size=18)
                           if scheme == "cpi-var" else st.integers(0, 2047).map(str))]  # fmt: skip
    else:
        parts = [gcp, draw(fixed(size, gcp))]
    if known.kind == "itip":
        parts += [draw(st.text(DIGITS, min_size=2, max_size=2)) for _ in range(2)]
    if known.serial == "s":
        parts.append(draw(TEXT))
    elif known.serial == "n":
        parts.append(draw(st.text(DIGITS, min_size=1, max_size=11)))
    elif known.serial:
        parts.append(draw(NUMBER))
    return scheme, Identity(known.kind, tuple(parts))


@given(identities(), st.integers(0, 7))
def test_older_schemes_round_trip(drawn: tuple[str, Identity], filter_value: int):
    scheme, identity = drawn
    checked(identity)
    uri = identity.tag_uri(scheme, filter_value)
    epc = decode(encode_uri(uri))
    assert (epc.identity, epc.filter_value, epc.tag_uri) == (identity, filter_value, uri)
    assert from_uri(uri) == (identity, scheme, filter_value)
    again = encode(
        scheme, epc.elements, prefix_digits=len(identity.prefix), filter_value=filter_value
    )
    assert again == encode_uri(uri)


@given(st.sampled_from(sorted(PLUS)), st.text(DIGITS, min_size=17, max_size=17), TEXT, NUMBER)
def test_plus_schemes_round_trip(scheme: str, digits: str, text: str, serial: str):
    assume(text != "0")
    kind = PLUS[scheme].kind
    gtin, gln = digits[:13], digits[:12]
    elements = {
        "sgtin": (("01", gtin + check_digit(gtin)), ("21", text)),
        "sscc": (("00", digits + check_digit(digits)),),
        "sgln": (("414", gln + check_digit(gln)), ("254", text)),
        "grai": (("8003", "0" + gln + check_digit("0" + gln) + text),),
        "giai": (("8004", digits[:7] + text),),
        "gsrn": (("8018", digits + check_digit(digits)),),
        "gsrnp": (("8017", digits + check_digit(digits)),),
        "gdti": (("253", gln + check_digit(gln) + text),),
        "sgcn": (("255", gln + check_digit(gln) + serial),),
        "cpi": (("8010", digits[:9] + "AB"), ("8011", serial)),
        "itip": (("8006", gtin + check_digit(gtin) + "0102"), ("21", text)),
    }[kind]
    epc = decode(encode(scheme, elements, date=("17", "271231")))
    assert (epc.scheme, epc.elements) == (scheme, elements)


@given(st.text(min_size=1, max_size=30).filter(str.isascii))
def test_alphanumeric_chooses_a_method_that_reads_back(text: str):
    written = bits.alphanumeric(text, 5)
    assert bits.read_alphanumeric(bits.Reader(written), 5, 30) == text
    assert len(written) <= 8 + 7 * len(text)


@pytest.mark.parametrize(
    ("text", "indicator"),
    [("00123", 0), ("1A2F", 1), ("1a2f", 2), ("rif981", 3), ("32a/b", 4), ("AB.CD:EF1", 5)],
)
def test_each_method_is_used_where_it_is_shortest(text: str, indicator: int):
    assert int(bits.alphanumeric(text, 5)[:3], 2) == indicator


@given(st.binary(min_size=2, max_size=40))
def test_random_memory_is_read_or_refused(data: bytes):
    try:
        epc = decode(data.hex())
    except InvalidInput as error:
        assert error.code.startswith(("epc.", "gs1."))  # noqa: PT017 - either way is right
    else:
        assert epc.scheme


BIG = parse("(01)09506000134352(21)274877906944")
GTIN = parse("(01)09506000134352(21)A1")


@pytest.mark.parametrize(
    ("scheme", "elements", "more", "code"),
    [
        ("sgtin-96", GTIN, {"prefix_digits": 7}, "epc.unfit"),
        ("sgtin-96", parse("(01)09506000134352(21)007"), {"prefix_digits": 7}, "epc.unfit"),
        (
            "sgtin-96",
            BIG,
            {"prefix_digits": 7},
            "epc.unfit",
        ),
        ("sgtin-198", GTIN, {}, "epc.prefix-needed"),
        ("sgtin-198", GTIN, {"prefix_digits": 5}, "epc.prefix-needed"),
        ("sgtin-198", GTIN, {"prefix_digits": 7, "filter_value": 8}, "epc.unfit"),
        ("sgtin+", parse("(01)09506000134352"), {}, "epc.unfit"),
        ("sscc-96", GTIN, {"prefix_digits": 7}, "epc.unfit"),
        ("dsgtin+", GTIN, {}, "epc.unfit"),
        ("dsgtin+", GTIN, {"date": ("17", "271331")}, "gs1.date"),
        ("sgtin-64", GTIN, {}, "epc.scheme"),
        ("giai-96", parse("(8004)9521141A1"), {"prefix_digits": 7}, "epc.unfit"),
    ],
)
def test_what_a_scheme_cannot_carry_is_told(scheme: str, elements, more: dict, code: str):
    with pytest.raises(InvalidInput) as told:
        encode(scheme, elements, **more)
    assert told.value.code == code
    check_chinese(told.value)


def check_chinese(error: InvalidInput):
    """What is put into a Chinese sentence about an EPC is Chinese, too."""
    if error.code in {"epc.unfit", "epc.malformed"}:
        for word in (error.params["fault"], error.params.get("part", "（01）字")):
            said = word.zh if isinstance(word, Phrase) else word
            assert said.startswith("(") or any("\u4e00" <= letter <= "\u9fff" for letter in said)


@pytest.mark.parametrize(
    ("hexadecimal", "code"),
    [
        ("00" * 12, "epc.header"),
        ("FD3795211411234538566CB0AFC525065F1876F0D996D800", "epc.header"),  # sgtin++
        ("3016", "epc.malformed"),
        ("307E" + "0" * 20, "epc.malformed"),  # partition 7
        ("3066C4409047E140075BCD150001", "epc.malformed"),
        ("F7379521141123A538566CB0AFC4", "epc.malformed"),  # a nibble above 9
        ("F73795211411234548566CB0AFC4", "gs1.check-digit"),
        ("xyz", "epc.malformed"),
        ("", "epc.malformed"),
    ],
)
def test_what_is_no_epc_is_told(hexadecimal: str, code: str):
    with pytest.raises(InvalidInput) as told:
        decode(hexadecimal)
    assert told.value.code == code
    check_chinese(told.value)


@pytest.mark.parametrize(
    "uri",
    ["urn:epc:id:sgtin:061414.712345.1", "urn:epc:tag:sgtin-96:9.0614141.812345.1", "urn:x",
     "urn:epc:id:sgtin:0614141.812345.a%2", "urn:epc:id:none:1.2.3", "urn:epc:id:gid:01.2.3",
     "urn:epc:id:sscc:0614141.12"],
)  # fmt: skip
def test_what_is_no_uri_is_told(uri: str):
    with pytest.raises(InvalidInput) as told:
        from_uri(uri)
    check_chinese(told.value)


def test_the_shortest_scheme_is_suggested():
    assert suggest(parse("(01)09506000134352(21)1")) == "sgtin-96"
    assert suggest(GTIN) == "sgtin+"
    assert suggest(parse("(8004)9521141A1")) == "giai+"
    with pytest.raises(InvalidInput):
        suggest(parse("(10)LOT"))


def test_partitions_add_up():
    assert all(width == bits.width_of(digits) for digits, width in PREFIX_BITS.items())


@pytest.mark.parametrize("name", ["88.888.101/DEV.DCM2500.01", "86.1.2/A-B(7)", "88.100.1/X_Y"])
def test_a_national_identifier_in_the_epc_bank(name: str):
    made = memory.national_uii(name.lower())
    assert int(made.pc, 16) >> 11 == len(made.words) // 4
    assert int(made.pc, 16) & 0x1FF == 0x1A1  # toggle and AFI
    assert memory.read_national_uii(made.pc, made.words) == name


@pytest.mark.parametrize("name", ["10.1000/182", "88.1.1/中", "88.1.1/" + "A" * 80, "88.1.1/a!"])
def test_other_names_need_user_memory(name: str):
    with pytest.raises(InvalidInput) as told:
        memory.national_uii(name)
    assert told.value.code == "epc.unfit"
    assert memory.read_user_record(memory.user_record(name)) == name


def test_a_damaged_user_record_is_told():
    words = memory.user_record("88.1.1/中文")
    assert len(words) % 4 == 0
    for at in range(len(words) - 4):
        broken = words[:at] + ("0" if words[at] != "0" else "1") + words[at + 1 :]
        if broken[: len(words) - 2] == words[: len(words) - 2]:
            continue  # a filling byte
        with pytest.raises(InvalidInput):
            memory.read_user_record(broken)
    with pytest.raises(InvalidInput):
        memory.read_national_uii("3000", words)


def test_crc16_has_its_known_value():
    assert memory.crc16(b"123456789") == 0x29B1 ^ 0xFFFF
