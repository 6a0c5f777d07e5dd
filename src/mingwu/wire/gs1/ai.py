"""Application identifiers (AI): which exist, the form of their data, which are primary keys.

Source of the table's facts: GS1 General Specifications §3 and the GS1 Barcode Syntax Dictionary.
A form is a chain of components: ``N`` digits, ``X`` the 82 characters, ``Y`` the 39 of part
numbers, ``Z`` base64url; a number is a fixed length, ``..n`` one to n; a trailing ``?`` makes the
last component optional. Marks: ``c`` check digit at the end of the component, ``p`` check pair,
``d`` date YYMMDD (day 00: the month). Codes of countries, currencies and media and numbers of
terminals are checked by length only, mandatory or excluded pairs of AIs not at all (those need all
carriers of an item at once).
"""

import calendar
import re
from collections.abc import Iterator
from typing import NamedTuple

from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1 import errors as _texts  # noqa: F401 - registers the texts
from mingwu.wire.gs1.checks import check_digit, check_pair

_TABLE = """
00 N18c SSCC|01 N14c GTIN|02 N14c CONTENT|03 N14c MTO GTIN|10 X..20 BATCH/LOT|11 N6d PROD DATE
12 N6d DUE DATE|13 N6d PACK DATE|15 N6d BEST BEFORE|16 N6d SELL BY|17 N6d USE BY|20 N2 VARIANT
21 X..20 SERIAL|22 X..20 CPV|235 X..28 TPX|240 X..30 ADDITIONAL ID|241 X..30 CUST. PART No.
242 N..6 MTO VARIANT|243 X..20 PCN|250 X..30 SECONDARY SERIAL|251 X..30 REF. TO SOURCE
253 N13c+X..17? GDTI|254 X..20 GLN EXTENSION|255 N13c+N..12? GCN|30 N..8 VAR. COUNT|37 N..8 COUNT
3100-3699 N6 MEASURE|3900-3909 N..15 AMOUNT|3910-3919 N3+N..15 AMOUNT|3920-3929 N..15 PRICE
3930-3939 N3+N..15 PRICE|3940-3943 N4 PRCNT OFF|3950-3955 N6 PRICE/UoM|400 X..30 ORDER NUMBER
401 X..30 GINC|402 N17c GSIN|403 X..30 ROUTE|410 N13c SHIP TO LOC|411 N13c BILL TO
412 N13c PURCHASE FROM|413 N13c SHIP FOR LOC|414 N13c LOC No.|415 N13c PAY TO|416 N13c PROD/SERV LOC
417 N13c PARTY|420 X..20 SHIP TO POST|421 N3+X..9 SHIP TO POST|422 N3 ORIGIN
423 N..15 COUNTRY - INITIAL PROCESS|424 N3 COUNTRY - PROCESS|425 N..15 COUNTRY - DISASSEMBLY
426 N3 COUNTRY - FULL PROCESS|427 X..3 ORIGIN SUBDIVISION|4300-4301 X..35 SHIP TO
4302-4306 X..70 SHIP TO|4307 X2 SHIP TO COUNTRY|4308 X..30 SHIP TO PHONE|4309 N20 SHIP TO GEO
4310-4311 X..35 RTN TO|4312-4316 X..70 RTN TO|4317 X2 RTN TO COUNTRY|4318 X..20 RTN TO POST
4319 X..30 RTN TO PHONE|4320 X..35 SRV DESCRIPTION|4321-4323 N1 SHIPPING FLAG
4324-4325 N10 DELIVERY TIME|4326 N6d REL DATE|4330-4333 N6+X1? TEMPERATURE|7001 N13 NSN
7002 X..30 MEAT CUT|7003 N10 EXPIRY TIME|7004 N..4 ACTIVE POTENCY|7005 X..12 CATCH AREA
7006 N6d FIRST FREEZE DATE|7007 N6d+N6? HARVEST DATE|7008 X..3 AQUATIC SPECIES
7009 X..10 FISHING GEAR TYPE|7010 X..2 PROD METHOD|7011 N6d+N4? TEST BY DATE|7020 X..20 REFURB LOT
7021 X..20 FUNC STAT|7022 X..20 REV STAT|7023 X..30 GIAI - ASSEMBLY|7030-7039 N3+X..27 PROCESSOR
7040 N1+X3 UIC+EXT|7041 X..4 UFRGT UNIT TYPE|710-717 X..20 NHRN|7230-7239 X2+X..28 CERT
7240 X..20 PROTOCOL|7241 N2 AIDC MEDIA TYPE|7242 X..25 VCN|7250 N8 DOB|7251 N12 DOB TIME
7252 N1 BIO SEX|7253 X..40 FAMILY NAME|7254 X..40 GIVEN NAME|7255 X..10 SUFFIX|7256 X..90 FULL NAME
7257 X..70 PERSON ADDR|7258 X3 BIRTH SEQUENCE|7259 X..40 BABY|8001 N14 DIMENSIONS|8002 X..20 CMT No.
8003 N14c+X..16? GRAI|8004 X..30 GIAI|8005 N6 PRICE PER UNIT|8006 N14c+N4 ITIP|8007 X..34 IBAN
8008 N8+N..4? PROD TIME|8009 X..50 OPTSEN|8010 Y..30 CPID|8011 N..12 CPID SERIAL|8012 X..20 VERSION
8013 X..25p GMN|8014 X..25p MUDI|8017 N18c GSRN - PROVIDER|8018 N18c GSRN - RECIPIENT
8019 N..10 SRIN|8020 X..25 REF No.|8026 N14c+N4 ITIP CONTENT|8030 Z..90 DIGSIG|8040 N15 IMEI
8041 N15 IMEI2|8042 N32 ESIM|8043 N18+N..2? PSIM|8110 X..70 COUPON|8111 N4 POINTS|8112 X..70 COUPON
8200 X..70 PRODUCT URL|90 X..30 INTERNAL|91-99 X..90 INTERNAL
"""
_CLASSES = {"N": "[0-9]", "X": '[!"%-?A-Z_a-z]', "Y": "[#\\-/0-9A-Z]", "Z": "[-_0-9A-Za-z]"}
_COMPONENT = re.compile(r"([NXYZ])(\.\.)?(\d+)([cpd]?)(\??)")
# First two digits of AIs whose length is fixed for ever: no separator follows their data.
PREDEFINED = frozenset(
    {*(f"{n:02d}" for n in range(5)), *(f"{n}" for n in (*range(11, 21), *range(31, 37), 41))}
)


