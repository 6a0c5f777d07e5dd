"""Thing cards as handle records: what a machine answers under its name.

============  ====================  =====================================================
index         type                  data
============  ====================  =====================================================
1             URL                   documentation, or the thing's page where there is none
2, 3          DESC.zh, DESC.en      its names
4             MW.KIND               machine, part, …
5             MW.TYPE               its thing model
6             LOCATION              place in the hierarchy
7             MW.TD                 URL of its Thing Description
8             MW.SIMULATED          "true", only where data is simulated
10–79         REL.<kind>            identifier of a thing it leads to (``made_from``, …)
80–99         ALIAS.<SYSTEM>        the same thing's code in another system
100           HS_ADMIN              the prefix's administrator
100000 + n    MW.LIVE.<tag>         live value of tag number n (``identity.live``)
============  ====================  =====================================================

More relations or codes than there are indexes stay in the registry. Indexes 200-299 are left to
HS_VLIST, 300-499 to keys, certificates and signatures, 500-699 to aliases and links (kept when a
card changes), 1000-99999 to data templates (the national systems number their items from 2000 and
keep 1001 for themselves).
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from mingwu.identity.codes.recognition import recognise
from mingwu.identity.live import FIRST_INDEX, LiveSource
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import ALIAS_TYPE, RELATION_TYPE, Record, RecordStore
from mingwu.kernel.plant import ThingCard
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.codes import ALL_RIGHTS, AdminRight
from mingwu.wire.handle.values import MAX_INDEX, HandleValue

ADMIN_INDEX = 100
ADMIN_KEY_INDEX = 300
RELATION_INDEXES = range(10, 80)
CODE_INDEXES = range(80, 100)
_LAYOUT = 2  # part of the fingerprint: raise it when the table above changes
_BATCH = 5000
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What a synchronisation changed."""

    stored: int = 0
    unchanged: int = 0
    removed: int = 0


@lru_cache(1024)
def prefix_admin(prefix: str, rights: int = ALL_RIGHTS & ~AdminRight.LIST_HANDLES) -> HandleValue:
    """HS_ADMIN naming the key 300 of the prefix record, the usual administrator of a name."""
    data = encode_admin(Admin(f"0.NA/{prefix}", ADMIN_KEY_INDEX, rights))
    return HandleValue(index=ADMIN_INDEX, type="HS_ADMIN", data=data)


def card_record(card: ThingCard, *, base_url: str = "", now: int = 0) -> Record:
    """The record of a thing; ``base_url`` is where the console answers, ``now`` in seconds."""
    page = f"{base_url}/things/{card.id}" if base_url else ""
    description = f"{base_url}/api/things/{card.id}/td" if base_url else ""
    texts = (
        (1, "URL", card.documentation or page),
        (2, "DESC.zh", card.name_zh),
        (3, "DESC.en", card.name_en),
        (4, "MW.KIND", str(card.kind)),
        (5, "MW.TYPE", card.type),
        (6, "LOCATION", card.place),
        (7, "MW.TD", description),
        (8, "MW.SIMULATED", "true" if card.simulated else ""),
    )
    values = [
        HandleValue(index=index, type=kind, data=text.encode(), timestamp=now)
        for index, kind, text in texts
        if text
    ]
    values += _leads(card, now)
    values.append(prefix_admin(card.id.partition("/")[0]))
    live = tuple(
        LiveSource(
            index=FIRST_INDEX + tag.number,
            number=tag.number,
            tag=tag.name,
            unit=tag.unit,
            type=tag.type,
            simulated=card.simulated,
        )
        for tag in card.tags
        # An index is 31 bits; no registry comes near, but a foreign number must not break a name.
        if FIRST_INDEX + tag.number <= MAX_INDEX
    )
    return Record(card.id, tuple(values), live)


def _leads(card: ThingCard, now: int) -> Iterator[HandleValue]:
    """Relations and aliases; a code that no system knows is left out (``mingwu check`` tells)."""
    for index, (kind, target) in zip(RELATION_INDEXES, card.relations, strict=False):
        yield HandleValue(index, RELATION_TYPE + kind, target.encode(), timestamp=now)
    read = filter(None, map(recognise, card.codes))
    for index, code in zip(CODE_INDEXES, (code for code in read if code.ok), strict=False):
        kind = ALIAS_TYPE + code.system.upper()
        yield HandleValue(index, kind, code.canonical.encode(), timestamp=now)


def _fingerprint(card: ThingCard, base_url: str) -> bytes:
    content = _encode((_LAYOUT, base_url, card))
    return hashlib.sha256(content).digest()[:16]


def sync_cards(
    store: RecordStore, cards: Iterable[ThingCard], *, base_url: str = "", now: int | None = None
) -> SyncSummary:
    """Make the store answer for exactly these things; other records are left alone.

    ``base_url`` is where the console answers; ``now`` (seconds) stamps the values, default the
    clock. Unchanged cards cost a hash, so this may run at every start and every registry change.
    """
    stamp = int(time.time()) if now is None else now
    known = store.cards()
    seen: set[bytes] = set()
    fresh: list[tuple[Record, bytes]] = []
    stored = unchanged = 0
    for card in cards:
        key = key_of(card.id)[1:]
        mark = _fingerprint(card, base_url)
        seen.add(key)
        if known.get(key) == mark:
            unchanged += 1
            continue
        fresh.append((card_record(card, base_url=base_url, now=stamp), mark))
        if len(fresh) >= _BATCH:
            stored += _flush(store, fresh)
    gone = [key for key in known if key not in seen]
    stored += _flush(store, fresh, gone)
    return SyncSummary(stored, unchanged, len(gone))


def _flush(
    store: RecordStore, fresh: list[tuple[Record, bytes]], gone: Sequence[bytes] = ()
) -> int:
    count = len(fresh)
    if fresh or gone:
        store.put_cards(fresh, gone)
    fresh.clear()
    return count
