"""Choosing what to answer: values of a name by index and type, permissions, referrals.

This is the one place that decides; the binary protocol and the HTTP interface only put the
decision into their forms. Rules: an unknown name under a prefix of ours is asked of the prefix's
templates (``identity.namespaces``), and else "not found"; under a
prefix that is delegated by a record ``0.NA/<prefix>`` of ours (or derived from one whose record
delegates derived prefixes) it is referred there: names by code 302, records of prefixes by 303,
because deployed clients follow each for these only; elsewhere we are not responsible. A name
without a slash is a prefix and means its record. A query that
touches restricted values (unpublished readings of a carrier are such) and did not ask for public
ones only needs authentication; who may read
some of a record gets those when asking for all, and a refusal when asking for others by index or
type; a query that selects nothing finds no values.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mingwu.identity.live import LiveGetter, live_value
from mingwu.identity.namespaces import applicable, evaluate, is_namespace
from mingwu.identity.recordbytes import HAS_CARRIER, IS_OPEN, StoredRecord
from mingwu.identity.recordkeys import PREFIX, key_of
from mingwu.identity.snapshot import Snapshot
from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS, Rc
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import HandleValue, encode_value, read_value, type_matches

PREFIX_HOME = "0.NA"
# Dots of a prefix up to which the prefixes above it are looked at; deployed ones have three.
DEEPEST = 32
# Values of a prefix record that tell where the prefix is served.
_SERVICE_TYPES: tuple[str, ...] = ("HS_SITE", "HS_SITE.", "HS_SERV", "HS_SERV.")
# Those that also hold for every prefix derived from it (88.101 for 88.101.5).
_DERIVED_TYPES = ("HS_SITE.PREFIX", "HS_SERV.PREFIX")


@dataclass(frozen=True, slots=True)
class Query:
    """A question about one name. Empty ``indexes`` and ``types`` mean all values.

    ``public_only`` leaves restricted values out silently; ``may_read`` lists the indexes of
    restricted values that an authenticated asker may see (None: not authenticated).
    """

    name: str
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    public_only: bool = False
    may_read: frozenset[int] | None = None

    @property
    def asks_for_all(self) -> bool:
        """Whether the whole record is asked for."""
        return not self.indexes and not self.types

    def selector(self) -> Callable[[int, str], bool]:
        """Tells of an index and a type whether such a value is asked for."""
        if self.asks_for_all:
            return _anything
        indexes = frozenset(self.indexes)
        types = [fold(kind) for kind in self.types]
        heads = tuple(kind for kind in types if kind.endswith("."))
        exact = frozenset(kind.removesuffix(".") for kind in types)  # "DESC." means DESC, too

        def selects(index: int, kind: str) -> bool:
            folded = fold(kind)
            return index in indexes or folded in exact or folded.startswith(heads)

        return selects


def _anything(index: int, kind: str) -> bool:
    del index, kind
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """The decision: a code, the chosen values encoded, and for referrals where to go."""

    rc: int
    values: Sequence[bytes] = ()
    live: Sequence[HandleValue] = ()
    refer_to: str = ""
    message: str = ""


def look_up(
    snapshot: Snapshot, live: LiveGetter, query: Query, *, live_ttl_s: int = 1, refer: bool = True
) -> Found:
    """Answer a query from a store snapshot (begun by the caller)."""
    if "/" not in query.name:
        query = replace(query, name=full_name(query.name))
    if snapshot.refuses(query.name):
        return Found(Rc.IDIS_DAILY_LIMIT, message="the requests of today are used up")
    key = key_of(query.name)
    data = snapshot.get(key)
    if data is None:
        made = _by_template(snapshot, live, query, live_ttl_s)
        return made or _absent(snapshot, query.name, refer=refer)
    record, selects = StoredRecord(data), query.selector()
    chosen = [raw for index, kind, raw in record.public_values() if selects(index, kind)]
    now = int(time.time())
    living = [
        live_value(source, live, live_ttl_s, now)
        for source in record.live_sources()
        if selects(source.index, source.handle_type)
    ]
    told = [
        value
        for value in told_values(snapshot, record.flags, key, live_ttl_s)
        if selects(value.index, value.type)
    ]
    living += [value for value in told if value.is_public]
    if not query.public_only:
        stored = record.restricted_values()
        restricted = [(index, raw) for index, kind, raw in stored if selects(index, kind)]
        restricted += [(one.index, encode_value(one)) for one in told if not one.is_public]
        for index, raw in restricted:
            if query.may_read is None:
                return Found(Rc.AUTHENTICATION_NEEDED)
            if index not in query.may_read:
                if query.may_read and query.asks_for_all:
                    continue  # granted some of a record, one asks for what one may have
                return Found(Rc.NO_PERMISSION, message=f"value {index} is not yours to read")
            chosen.append(raw)
    if not chosen and not living and (query.indexes or query.types):
        return Found(Rc.VALUES_NOT_FOUND, message="no value with these indexes or types")
    return Found(Rc.SUCCESS, chosen, living)


def told_values(snapshot: Snapshot, flags: int, key: bytes, ttl_s: int) -> list[HandleValue]:
    """What the carrier of a record tells now; all of it public where the name is open."""
    if not flags & HAS_CARRIER:
        return []
    told = snapshot.carrier_values(key, ttl_s)
    if not flags & IS_OPEN:
        return told
    return [replace(value, permissions=DEFAULT_PERMISSIONS) for value in told]


def _by_template(
    snapshot: Snapshot, live: LiveGetter, query: Query, live_ttl_s: int
) -> Found | None:
    """What the templates of the prefix make of a name without a record; None for nothing."""
    prefix = prefix_of(query.name)
    home = snapshot.get(key_of(f"{PREFIX_HOME}/{prefix}"))
    if home is None or snapshot.get(key_of(prefix, PREFIX)) is None:
        return None
    values = StoredRecord(home).public_values()
    namespaces = [read_value(Reader(raw)).data for _, kind, raw in values if is_namespace(kind)]
    selects = query.selector()
    for template, base, extension in applicable(namespaces, query.name):
        source = look_up_all(snapshot, live, base, live_ttl_s)
        made = evaluate(template, query.name, base, extension, source)
        if made:
            public = [value for value in made if value.is_public]
            chosen = [value for value in public if selects(value.index, value.type)]
            if chosen:
                return Found(Rc.SUCCESS, [encode_value(value) for value in chosen])
            return Found(Rc.VALUES_NOT_FOUND, message="no value with these indexes or types")
    return None


def look_up_all(
    snapshot: Snapshot, live: LiveGetter, name: str, live_ttl_s: int
) -> list[HandleValue]:
    """All public and live values of a registered name, decoded; none for others."""
    key = key_of(name)
    data = snapshot.get(key)
    if data is None:
        return []
    record, now = StoredRecord(data), int(time.time())
    found = [read_value(Reader(raw)) for _, _, raw in record.public_values()]
    found += [live_value(source, live, live_ttl_s, now) for source in record.live_sources()]
    told = told_values(snapshot, record.flags, key, live_ttl_s)
    return found + [value for value in told if value.is_public]


def all_encoded(found: Found) -> list[bytes]:
    """All values of a decision as encoded values, stored ones first."""
    return [*found.values, *(encode_value(item) for item in found.live)]


def full_name(name: str) -> str:
    """A name; a prefix alone means its record."""
    return name if "/" in name else f"{PREFIX_HOME}/{name}"


def is_prefix_record(name: str) -> bool:
    """Whether ``name`` is that of a prefix's record."""
    prefix, slash, _ = name.partition("/")
    return not slash or fold(prefix) == PREFIX_HOME


