"""Decentralised identifiers (W3C DID Core §3.1): syntax, offline; no chain is asked.

did:cn (CAICT specification of 2025): issuer of two digits, industry of three to five, enterprise
of 1 to 128, e.g. ``did:cn:88.100.1``. did:bid (BID specification 2.0): an optional chain code of
four letters or digits, then 22 to 42 letters or digits whose first two tell key type (z SM2, e
Ed25519, s secp256k1) and encoding (f base58, s base64, t bech32), or the chain code alone.
did:vaa: base58, or ``contract:`` and a national identifier. Other methods: the general grammar.
"""

import re

from mingwu.identity.codes import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.codes import vaa
from mingwu.identity.codes.code import Code, Fault
from mingwu.kernel.catalogue import Phrase

SYSTEM = "did"
_DID = re.compile(r"did:([a-z0-9]+):([^#?]+)([#?].*)?", re.DOTALL)
_GENERAL = re.compile(r"(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})")
_CN = re.compile(r"(8[0-9]|[0-9]{2})\.([0-9]{3,5})\.([0-9]{1,128})")
_BID = re.compile(r"(?:([A-Za-z0-9]{4})(?::|$))?([A-Za-z0-9]{22,42})?")
_BASE58 = re.compile("[1-9A-HJ-NP-Za-km-z]{20,64}")
_ALPHABET58 = re.compile("[1-9A-HJ-NP-Za-km-z]*")
_KEYS = {"z": "SM2", "e": "Ed25519", "s": "secp256k1"}
_ENCODINGS = {"f": "base58", "s": "base64", "t": "bech32"}
_MOST_CHARS = 1024


def recognise(text: str) -> Code | None:
    """Read a DID (a path, query or fragment behind it is left out); None for other shapes."""
    if text[:4].lower() != "did:":
        return None
    found = _DID.fullmatch(text)
    if found is None or len(text) > _MOST_CHARS:
        return _broken(text, "?", Phrase("did:method:id", "小写方法名与标识"))
    method, body = found[1], found[2]
    own = _METHODS.get(method)
    bare = body if method == "vaa" else body.partition("/")[0]
    if own is not None:
        return own(bare)
    if not _GENERAL.fullmatch(bare):
        return _broken(bare, method, "W3C DID Core §3.1")
    return Code(SYSTEM, method, f"did:{method}:{bare}", (("id", bare),))


def _cn(body: str) -> Code:
    found = _CN.fullmatch(body)
    if found is None:
        return _broken(
            body,
            "cn",
            Phrase(
                "NN.NNN-NNNNN.N…; 2, 3-5, 1-128 digits",
                "NN.NNN-NNNNN.N…；2、3 至 5、1 至 128 位数字",
            ),
        )
    names = ("issuer", "industry", "enterprise")
    parts = (*zip(names, found.groups(), strict=True), ("prefix", body))
    return Code(SYSTEM, "cn", f"did:cn:{body}", parts)


def _bid(body: str) -> Code:
    found = _BID.fullmatch(body)
    if found is None or not (found[1] or found[2]):
        return _broken(body, "bid", "[AAAA:] + 22-42 A-Z a-z 0-9")
    chain, suffix = found[1] or "", found[2] or ""
    if suffix[:1] in _KEYS and suffix[1:2] == "f" and not _ALPHABET58.fullmatch(suffix[2:]):
        return _broken(body, "bid", Phrase("base58 behind “f”", "“f”之后须为 base58"))
    named = (
        ("chain", chain),
        ("suffix", suffix),
        ("key", _KEYS.get(suffix[:1], "")),
        ("encoding", _ENCODINGS.get(suffix[1:2], "")),
    )
    parts = tuple((name, value) for name, value in named if value)
    return Code(SYSTEM, "bid", f"did:bid:{body}", parts)


def _vaa(body: str) -> Code:
    if _BASE58.fullmatch(body):
        return Code(SYSTEM, "vaa", f"did:vaa:{body}", (("id", body),))
    contract, _, name = body.partition(":")
    inner = vaa.recognise(name)
    if not contract.isalnum() or inner is None or inner.fault is not None:
        return _broken(body, "vaa", "base58, contract:86.NNN.N/…")
    parts = (("contract", contract), *inner.parts)
    return Code(SYSTEM, "vaa", f"did:vaa:{contract}:{inner.canonical}", parts)


def _broken(body: str, method: str, rule: str) -> Code:
    fault = Fault("codes.did", {"text": body[:60], "method": method, "rule": rule})
    return Code(
        SYSTEM, method, body if body.startswith("did:") else f"did:{method}:{body}", (), fault
    )


_METHODS = {"cn": _cn, "bid": _bid, "vaa": _vaa}
