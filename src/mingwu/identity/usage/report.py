"""The statistics, as a function of the log and nothing else.

A *resolution* is an answered resolve request (op 1), whatever its code. *Counted* are those asked
by clients and owners; health checks, the operator's own machines and the console are shown in
``by_cause`` and stand in no other figure. *By others* means by anybody but the prefix's owner, and
successfully. Latency is the node's own time from taking up a question to having the answer, without
network and kernel queues. Percentiles are nearest-rank. Days begin at ``day_offset_s`` from UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from mingwu.identity.usage.causes import Cause
from mingwu.identity.usage.columns import UsageColumns, columns_of
from mingwu.identity.usage.segment import Segment
from mingwu.wire.handle.codes import Op, Rc

BEIJING_S = 28_800
WINDOW_DAYS = 30
_DAY_MS = 86_400_000
_TOP = 20
_FAILURES = {
    "not-found": (Rc.HANDLE_NOT_FOUND,),
    "no-such-value": (Rc.VALUES_NOT_FOUND,),
    "not-responsible": (Rc.NOT_RESPONSIBLE, Rc.STALE_SITE_INFO),
    "malformed": (Rc.PROTOCOL_ERROR, Rc.NOT_SUPPORTED, Rc.INVALID_HANDLE, Rc.INVALID_VALUE),
    "refused": (*range(400, 409), *range(500, 506), Rc.IDIS_CREDENTIAL_FAILED),
    "overload": (Rc.TOO_BUSY, Rc.RECURSION_TOO_HIGH, *range(603, 606)),
    "internal": (Rc.ERROR,),
}
# A referral is an answer: the asker learns where to go.
_NO_FAILURE = (Rc.SUCCESS, Rc.SERVICE_REFERRAL, Rc.PREFIX_REFERRAL)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """In microseconds."""

    mean: float = 0.0
    p50: int = 0
    p99: int = 0
    max: int = 0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of some stretch of time; all but ``by_cause`` are about counted resolutions."""

    resolutions: int
    succeeded: int
    by_cause: dict[str, int]
    failures: dict[str, int]
    clients: int
    identifiers: int
    latency_us: Latency
    peak_qps: int
    peak_at: str
    other_operations: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day, e.g. ``2026-11-23``."""

    day: str
    figures: Figures


class ClientUse(msgspec.Struct, frozen=True, kw_only=True):
    """What one client asked: ``client`` is its keyed hash, ``network`` its /24 or /48."""

    client: str
    network: str
    cause: str
    resolutions: int


class PrefixUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one prefix in the window.

    ``share``: of its registered identifiers, those resolved by others; None: number not known.
    """

    prefix: str
    resolutions: int
    succeeded: int
    clients: int
    resolved_by_others: int
    registered: int
    share: float | None


class DayUse(msgspec.Struct, frozen=True, kw_only=True):
    """What one network asked of one prefix on a day."""

    prefix: str
    network: str
    resolutions: int
    succeeded: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Identifiers resolved by others in the last ``days`` days before ``until``."""

    days: int
    until: str
    registered: int
    resolved_by_others: int
    share: float | None
    prefixes: tuple[PrefixUse, ...]


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. ``lost``: notes the disk did not take; ``recovered``: segments after a crash."""

    first_segment: int
    last_segment: int
    entries: int
    lost: int
    recovered: int
    day_offset_s: int
    total: Figures
    days: tuple[Day, ...]
    top_clients: tuple[ClientUse, ...]
    window: Window