def prefix_of(name: str) -> str:
    """The prefix that decides about ``name``: for ``0.NA/x`` it is x itself."""
    prefix, _, suffix = name.partition("/")
    return suffix if suffix and fold(prefix) == PREFIX_HOME else prefix


def _absent(snapshot: Snapshot, name: str, *, refer: bool) -> Found:
    prefix = prefix_of(name)
    if snapshot.get(key_of(prefix, PREFIX)) is not None:
        return Found(Rc.HANDLE_NOT_FOUND, message="no such name under this prefix")
    asked, kinds = prefix, _SERVICE_TYPES
    while refer and asked:
        delegation = f"{PREFIX_HOME}/{asked}"
        data = snapshot.get(key_of(delegation))
        if data is not None:
            sites = [
                raw
                for _, kind, raw in StoredRecord(data).public_values()
                if any(type_matches(want, kind) for want in kinds)
            ]
            if sites:
                rc = Rc.PREFIX_REFERRAL if is_prefix_record(name) else Rc.SERVICE_REFERRAL
                return Found(rc, sites, refer_to=delegation)
        if asked.count(".") > DEEPEST:
            asked = ".".join(asked.split(".", DEEPEST + 1)[: DEEPEST + 1])
        else:
            asked = asked.rpartition(".")[0]
        kinds = _DERIVED_TYPES
    return Found(Rc.NOT_RESPONSIBLE, message="this node does not serve the prefix")
