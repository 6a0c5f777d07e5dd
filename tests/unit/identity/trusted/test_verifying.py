"""Verdicts: each way in which a record may deserve no belief, for both algorithms."""

import base64
from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.records import Record
from mingwu.identity.trusted.jws import BadToken, Perm, parse
from mingwu.identity.trusted.signing import RecordSigner, is_covered, prefix_perms
from mingwu.identity.trusted.verdict import Reason, Verdict, format_report
from mingwu.identity.trusted.verifying import allows, verify, verify_async
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.values import HandleValue, Reference

NOW = 1_790_000_000
PLANT = Reference("0.NA/88.888.101", 301)
SECOND = Reference("0.NA/88.888", 301)
NAME = "88.888.101/DEV.DCM2500.01"


def shown(record):
    return tuple(value for value in record.values if value.is_public)


def verdict(world, values, *, handle=NAME, now=NOW, anchors=None):
    anchors = (world.anchor,) if anchors is None else anchors
    return verify(handle, values, anchors, world.fetch, now)


def edit(values, index, **changes):
    return tuple(replace(v, **changes) if v.index == index else v for v in values)


def test_signed_record_is_trusted_along_the_whole_chain(world, record):
    report = verdict(world, shown(world.plant.presign(record)))
    assert (report.verdict, report.reason) == (Verdict.TRUSTED, Reason.ALL_COVERED)
    assert report.covered == (1, 2)
    assert [link.issuer for link in report.chain] == [str(PLANT), str(SECOND), "301:0.0/0.0"]
    assert world.asked == [PLANT.handle, SECOND.handle]


def test_name_in_another_case_is_the_same(world, record):
    assert verdict(world, shown(world.plant.presign(record)), handle=NAME.lower()).is_trusted


def test_chain_claim_says_where_certificates_stand(world, record):
    place = "7:88.888/CERTS"
    world.records["88.888/CERTS"] = (replace(world.records.pop(PLANT.handle)[0], index=7),)
    signer = replace(world.plant, chain=(place, f"400:{SECOND.handle}"))
    assert verdict(world, shown(signer.presign(record))).is_trusted
    assert world.asked == ["88.888/CERTS", SECOND.handle]


def test_unsigned(world, record):
    assert verdict(world, shown(record)).verdict is Verdict.UNSIGNED


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (1, {"data": b"https://example.org/2"}),
        (2, {"type": "DESC.zh"}),
        (2, {"ttl": 1}),
        (1, {"permissions": 0x0F}),
    ],
)
def test_changed_value_is_tampering(world, record, index, changes):
    report = verdict(world, edit(shown(world.plant.presign(record)), index, **changes))
    assert (report.verdict, report.changed) == (Verdict.TAMPERED, (index,))
    assert report.chain


def test_new_timestamp_alone_is_no_change(world, record):
    values = edit(shown(world.plant.presign(record)), 1, timestamp=5)
    assert verdict(world, values).is_trusted


def test_added_value_is_not_trusted(world, record):
    values = (*shown(world.plant.presign(record)), HandleValue(9, "URL", b"https://evil.example"))
    report = verdict(world, values)
    assert (report.verdict, report.uncovered) == (Verdict.UNTRUSTED, (9,))


@pytest.mark.parametrize("first", [True, False])
def test_second_value_at_a_signed_index_is_tampering(world, record, first):
    signed = shown(world.plant.presign(record))
    forged = HandleValue(1, "URL", b"https://evil.example")
    report = verdict(world, (forged, *signed) if first else (*signed, forged))
    assert (report.verdict, report.changed) == (Verdict.TAMPERED, (1,))


def test_part_of_a_record_is_trusted_and_the_rest_named(world, record):
    values = [v for v in shown(world.plant.presign(record)) if v.index != 2]
    report = verdict(world, values)
    assert report.is_trusted
    assert report.absent == (2,)


def test_live_values_are_listed_apart(world, record):
    live = HandleValue(100_000, "MW.LIVE.temperature", b"{}")
    signed = shown(world.plant.presign(record))
    report = verdict(world, (*signed, live))
    assert report.is_trusted
    assert report.live == (100_000,)
    assert "live, not signed" in format_report(report)
    assert "实时值，未签名" in format_report(report, "zh")
    proof = tuple(v for v in signed if v.type == "HS_SIGNATURE")
    only = verdict(world, (*proof, live))
    assert (only.verdict, only.reason) == (Verdict.UNSIGNED, Reason.ONLY_LIVE)


def test_restricted_values_are_neither_signed_nor_hinted_at(world, record):
    token = parse(world.plant.presign(record).values[-1].data)
    assert [item.index for item in token.claims.digests.digests] == [1, 2]


def test_signature_of_another_name(world, record):
    report = verdict(world, shown(world.plant.presign(record)), handle="88.888.101/OTHER")
    assert report.reason is Reason.OTHER_SUBJECT


@pytest.mark.parametrize(
    ("now", "reason"), [(NOW + 401 * 86_400, Reason.PAST), (NOW - 3600, Reason.NOT_YET)]
)
def test_out_of_time(world, record, now, reason):
    report = verdict(world, shown(world.plant.presign(record)), now=now)
    assert (report.verdict, report.reason) == (Verdict.EXPIRED, reason)