def report(
    segments: Sequence[Segment],
    *,
    day_offset_s: int = BEIJING_S,
    registered: Mapping[str, int] | None = None,
    window_days: int = WINDOW_DAYS,
) -> UsageReport:
    """The statistics of ``segments``.

    ``registered``: identifiers per prefix now; default is what the last seal says. The window ends
    with the last entry's or seal's time.
    """
    columns = columns_of(segments)
    seals = [segment.seal for segment in segments if segment.seal]
    if registered is None:
        registered = seals[-1].registered if seals else {}
    until_ms = max(
        int(columns.at_ms.max()) if len(columns) else 0, seals[-1].end_ms if seals else 0
    )
    return UsageReport(
        first_segment=segments[0].head.number if segments else 0,
        last_segment=segments[-1].head.number if segments else 0,
        entries=len(columns),
        lost=sum(seal.lost for seal in seals),
        recovered=sum(seal.recovered for seal in seals),
        day_offset_s=day_offset_s,
        total=figures(columns),
        days=by_day(columns, day_offset_s),
        top_clients=top_clients(columns),
        window=window(columns, registered, until_ms, window_days),
    )


def figures(columns: UsageColumns) -> Figures:
    """Figures of all rows of ``columns``."""
    resolving = columns.op == Op.RESOLVE
    causes = np.bincount(columns.cause[resolving], minlength=len(Cause))
    rows = columns.where(resolving & counted(columns))
    good = rows.rc == Rc.SUCCESS
    most, at_s = _peak(rows.at_ms)
    return Figures(
        resolutions=len(rows),
        succeeded=int(good.sum()),
        by_cause={cause.name.lower(): int(causes[cause]) for cause in Cause},
        failures=_failures(rows.rc),
        clients=len(np.unique(rows.client)),
        identifiers=len(np.unique(rows.name[good])),
        latency_us=_latency(rows.latency_us),
        peak_qps=most,
        peak_at=_iso(at_s * 1000) if most else "",
        other_operations=int((~resolving & counted(columns)).sum()),
    )


def counted(columns: UsageColumns) -> NDArray[np.bool_]:
    """Rows asked by clients and owners."""
    rows: NDArray[np.bool_] = (columns.cause == Cause.CLIENT) | (columns.cause == Cause.OWNER)
    return rows


def top_clients(columns: UsageColumns, limit: int = _TOP) -> tuple[ClientUse, ...]:
    """Clients by counted resolutions, the busiest first (ties by id)."""
    rows = columns.where((columns.op == Op.RESOLVE) & counted(columns))
    clients, place = np.unique(rows.client, return_inverse=True)
    pairs, numbers = np.unique(place * len(Cause) + rows.cause, return_counts=True)
    at, causes = np.divmod(pairs, len(Cause))
    order = np.lexsort((causes, at, -numbers))[:limit]
    return tuple(
        ClientUse(
            client=f"{int(clients[at[i]]):016x}",
            network=columns.networks[int(clients[at[i]])],
            cause=Cause(int(causes[i])).name.lower(),
            resolutions=int(numbers[i]),
        )
        for i in order
    )


def by_day(columns: UsageColumns, offset_s: int) -> tuple[Day, ...]:
    """Figures of each day that has rows."""
    number = (columns.at_ms + offset_s * 1000) // _DAY_MS
    return tuple(
        Day(
            day=datetime.fromtimestamp(int(day) * 86_400, UTC).strftime("%Y-%m-%d"),
            figures=figures(columns.where(number == day)),
        )
        for day in np.unique(number)
    )


def window(
    columns: UsageColumns, registered: Mapping[str, int], until_ms: int, days: int = WINDOW_DAYS
) -> Window:
    """Identifiers resolved by others in the ``days`` days before ``until_ms``, per prefix too."""
    inside = columns.at_ms > until_ms - days * _DAY_MS
    rows = columns.where(inside & (columns.op == Op.RESOLVE) & counted(columns))
    known = {prefix: row for row, prefix in enumerate(columns.prefixes)}
    uses = [
        _prefix_use(rows, prefix, known.get(prefix.upper(), known.get(prefix)), number)
        for prefix, number in sorted(registered.items())
    ]
    listed = {prefix.upper() for prefix in registered}
    uses += [
        _prefix_use(rows, prefix, row, 0)
        for prefix, row in sorted(known.items())
        if prefix.upper() not in listed and bool((rows.prefix == row).any())
    ]
    names = sum(use.registered for use in uses)
    resolved = sum(use.resolved_by_others for use in uses if use.registered)
    return Window(
        days=days,
        until=_iso(until_ms) if until_ms else "",
        registered=names,
        resolved_by_others=resolved,
        share=round(resolved / names, 6) if names else None,
        prefixes=tuple(uses),
    )


