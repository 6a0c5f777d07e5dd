"""Node ids as users write them."""

import uuid

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary
from hypothesis import given
from hypothesis import strategies as st

from mingwu.field.opcua.address import NodeAddress, encode, parse
from mingwu.field.opcua.plan import compile_tags
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec

GUID = "72962b91-fa75-4ae6-8d28-b404dc7daf63"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i=2258", NodeAddress(0, 2258)),
        ("ns=2;s=Machine01.Spindle.Load", NodeAddress(2, "Machine01.Spindle.Load")),
        ("ns=2;s=a;b=c", NodeAddress(2, "a;b=c")),
        ("nsu=urn:maker:cell;s=主轴", NodeAddress("urn:maker:cell", "主轴")),
        ("nsu=urn:a%3Bb%25c;i=5", NodeAddress("urn:a;b%c", 5)),
        (f"ns=3;g={GUID}", NodeAddress(3, uuid.UUID(GUID))),
        ("ns=3;b=AQI=", NodeAddress(3, b"\1\2")),
    ],
)
def test_forms_of_the_standard(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "Spindle", "ns=2", "ns=x;s=a", "ns=70000;s=a", "i=-1", "i=4294967296", "i=1.5",
     "g=not-a-guid", "b=***", "s=", "s=" + "x" * 5000, "ns=2;q=a"],
)  # fmt: skip
def test_a_bad_address_is_named_in_the_fault(text):
    with pytest.raises(ConfigError) as caught:
        compile_tags([TagSpec(number=1, thing="t", name="load", address=text)])
    assert caught.value.code == "opcua.address"
    for lang in ("en", "zh"):
        assert text[:200] in caught.value.text(lang)
        assert "load" in caught.value.text(lang)


IDS = st.one_of(
    st.integers(0, 2**32 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.uuids(),
    st.binary(min_size=1, max_size=20),
)


@given(IDS, st.integers(0, 65535))
def test_encoding_is_what_asyncua_reads(identifier, index):
    found = ua.ua_binary.nodeid_from_binary(
        ua.utils.Buffer(encode(NodeAddress(index, identifier), index))
    )
    assert (found.Identifier, found.NamespaceIndex) == (identifier, index)


@pytest.mark.parametrize("text", ["i=85", "i=2258", "ns=2;i=70000", "ns=300;i=5", "ns=2;s=abc"])
def test_encoding_is_as_short_as_asyncuas(text):
    address = parse(text)
    wire = encode(address, address.index([]))
    assert len(wire) <= len(nodeid_to_binary(ua.NodeId.from_string(text)))


def test_namespace_uris_are_found_in_the_servers_list():
    address = parse("nsu=urn:b;s=x")
    assert address.index(["http://opcfoundation.org/UA/", "urn:a", "urn:b"]) == 2
    assert address.index(["http://opcfoundation.org/UA/"]) is None
    assert parse("ns=7;s=x").index([]) == 7
