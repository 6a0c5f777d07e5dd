"""Where a key lives, as a PKCS#11 URI."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.carriers.keyuri import KeyUri, parse
from mingwu.kernel.errors import ConfigError

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(WORDS, WORDS, WORDS, WORDS)
def test_what_was_written_is_read(token, key, module, pin_file):
    uri = KeyUri(token=token, key=key, module=module, pin_file=pin_file)
    assert parse(str(uri)) == uri
    assert str(uri).isascii()


def test_as_other_programs_write_it():
    text = "pkcs11:token=My%20Token;object=k1?module-path=/usr/lib/x.so&pin-source=file:pin"
    assert parse(text) == KeyUri(token="My Token", key="k1", module="/usr/lib/x.so", pin_file="pin")
    assert parse(text).pin_path(Path("/c")) == Path("/c/pin")
    absolute = parse(text.replace("file:pin", "file:/run/pin"))
    assert absolute.pin_path(Path("/c")) == Path("/run/pin")


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:",
        "pkcs11:token=a;object=b?module-path=c",
        "pkcs11:token=a;object=b?module-path=c&pin-source=/pin",
        "pkcs11:token=a;object=b?module-path=c&pin-value=1234",
        "pkcs11:token=a;token=b;object=b?module-path=c&pin-source=file:x",
        "pkcs11:token=a;object=b;type=public?module-path=c&pin-source=file:x",
        "pkcs11:token=a;object=%ff?module-path=c&pin-source=file:x",
        "pkcs11:token=a;object=b;serial=1?module-path=c&pin-source=file:x",
    ],
)
def test_halves_and_pins_are_refused(text):
    with pytest.raises(ConfigError) as told:
        parse(text)
    assert told.value.code == "carriers.bad-key-handle"
    assert "1234" not in str(told.value)