def peak(columns: UsageColumns) -> tuple[int, int] | None:
    """Most counted resolutions in one second, and that second (ms); None without any."""
    rows = columns.where((columns.op == Op.RESOLVE) & counted(columns))
    most, at_s = _peak(rows.at_ms)
    return (most, at_s * 1000) if most else None


def by_network(columns: UsageColumns) -> tuple[DayUse, ...]:
    """Counted resolutions by prefix and network of the client."""
    rows = columns.where((columns.op == Op.RESOLVE) & counted(columns))
    clients, client = np.unique(rows.client, return_inverse=True)
    networks = [columns.networks.get(int(one), "?") for one in clients]
    names, network_of_client = np.unique(np.array(networks, np.str_), return_inverse=True)
    pairs = np.stack([rows.prefix.astype(np.int64), network_of_client[client]])
    found, pair = np.unique(pairs, axis=1, return_inverse=True)
    total = np.bincount(pair.ravel(), minlength=found.shape[1])
    good = np.bincount(pair.ravel(), rows.rc == Rc.SUCCESS, minlength=found.shape[1])
    return tuple(
        DayUse(
            prefix=columns.prefixes[prefix],
            network=str(names[network]),
            resolutions=int(total[at]),
            succeeded=int(good[at]),
        )
        for at, (prefix, network) in enumerate(found.T)
    )


def _prefix_use(rows: UsageColumns, prefix: str, row: int | None, registered: int) -> PrefixUse:
    of_prefix = rows.prefix == row if row is not None else np.zeros(len(rows), np.bool_)
    mine = rows.where(of_prefix)
    good = mine.rc == Rc.SUCCESS
    by_others = len(np.unique(mine.name[good & (mine.cause == Cause.CLIENT)]))
    return PrefixUse(
        prefix=prefix,
        resolutions=len(mine),
        succeeded=int(good.sum()),
        clients=len(np.unique(mine.client)),
        resolved_by_others=by_others,
        registered=registered,
        share=round(by_others / registered, 6) if registered else None,
    )


def _failures(codes: NDArray[np.uint16]) -> dict[str, int]:
    found: dict[str, int] = {}
    values, numbers = np.unique(codes, return_counts=True)
    for code, number in zip(values.tolist(), numbers.tolist(), strict=True):
        if code in _NO_FAILURE:
            continue
        kind = next((kind for kind, group in _FAILURES.items() if code in group), "other")
        found[kind] = found.get(kind, 0) + number
    return dict(sorted(found.items()))


def _latency(values: NDArray[np.uint32]) -> Latency:
    if not len(values):
        return Latency()
    ordered = np.sort(values)
    return Latency(
        mean=round(float(ordered.mean(dtype=np.float64)), 3),
        p50=int(ordered[_rank(len(ordered), 50)]),
        p99=int(ordered[_rank(len(ordered), 99)]),
        max=int(ordered[-1]),
    )


def _rank(count: int, percent: int) -> int:
    """Position of the nearest-rank percentile."""
    return -(-count * percent // 100) - 1


def _peak(at_ms: NDArray[np.int64]) -> tuple[int, int]:
    """Most answers in one second, and which second (the first of equals)."""
    if not len(at_ms):
        return 0, 0
    seconds, numbers = np.unique(at_ms // 1000, return_counts=True)
    best = int(numbers.argmax())
    return int(numbers[best]), int(seconds[best])


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
