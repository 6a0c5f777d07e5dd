"""Emergency takeover: answering for a second-level node from its escrow.

Deposits are verified, decrypted and applied in order (the last FULL and the DIFFs behind it) to a
record store of its own; names answer from there as the node answered them, with the aliases and
signatures that they had, referrals to enterprises' own nodes go on. Only what was deposited is
known: later changes are not.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from mingwu.identity.cards import prefix_admin
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.escrow import (
    FULL,
    IDENTIFIER,
    PREFIX,
    EscrowObject,
    Manifest,
    read_manifest,
    read_objects,
)
from mingwu.identity.secondlevel.escrowrecords import prefix_of, within
from mingwu.identity.secondlevel.hosted import hosted_record
from mingwu.identity.secondlevel.model import ApplicationForm, Mode, SiteForm
from mingwu.identity.secondlevel.prefixes import referral_value, site_at
from mingwu.identity.server.process import home_prefixes
from mingwu.identity.trusted.signing import SIGNATURE
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import value_from_json
from mingwu.wire.handle.site import Site
from mingwu.wire.handle.values import HandleValue

log = logging.getLogger(__name__)
_BATCH = 2000


def chain(folder: Path, deposits: Iterable[str]) -> list[str]:
    """The deposits to apply, oldest first: from the last FULL on."""
    kept: list[str] = []
    for id_ in sorted(deposits, key=lambda one: int(one.rpartition("_")[2])):
        if f"_{FULL}_" in id_:
            kept = []
        kept.append(id_)
    if not kept or f"_{FULL}_" not in kept[0]:
        raise _bad(f"no FULL deposit in {folder.name}", f"{folder.name} 中没有 FULL 托管数据")
    return kept


def restore(
    records: RecordStore,
    folder: Path,
    deposits: Iterable[str],
    *,
    scalar: bytes,
    signer: bytes,
    site: Site,
) -> int:
    """Apply a node's deposits to ``records``; returns how many objects. ``site`` answers now.

    Raises InvalidInput ``secondlevel.escrow-bad`` for a broken chain, deposit by deposit.
    """
    total = 0
    expected = 0
    for id_ in chain(folder, deposits):
        manifest = read_manifest(folder, id_, signer)
        if manifest.id != id_:
            raise _bad(f"{id_} says it is {manifest.id}", f"{id_} 自称 {manifest.id}")
        if expected and manifest.number != expected:
            raise _bad(f"deposit {expected} is missing", f"缺少第 {expected} 份托管数据")
        expected = manifest.number + 1
        count = _apply(records, manifest, read_objects(folder, manifest, scalar), site)
        if count != manifest.objects:
            raise _bad(f"{id_}: {count} objects", f"{id_}：{count} 个对象")
        total += count
    log.info("restored from escrow node=%s objects=%d", folder.name, total)
    return total


def forget(records: RecordStore, node: str) -> None:
    """Drop what an earlier takeover left of a node: deposits since then decide."""
    below = node + "."
    for prefix in [*records.prefixes(), *(name.partition("/")[2] for name in _referrals(records))]:
        if prefix == node or prefix.startswith(below):
            records.unhome(prefix)
            _forget_names(records, prefix)
            records.delete_many([f"{PREFIX_HOME}/{prefix}"])


def _forget_names(records: RecordStore, prefix: str) -> None:
    while names := records.names(prefix, limit=_BATCH):
        records.delete_many(names)


def _referrals(records: RecordStore) -> list[str]:
    return records.names(PREFIX_HOME, limit=1_000_000)


def _apply(
    records: RecordStore, manifest: Manifest, objects: Iterator[EscrowObject], site: Site
) -> int:
    count = 0
    waiting: dict[str, Record] = {}
    home_prefixes(records, (manifest.prefix,), site)
    for one in objects:
        count += 1
        if not within(one.name, manifest.prefix):
            continue  # not the node's to answer for, so not ours in its place
        if one.kind == PREFIX:
            _apply_prefix(records, one, site)
        elif one.deleted:
            waiting.pop(one.name, None)
            records.delete_many([one.name])
        elif fold(one.name.partition("/")[0]) == PREFIX_HOME:
            _apply_home(records, one, site)
        else:
            waiting[one.name] = _record(one)
        if len(waiting) >= _BATCH:
            records.put_many(waiting.values())
            waiting.clear()
    records.put_many(waiting.values())
    return count


def _record(one: EscrowObject) -> Record:
    try:
        if one.kind == IDENTIFIER:
            values = msgspec.json.decode(str(one.content["values"]), type=dict[str, str])
            return hosted_record(one.name, one.prefix, str(one.content["template"]), values)
        told = msgspec.convert(one.content["values"], list[dict[str, object]])
        return Record(one.name, tuple(value_from_json(value, 0) for value in told))
    except (KeyError, ProtocolError, msgspec.MsgspecError) as error:
        raise _bad(f"{one.name}: {error}", f"{one.name}：{error}") from error


def _apply_home(records: RecordStore, one: EscrowObject, site: Site) -> None:
    """The record of a prefix, with its certificates. Of one that is answered for here the site is
    this one; a signature over the other site would be wrong now.
    """
    record, prefix = _record(one), prefix_of(one.name)
    if not records.is_homed(prefix):
        records.put(record)
        return
    kept = (value for value in record.values if not _is_of_place(value))
    records.put(Record(record.name, tuple(kept)))
    home_prefixes(records, (prefix,), site)


def _is_of_place(value: HandleValue) -> bool:
    kind = fold(value.type)
    return kind == SIGNATURE or kind.partition(".")[0] == "HS_SITE"


def _apply_prefix(records: RecordStore, one: EscrowObject, site: Site) -> None:
    name = f"{PREFIX_HOME}/{one.name}"
    if one.deleted or one.content["mode"] != Mode.HOSTED.value:
        _forget_names(records, one.name)  # an earlier deposit had it hosted
    if one.deleted:
        records.unhome(one.name)
        records.delete_many([name])
    elif one.content["mode"] == Mode.HOSTED.value:
        profile = msgspec.json.decode(str(one.content["profile"]), type=ApplicationForm)
        home_prefixes(records, (one.name,), site, profile.organisation.name)
    else:
        records.unhome(one.name)
        form = msgspec.json.decode(str(one.content["site"]), type=SiteForm)
        where = None if form.service else site_at(form.host, form.port, form.http_port)
        value = referral_value(where, form.service)
        records.put(Record(name, (value, prefix_admin(one.name))))


def _bad(english: str, chinese: str) -> InvalidInput:
    return InvalidInput("secondlevel.escrow-bad", fault=Phrase(english, chinese))
