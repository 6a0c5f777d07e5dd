"""Ecode (GB/T 31866): version, number of the code system (NSI), main code (MD), one after another.

=======  =================  =====================  ==========
version  NSI                MD                     written in
=======  =================  =====================  ==========
0        2 hex digits       1-61 hex digits        hexadecimal (4 + 8 + up to 244 bits)
1        4 digits           1-20 digits            digits
2        4 digits           1-28 digits            digits
3        5 characters       1-39 characters        letters and digits
4        5 characters       1 and more             Unicode
=======  =================  =====================  ==========

Modelled on the structure table of the 2015 edition as commonly published; the text of the 2023
edition was not at hand. Written ``ecode:`` in front (our convention, so that it is not taken for
another number); bare digits of 19 to 33 places are taken for versions 1 and 2.
"""

import re
from typing import NamedTuple

from mingwu.identity.codes import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.codes.code import Code, Fault
from mingwu.kernel.catalogue import Phrase

SYSTEM = "ecode"
_MARK = "ecode:"
_BARE = range(19, 34)
_MOST_CHARS = 255


class _Version(NamedTuple):
    nsi: re.Pattern[str]
    nsi_chars: int
    main: re.Pattern[str]
    rule: tuple[str, str]


_VERSIONS = {
    "0": _Version(re.compile("[0-9A-F]{2}"), 2, re.compile("[0-9A-F]{1,61}"),
                  (Phrase("2 hex digits", "2位十六进制"),
                   Phrase("1-61 hex digits", "1至61位十六进制"))),
    "1": _Version(re.compile("[0-9]{4}"), 4, re.compile("[0-9]{1,20}"),
                  (Phrase("4 digits", "4位数字"), Phrase("1-20 digits", "1至20位数字"))),
    "2": _Version(re.compile("[0-9]{4}"), 4, re.compile("[0-9]{1,28}"),
                  (Phrase("4 digits", "4位数字"), Phrase("1-28 digits", "1至28位数字"))),
    "3": _Version(re.compile("[0-9A-Za-z]{5}"), 5, re.compile("[0-9A-Za-z]{1,39}"),
                  (Phrase("5 characters", "5位字母数字"),
                   Phrase("1-39 characters", "1至39位字母数字"))),
    "4": _Version(re.compile("[0-9A-Za-z]{5}"), 5, re.compile(r"[^\s\x00-\x1f\x7f]+"),
                  (Phrase("5 characters", "5位字母数字"), Phrase("printable", "可见字符"))),
}  # fmt: skip


def recognise(text: str) -> Code | None:
    """Read an Ecode; None for other shapes."""
    if text[: len(_MARK)].lower() == _MARK:
        return _read(text[len(_MARK) :])
    if text[:1] in {"1", "2"} and len(text) in _BARE and text.isascii() and text.isdigit():
        code = _read(text)
        return code if code.ok else None
    return None


def _read(body: str) -> Code:
    version = body[:1]
    rules = _VERSIONS.get(version)
    if rules is None or len(body) > _MOST_CHARS:
        return _broken(body, version, "V", "0-4")
    if version == "0":
        body = body.upper()
    nsi, main = body[1 : 1 + rules.nsi_chars], body[1 + rules.nsi_chars :]
    if not rules.nsi.fullmatch(nsi):
        return _broken(body, version, "NSI", rules.rule[0])
    if not rules.main.fullmatch(main):
        return _broken(body, version, "MD", rules.rule[1])
    return Code(SYSTEM, f"v{version}", body, (("version", version), ("nsi", nsi), ("md", main)))


def _broken(body: str, version: str, part: str, rule: str) -> Code:
    params: dict[str, object] = {
        "text": body[:60], "version": version or "–", "part": part, "rule": rule,
    }  # fmt: skip
    return Code(SYSTEM, f"v{version}", body, (), Fault("codes.ecode", params))
