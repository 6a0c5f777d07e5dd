"""Counting again from outside: an exported log and the node's public keys are enough.

Every finding is about a file: not as sealed, signed by somebody else, not the successor of the one
before. Only a log without findings is counted. Segments removed at the end are found when the
reader knows a later head (``known``: number → SHA-256 of the file, e.g. from an earlier export or
a monthly report).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mingwu.identity.usage.report import BEIJING_S, WINDOW_DAYS, UsageReport, report
from mingwu.identity.usage.segment import Broken, Segment, pem_blocks, read_segment
from mingwu.trust import keys
from mingwu.trust.keys import PublicKey


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with which file."""

    file: str
    fault: str


class Reaggregation(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome; ``report`` only when nothing was found. ``head``: SHA-256 of the last file.

    ``key_ids``: whose seals there are, in their order; a node whose key was replaced has several.
    """

    sound: bool
    findings: tuple[Finding, ...]
    segments: int
    head: str
    report: UsageReport | None
    key_ids: tuple[str, ...] = ()


def reaggregate(
    files: Sequence[Path],
    public_key: bytes,
    *,
    known: Mapping[int, str] | None = None,
    day_offset_s: int = BEIJING_S,
    window_days: int = WINDOW_DAYS,
) -> Reaggregation:
    """Check the segments in ``files`` against ``public_key`` (PEM, one key or several) and count.

    Raises InvalidInput ``trust.bad-key`` for an unreadable key.
    """
    known_keys = keys_in(public_key)
    findings: list[Finding] = []
    segments: list[Segment] = []
    for path in sorted(files):
        segment, faults = check_segment(path.read_bytes(), known_keys)
        findings += [Finding(file=path.name, fault=fault) for fault in faults]
        if segment is None:
            continue
        if segments:
            findings += [
                Finding(file=path.name, fault=fault) for fault in _after(segments[-1], segment)
            ]
        segments.append(segment)
    findings += _against(known or {}, segments)
    counted = None
    if not findings:
        counted = report(segments, day_offset_s=day_offset_s, window_days=window_days)
    return Reaggregation(
        sound=not findings,
        findings=tuple(findings),
        segments=len(segments),
        head=segments[-1].digest if segments else "",
        report=counted,
        key_ids=tuple(dict.fromkeys(one.seal.key_id for one in segments if one.seal)),
    )


def keys_in(pem: bytes) -> dict[str, PublicKey]:
    """Public keys of a PEM file by their ids; raises InvalidInput ``trust.bad-key``."""
    found = (keys.load_public(block) for block in pem_blocks(pem) or (pem,))
    return {key.key_id: key for key in found}


def check_segment(data: bytes, known: Mapping[str, PublicKey]) -> tuple[Segment | None, list[str]]:
    """One sealed segment and what is wrong with it."""
    try:
        segment = read_segment(data)
    except Broken as error:
        return None, [str(error)]
    seal = segment.seal
    if seal is None:
        return segment, ["not sealed"]
    faults = []
    key = known.get(seal.key_id)
    if key is None or not key.verify(seal.message(), _bytes(seal.signature)):
        faults.append("the signature is not the node's")
    if seal.sha256 != segment.sha256:
        faults.append("the contents are not those that were sealed")
    if seal.entries != len(segment.entries):
        faults.append("entries are missing or added")
    if seal.number != segment.head.number:
        faults.append("the seal belongs to another segment")
    return segment, faults


def _after(before: Segment, segment: Segment) -> list[str]:
    faults = []
    if segment.head.number != before.head.number + 1:
        faults.append(f"segment {before.head.number + 1} is missing")
    elif segment.head.previous != before.digest:
        faults.append("it does not follow the segment before it")
    return faults


def _against(known: Mapping[int, str], segments: list[Segment]) -> list[Finding]:
    have = {segment.head.number: segment.digest for segment in segments}
    findings = []
    for number, digest in sorted(known.items()):
        if number not in have:
            findings.append(Finding(file=f"{number:08d}", fault="a known segment is missing"))
        elif have[number] != digest:
            findings.append(Finding(file=f"{number:08d}", fault="it differs from the known one"))
    return findings


def head_of(path: Path) -> str:
    """SHA-256 of a sealed file: what to write down somewhere else."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
