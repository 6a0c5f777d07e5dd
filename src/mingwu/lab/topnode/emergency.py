"""Emergency takeover: answering for a second-level node from its escrow.

Deposits are verified, decrypted and applied in order (the last FULL and the DIFFs behind it) to a
record store of its own; hosted names answer from there, referrals to
enterprises' own nodes go on. Only what was deposited is known: later changes are not.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from mingwu.identity.cards import prefix_admin
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.escrow import FULL, EscrowObject, read_manifest, read_objects
from mingwu.identity.secondlevel.hosted import hosted_record
from mingwu.identity.secondlevel.model import ApplicationForm, Mode, SiteForm
from mingwu.identity.secondlevel.prefixes import referral_value, site_at
from mingwu.identity.server.process import home_prefixes
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.site import Site

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
        raise InvalidInput("secondlevel.escrow-bad", fault=f"no FULL deposit in {folder.name}")
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
        if expected and manifest.number != expected:
            raise InvalidInput("secondlevel.escrow-bad", fault=f"deposit {expected} is missing")
        expected = manifest.number + 1
        count = _apply(records, read_objects(folder, manifest, scalar), site)
        if count != manifest.objects:
            raise InvalidInput("secondlevel.escrow-bad", fault=f"{id_}: {count} objects")
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


def _apply(records: RecordStore, objects: Iterator[EscrowObject], site: Site) -> int:
    count = 0
    waiting: dict[str, Record] = {}
    for one in objects:
        count += 1
        if one.kind == "prefix":
            _apply_prefix(records, one, site)
        elif one.deleted:
            waiting.pop(one.name, None)
            records.delete_many([one.name])
        else:
            values = msgspec.json.decode(str(one.content["values"]), type=dict[str, str])
            template = str(one.content["template"])
            waiting[one.name] = hosted_record(one.name, one.prefix, template, values)
        if len(waiting) >= _BATCH:
            records.put_many(waiting.values())
            waiting.clear()
    records.put_many(waiting.values())
    return count


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
