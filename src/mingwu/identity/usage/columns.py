"""Segments as plain columns: what the statistics are computed from.

Tables of segments are local to them; here clients are their 8-byte ids and prefixes rows of one
list, so that columns of many segments stand end to end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mingwu.identity.usage.segment import Segment


@dataclass(frozen=True, slots=True)
class UsageColumns:
    """One row per answer: time (ms since the epoch), ids, outcome; tables beside them."""

    at_ms: NDArray[np.int64]
    client: NDArray[np.uint64]
    name: NDArray[np.uint64]
    prefix: NDArray[np.uint32]
    latency_us: NDArray[np.uint32]
    rc: NDArray[np.uint16]
    op: NDArray[np.uint16]
    cause: NDArray[np.uint8]
    prefixes: list[str]
    networks: dict[int, str]

    def __len__(self) -> int:
        return len(self.at_ms)

    def where(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "UsageColumns":
        """Some of the rows: a mask, or their places in a new order."""
        return UsageColumns(
            self.at_ms[rows], self.client[rows], self.name[rows], self.prefix[rows],
            self.latency_us[rows], self.rc[rows], self.op[rows], self.cause[rows],
            self.prefixes, self.networks,
        )  # fmt: skip


def columns_of(segments: Iterable[Segment]) -> UsageColumns:
    """All rows of ``segments``."""
    prefixes: dict[str, int] = {}
    networks: dict[int, str] = {}
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for segment in segments:
        ids = [int(client, 16) for client, _ in segment.clients]
        networks.update(zip(ids, (network for _, network in segment.clients), strict=True))
        rows = [prefixes.setdefault(prefix, len(prefixes)) for prefix in segment.prefixes]
        entries = segment.entries
        if not len(entries):
            continue
        parts.append(
            (
                entries["offset_ms"].astype(np.int64) + segment.head.start_ms,
                np.array(ids, np.uint64)[entries["client"]],
                entries["name"],
                np.array(rows, np.uint32)[entries["prefix"]],
                entries["latency_us"],
                entries["rc"],
                entries["op"],
                entries["cause"],
            )
        )
    kinds = (np.int64, np.uint64, np.uint64, np.uint32, np.uint32, np.uint16, np.uint16, np.uint8)
    joined: list[NDArray[Any]] = [
        np.concatenate([part[i] for part in parts]) if parts else np.empty(0, kind)
        for i, kind in enumerate(kinds)
    ]
    at_ms, client, name, prefix, latency_us, rc, op, cause = joined
    return UsageColumns(
        at_ms, client, name, prefix, latency_us, rc, op, cause, list(prefixes), networks
    )