class Ai(NamedTuple):
    """One application identifier; ``check`` counts the digits up to and with the check digit."""

    ai: str
    title: str
    form: str
    pattern: re.Pattern[str]
    check: int
    pair: bool
    date: bool

    @property
    def needs_separator(self) -> bool:
        """Whether FNC1 must follow its data when more comes."""
        return self.ai[:2] not in PREDEFINED


# Primary keys and the qualifiers that may follow, as alternative ordered sequences
# (GS1 Digital Link URI Syntax §4.7-4.9; Resolver §2.5.9 about serials without batch is stricter
# for registering links, not for reading).
PRIMARY_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": ((),),
    "01": (("22", "10", "21"), ("235",)),
    "253": ((),),
    "255": ((),),
    "401": ((),),
    "402": ((),),
    "410": ((),),
    "411": ((),),
    "412": ((),),
    "413": ((),),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "416": ((),),
    "417": (("7040",),),
    "8003": ((),),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": ((),),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
QUALIFIERS = frozenset(ai for ways in PRIMARY_KEYS.values() for way in ways for ai in way)


def _make(ai: str, form: str, title: str) -> Ai:
    pattern, check, pair, date = "", 0, False, False
    for kind, up_to, size, mark, optional in _COMPONENT.findall(form):
        part = f"{_CLASSES[kind]}{{{'1,' if up_to else ''}{size}}}"
        pattern += f"(?:{part})?" if optional else part
        check = int(size) if mark == "c" else check
        pair = pair or mark == "p"
        date = date or mark == "d"
    return Ai(ai, title, form, re.compile(pattern), check, pair, date)


def _read(table: str) -> Iterator[Ai]:
    for entry in table.replace("\n", "|").strip("|").split("|"):
        numbers, form, title = entry.split(" ", 2)
        first, _, last = numbers.partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = str(number).zfill(len(first))
            # the last digit of a measure is its decimal places, at most five
            if title == "MEASURE" and (ai[3] > "5" or ai[:3] in _NO_MEASURE):
                continue
            yield _make(ai, form, title)


_NO_MEASURE = {"317", "318", "319", "338", "339", "358", "359"}
AIS: dict[str, Ai] = {item.ai: item for item in _read(_TABLE)}


def find(ai: str) -> Ai:
    """The application identifier; raises InvalidInput ``gs1.unknown-ai``."""
    known = AIS.get(ai)
    if known is None:
        raise InvalidInput("gs1.unknown-ai", ai=ai[:20])
    return known


def _days(year: int, month: int) -> int:
    """Days of a month of 1951-2050, as two digits of a year are read; -1 for no month."""
    try:
        return calendar.monthrange(2000 + year, month)[1]  # leap years fall as in 1951-2050
    except calendar.IllegalMonthError:
        return -1


def validate(ai: str, value: str) -> None:
    """Check the data of one AI; raises InvalidInput ``gs1.…`` naming the fault."""
    known = find(ai)
    if not known.pattern.fullmatch(value):
        raise InvalidInput(
            "gs1.format", ai=ai, title=known.title, value=value[:100], format=known.form
        )
    if known.check:
        expected = check_digit(value[: known.check - 1])
        if value[known.check - 1] != expected:
            raise InvalidInput(
                "gs1.check-digit", ai=ai, title=known.title, value=value, expected=expected
            )
    if known.pair and (len(value) < 3 or check_pair(value[:-2]) != value[-2:]):  # noqa: PLR2004
        expected = check_pair(value[:-2])
        raise InvalidInput(
            "gs1.check-digit", ai=ai, title=known.title, value=value, expected=expected
        )
    if known.date and int(value[4:6]) > _days(int(value[:2]), int(value[2:4])):
        raise InvalidInput("gs1.date", ai=ai, title=known.title, value=value)
