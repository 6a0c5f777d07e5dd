"""EPC binary strings in Digital Links, and EPC URIs as codes."""

import pytest

from mingwu.identity.codes.recognition import recognise
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.epc.linkform import elements_of, segment_of
from mingwu.wire.gs1 import link

EXAMPLE = "01/09528765123457/21/123456789123"


@pytest.mark.parametrize("segment", ["eh30164596f40c0e5cbe991a83", "exMBZFlvQMDly-mRqD"])
def test_the_worked_examples_of_the_standard(segment: str):
    # GS1 Digital Link: compression for EPC binary strings 1.0.0, §4.2, as cited in public tests
    assert link.from_elements(elements_of(segment)).path == EXAMPLE
    code = recognise(f"https://example.com/some/{segment}?lang=zh")
    assert code is not None
    assert code.key == f"gs1:{EXAMPLE}"


def test_a_dated_key_keeps_its_date():
    found = elements_of("ehfb342cde795211411234538566cb0afc4")
    assert found[-1] == ("17", "220630")
    assert segment_of("3066C4409047E140075BCD15") == "eh3066c4409047e140075bcd15"


@pytest.mark.parametrize("segment", ["eh", "ex", "eh3G00", "EH3066", "ehe2000000", "ex+/==", "01",
                                     "eh3500E86F8000A9E000000586".lower()])  # fmt: skip
def test_what_is_no_epc_segment_is_told(segment: str):
    with pytest.raises(InvalidInput):
        elements_of(segment)


@pytest.mark.parametrize("word", ["export", "example", "ehf00d", "exit"])
def test_words_are_not_taken_for_epcs(word: str):
    assert recognise(f"https://example.com/{word}") is None


def test_epc_uris_are_gs1_codes():
    for uri in ("urn:epc:id:sgtin:95060001343.05.7", "urn:epc:tag:sgtin-96:3.95060001343.05.7"):
        code = recognise(uri)
        assert code is not None
        assert code.key == "gs1:01/09506000134352/21/7"
    broken = recognise("urn:epc:id:sgtin:9506.05.7")
    assert broken is not None
    assert broken.fault is not None
    assert recognise("urn:epc:id:gid:1.2.3") is None
