"""The form of HS_NAMESPACE data: what is read, and what is refused before it costs anything."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.namespace import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, read_namespace

GOOD = b'<namespace><template delimiter="@"><foreach><value/></foreach></template></namespace>'


def inside(xml):
    return b"<namespace><template>" + xml + b"</template></namespace>"


def test_a_template_is_read_with_its_delimiter():
    (template,) = read_namespace(GOOD)
    assert template.attributes == {"delimiter": "@"}
    assert [child.kind for child in template.children] == ["foreach"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<namespace>",
        b"<other/>",
        b"<template/>",
        GOOD + GOOD,
        b"<namespace><foreach/></namespace>",
        inside(b"<else/>"),
        inside(b"<value/><else/>"),
        inside(b"<foreach><foreach/></foreach>"),
        inside(b"<value><value/></value>"),
        inside(b"<if/>"),
        inside(b'<if value="x" test="resembles"/>'),
        inside(b'<value index="1" onload="x"/>'),
        inside(b"<script/>"),
        inside(b"<value/>" * MAX_ELEMENTS),
        inside(b'<if value="x" test="equals">' * MAX_DEPTH + b"</if>" * MAX_DEPTH),
        b"<!DOCTYPE a><namespace/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><namespace>&b;</namespace>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><namespace/>',
        inside(b"<value>&unknown;</value>"),
        b'<?xml version="1.0" encoding="no-such"?><namespace/>',
        b'<?xml version="1.0" encoding="gb18030"?><namespace/>',
        b" " * (MAX_BYTES + 1),
    ],
)
def test_what_is_refused(data):
    with pytest.raises(ProtocolError):
        read_namespace(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for document in (data, inside(data)):
        try:
            read_namespace(document)
        except ProtocolError:
            continue