def test_expired_certificate_above(world, record):
    short = replace(world.second, lifetime_s=60)
    world.records[PLANT.handle] = (world.certify(short, PLANT, "plant", "88.888.101"),)
    report = verdict(world, shown(world.plant.presign(record)), now=NOW + 61)
    assert report.verdict is Verdict.EXPIRED


def test_stranger_in_the_plants_name(world, record):
    signer = RecordSigner(PLANT, world.ring["stranger"], now=lambda: NOW)
    report = verdict(world, shown(signer.presign(record)))
    assert (report.verdict, report.reason) == (Verdict.TAMPERED, Reason.BAD_SIGNATURE)


def test_no_certificate(world, record):
    world.records.pop(SECOND.handle)
    report = verdict(world, shown(world.plant.presign(record)))
    assert (report.verdict, report.reason) == (Verdict.UNTRUSTED, Reason.NO_CERTIFICATE)


def test_unknown_anchor(world, record):
    report = verdict(world, shown(world.plant.presign(record)), anchors=())
    assert (report.verdict, report.reason) == (Verdict.UNKNOWN_ANCHOR, Reason.ANCHOR_UNKNOWN)


def test_plant_may_not_sign_names_of_another_prefix(world):
    foreign = Record("88.888.102/X", (HandleValue(1, "URL", b"https://example.org"),))
    report = verdict(world, shown(world.plant.presign(foreign)), handle=foreign.name)
    assert report.verdict is Verdict.WRONG_PERMISSION


def test_key_cannot_give_away_more_than_it_has(world):
    """The second-level node certifies its plant for everything: still only its own prefixes."""
    wide = world.second.certify(PLANT, world.ring["plant"].public(), (Perm("everything"),))
    world.records[PLANT.handle] = (wide,)
    foreign = Record("77.1/X", (HandleValue(1, "URL", b"https://example.org"),))
    report = verdict(world, shown(world.plant.presign(foreign)), handle=foreign.name)
    assert report.verdict is Verdict.WRONG_PERMISSION


def test_certificates_in_a_circle_end(world, record):
    world.records[SECOND.handle] = (world.certify(world.plant, SECOND, "second", "88"),)
    report = verdict(world, shown(world.plant.presign(record)))
    assert not report.is_trusted


def test_signing_again_replaces_the_signature(world, record):
    once = world.plant.presign(record)
    assert not world.plant.is_due(once)
    assert is_covered(once)
    assert not is_covered(record)
    twice = world.plant.presign(once)
    assert [v.index for v in twice.values] == [v.index for v in once.values]
    changed = Record(once.name, edit(once.values, 1, data=b"https://example.org/new"))
    assert world.plant.is_due(changed)
    assert not is_covered(changed)
    assert not is_covered(Record(once.name, (*once.values, HandleValue(9, "ALIAS.GS1", b"x"))))
    assert verdict(world, shown(world.plant.presign(changed))).is_trusted


def test_taken_index_is_left_alone(world, record):
    holder = Record(record.name, (*record.values, HandleValue(400, "NOTE", b"mine")))
    signed = world.plant.presign(holder)
    assert signed.value(400).type == "NOTE"
    assert signed.value(401).type == "HS_SIGNATURE"


def test_async_fetching_gives_the_same(world, record):
    values = shown(world.plant.presign(record))

    async def fetch(handle):
        await anyio.lowlevel.checkpoint()
        return world.fetch(handle)

    async def run():
        return await verify_async(NAME, values, (world.anchor,), fetch, NOW)

    assert anyio.run(run) == verdict(world, values)


def test_algorithm_is_not_chosen_by_the_sender(world, record):
    """A token that names the other algorithm does not pass with this key."""
    value = world.plant.presign(record).values[-1]
    other = b"RS256" if world.ring["plant"].algorithm is Algorithm.SM2 else b"SM2SM3"
    head = base64.urlsafe_b64encode(b'{"alg":"' + other + b'"}').rstrip(b"=")
    forged = replace(value, data=head + value.data[value.data.index(b".") :])
    assert not verdict(world, (*shown(record), forged)).is_trusted


def test_prefix_permissions():
    perms = prefix_perms("88.888")
    assert allows(perms, "301:0.NA/88.888.101", "88.888.101/X")
    assert allows(perms, "88.888/X", "88.888/x")
    assert not allows(perms, "301:0.NA/88.8889", "88.8889/X")
    assert not allows(perms, "0.NA/88", "0.NA/88")
    assert not allows((Perm("thisHandle", "88.888/X"),), "88.888/Y", "88.888/Y")
    assert not allows((Perm("dance", "88.888/X"),), "88.888/X", "88.888/X")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse(data)
    except BadToken:
        return
    assert data.count(b".") == 2


@given(st.text(max_size=80))
def test_strange_names_in_permissions_do_no_harm(text):
    assert not allows((Perm("handlesUnderThisPrefix", "0.NA/88.888"),), text, text + "/x")
