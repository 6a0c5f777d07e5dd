"""Every fault speaks both languages with the same placeholders and names a next step."""

import string

from mingwu.kernel.catalogue import codes
from mingwu.registry import errors as _errors  # noqa: F401 — registers the texts


def holes(pair):
    return {hole for part in pair for _, hole, _, _ in string.Formatter().parse(part) if hole}


def test_fault_texts_agree():
    ours = {code: texts for code, texts in codes().items() if code.startswith("registry.")}
    assert len(ours) > 25
    for code, texts in ours.items():
        assert holes(texts["en"]) == holes(texts["zh"]), code
        assert texts["en"][1], code
        assert texts["zh"][1], code
