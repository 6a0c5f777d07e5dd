"""What libraries and the system say of a fault is told in both languages."""

import errno
import re
import socket
import ssl

import msgspec
import pytest

from mingwu.kernel.catalogue import render
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, InvalidInput
from mingwu.kernel.names import parse
from mingwu.kernel.settings import Settings, build

ENGLISH = re.compile("[a-z]{3,} [a-z]{2,}")


class Shape(Settings, frozen=True):
    number: int
    text: str = ""


@pytest.mark.parametrize(
    "raw", [b'{"number": "x"}', b"{}", b'{"number": 1, "more": 2}', b"{", b"[}", b"\xff", b'"\xff"',
            b'{"number": 1e400}', b""]
)  # fmt: skip
def test_the_decoders_sentences_are_translated(raw):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        msgspec.json.decode(raw, type=Shape)
    words = told(caught.value)
    assert words == str(caught.value)
    assert not ENGLISH.search(render("input.invalid", "zh", {"path": "$", "fault": words})[0])


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ECONNREFUSED, errno.EADDRINUSE])
def test_system_errors_are_translated_by_their_number(number):
    error = OSError(number, "said in English by the system", "some file")
    assert told(error).en == "said in English by the system"
    assert not ENGLISH.search(told(error).zh)


def test_other_numbers_are_no_system_errors():
    """OpenSSL and the resolver count their own way."""
    assert "[SSL] something else" in told(ssl.SSLError(1, "[SSL] something else")).zh
    assert told(socket.gaierror(-2, "Name or service not known")).zh == "找不到该主机名"


def test_a_wait_that_ended_says_so():
    assert told(TimeoutError()).zh == "超时未应答"


def test_an_own_error_keeps_both_its_languages():
    with pytest.raises(InvalidInput) as caught:
        parse("x")
    words = told(caught.value)
    assert (words.en, words.zh) == (caught.value.text("en"), caught.value.text("zh"))


def test_a_long_sentence_of_somebody_else_is_cut():
    assert len(told(ValueError("x" * 10_000))) == 500


@pytest.mark.parametrize("data", [{}, {"number": "x"}, {"number": 1, "prot": 2}])
def test_faults_of_settings_are_told_in_chinese(data):
    with pytest.raises(ConfigError) as caught:
        build(Shape, data)
    assert not ENGLISH.search(caught.value.text("zh"))
