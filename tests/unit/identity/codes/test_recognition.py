"""Which system a text belongs to. Sources of vectors beside them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mingwu.identity.codes import oid
from mingwu.identity.codes.recognition import NAMES, SYSTEMS, readings, recognise, require
from mingwu.kernel.errors import InvalidInput

GOOD = [
    ("88.888.101/DEV.DCM2500.01", "vaa:88.888.101/DEV.DCM2500.01"),
    ("88.888.101/dev.dcm2500.01", "vaa:88.888.101/DEV.DCM2500.01"),
    ("25SVAA88.100.1/A", "vaa:88.100.1/A"),
    ("10.1000/182", "handle:10.1000/182"),  # the DOI handbook's own DOI
    ("hdl:20.1000/100", "handle:20.1000/100"),
    ("0.NA/88.888.101", "handle:0.NA/88.888.101"),
    ("9506000134352", "gs1:01/09506000134352"),  # gs1.org's example
    ("(01)09506000134352(21)x", "gs1:01/09506000134352/21/x"),
    ("https://id.gs1.org/01/09506000134352/21/x?17=271231", "gs1:01/09506000134352/21/x"),
    ("01/09506000134352", "gs1:01/09506000134352"),
    ("2.49.0.0", "oid:2.49.0.0"),  # RFC 3061 examples of the alerting arc
    ("urn:oid:1.3.6.1.4.1", "oid:1.3.6.1.4.1"),  # RFC 3061
    ("/ISO/Member-Body/156", "oid:1.2.156"),  # China under X.660
    ("/Joint-ISO-ITU-T/Example", "oid:2.999"),
    ("/Example/5", "oid:2.999.5"),  # a long arc, X.660
    ("/ISO/Member-Body/156/somebody", "oid:/1/2/156/somebody"),
    ("{iso(1) member-body(2) cn(156) 7}", "oid:1.2.156.7"),
    ("{joint-iso-itu-t example(999)}", "oid:2.999"),
    ("https://hdl.handle.net/20.1000/100?noredirect", "handle:20.1000/100"),
    ("https://doi.org/10.1000/a%2Fb", "handle:10.1000/A/B"),
    ("info:hdl/20.1000/100", "handle:20.1000/100"),
    ("hdl:88.888.101/A", "vaa:88.888.101/A"),
    ("https://hdl.handle.net/88.888.101/A", "vaa:88.888.101/A"),
    # as readers transmit them: identifiers of ISO/IEC 15424, or none at all
    ("]E09506000134352", "gs1:01/09506000134352"),
    ("]E496385074", "gs1:01/00000096385074"),
    ("]I119506000134359", "gs1:01/19506000134359"),
    ("]C088.888.101/A", "vaa:88.888.101/A"),
    ("]Q188.888.101/A", "vaa:88.888.101/A"),
    ("]Q2\\00002688.888.101/\u58f3\\\\1", "vaa:88.888.101/\u58f3\\1"),
    ("]d110.1000/182", "handle:10.1000/182"),
    ("]Q1https://id.gs1.org/01/09506000134352", "gs1:01/09506000134352"),
    ("]d2010950600013435221x", "gs1:01/09506000134352/21/x"),
    ("]d5\\000026010950600013435221x", "gs1:01/09506000134352/21/x"),
    ("010950600013435221x", "gs1:01/09506000134352/21/x"),
    ("0109506000134352", "gs1:01/09506000134352"),
    ("00095060001343520000", "gs1:00/095060001343520000"),
    ("(01)09506000134352(7041)PX(716)A1", "gs1:01/09506000134352"),
    ("URN:epc:id:sgtin:9506000.013435.x", "gs1:01/09506000134352/21/x"),
    ("ecode:10064123456789012", "ecode:10064123456789012"),
    ("did:cn:88.100.1", "did:did:cn:88.100.1"),  # CN-DID method specification
    ("did:bid:efNKcDVGSnXT3bQWjrjhP5aWpWaVMKFo", "did:did:bid:efNKcDVGSnXT3bQWjrjhP5aWpWaVMKFo"),
    ("did:bid:byo1", "did:did:bid:byo1"),  # a chain code alone, BID specification §3.1
    ("did:vaa:IDcontract1:86.100.1234/x", "did:did:vaa:IDcontract1:86.100.1234/X"),
    ("did:example:123456789abcdefghi", "did:did:example:123456789abcdefghi"),  # W3C DID Core
]
BAD = [
    ("9506000134353", "gs1.check-digit"),
    ("01/09506000134353", "gs1.check-digit"),  # and not a handle
    ("(01)09506000134352(99", "gs1.structure"),
    ("88.1.1/x", "codes.vaa"),
    ("88.888.A/x", "codes.vaa"),
    ("88.888.101/" + "x" * 250, "name.malformed"),
    ("10.1000/a\u0007", "name.malformed"),
    ("3.1.2", "codes.oid"),
    ("1.40.1", "codes.oid"),
    ("1.02.3", "codes.oid"),
    ("{iso(1) (40)}", "codes.oid"),
    ("(01)09506000134352(17)230229", "gs1.date"),
    ("(01)09506000134352(17)231301", "gs1.date"),
    ("ecode:5123", "codes.ecode"),
    ("ecode:1006A123", "codes.ecode"),
    ("did:cn:88.1.1", "codes.did"),
    ("did:bid:short", "codes.did"),
    ("did:bid:ef0KcDVGSnXT3bQWjrjhP5aWpWaVMKFo", "codes.did"),  # base58 has no 0
    ("did:", "codes.did"),
]


@pytest.mark.parametrize(("text", "key"), GOOD)
def test_known_codes(text, key):
    code = require(text)
    assert code.key == key
    assert code.system in NAMES


@pytest.mark.parametrize(("text", "fault"), BAD)
def test_faults_say_what_is_wrong(text, fault):
    code = recognise(text)
    assert code is not None
    assert code.fault is not None
    assert code.fault.code == fault
    assert code.fault.text("zh")
    assert code.fault.text("zh") != code.fault.text("en")
    assert "{" not in code.fault.text("en") + code.fault.next_step("zh")
    with pytest.raises(InvalidInput):
        require(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "https://example.org/a",
        "x" * 5000,
        "/",
        ".",
        "]X0abc",
        "]Q1",
        "010950600013435321x",
        "https://doi.org/",
        "https://doi.org.example/10.1000/1",
    ],
)
def test_other_texts_belong_nowhere(text):
    assert recognise(text) is None
    with pytest.raises(InvalidInput, match="no known code system"):
        require(text)


def test_a_thirteen_digit_number_has_two_readings():
    assert {code.kind for code in readings("9521321000018")} == {"gtin", "gln"}


@given(st.text(max_size=80))
@example("88./")
@example("did:vaa:a:88.")
@example("/01/x")
@example("http://[")
@example("²")
def test_any_text_is_read_without_an_error(text):
    first = recognise(text)
    for system in SYSTEMS:
        system.recognise(text)
    if first is not None and first.ok:
        assert first.canonical


@given(st.lists(st.integers(0, 10**12), max_size=8), st.integers(0, 2), st.integers(0, 39))
def test_object_identifiers_read_alike_in_all_forms(arcs, first, second):
    dotted = ".".join(map(str, (first, second, *arcs)))
    for text in (dotted, f"urn:oid:{dotted}", "/" + dotted.replace(".", "/")):
        code = oid.recognise(text)
        assert code is not None
        assert code.canonical == dotted


@given(st.sampled_from([text for text, _ in GOOD]))
def test_the_canonical_form_is_a_fixed_point(text):
    code = require(text)
    forms = {"ecode": "ecode:{}"}
    again = require(forms.get(code.system, "{}").format(code.canonical))
    assert again.key == code.key
