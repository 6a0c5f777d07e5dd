"""Which batches are stored already: the repetition filter of the writer. Pure.

The bus drops repetitions for two minutes; a gateway may repeat a batch later (its acknowledgement
was lost, the bus came back from a backup). A batch is named by (source, boot, seq) for ever, so
the filter keeps, per source and boot, the stored sequence numbers as runs [first, last]: nearly
always one run, whatever the number of batches.
"""

from bisect import bisect_right
from collections.abc import Iterable

Key = tuple[str, int]
Run = tuple[int, int]


class Seen:
    """Sequence numbers per (source, boot)."""

    def __init__(self) -> None:
        self._runs: dict[Key, list[list[int]]] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def copy(self) -> "Seen":
        """One that goes its own way."""
        other = Seen()
        other._runs = {key: [list(run) for run in runs] for key, runs in self._runs.items()}
        return other

    def load(self, source: str, boot: int, runs: Iterable[Run]) -> None:
        """Set what is stored of (source, boot); the runs may overlap and come in any order."""
        merged: list[list[int]] = []
        for first, last in sorted(runs):
            if merged and first <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self._runs[source, boot] = merged

    def add(self, source: str, boot: int, seq: int) -> bool:
        """Note a batch; False if it was noted before."""
        runs = self._runs.get((source, boot))
        if runs is None:
            self._runs[source, boot] = [[seq, seq]]
            return True
        tail = runs[-1] if runs else None
        if tail is not None and seq == tail[1] + 1:  # the usual case
            tail[1] = seq
            return True
        return self._insert(runs, seq)

    @staticmethod
    def _insert(runs: list[list[int]], seq: int) -> bool:
        at = bisect_right(runs, seq, key=lambda run: run[0])
        before = runs[at - 1] if at else None
        if before is not None and seq <= before[1]:
            return False
        after = runs[at] if at < len(runs) else None
        joins_before = before is not None and before[1] + 1 == seq
        joins_after = after is not None and after[0] - 1 == seq
        if before is not None and after is not None and joins_before and joins_after:
            before[1] = after[1]
            del runs[at]
        elif before is not None and joins_before:
            before[1] = seq
        elif after is not None and joins_after:
            after[0] = seq
        else:
            runs.insert(at, [seq, seq])
        return True

    def cover(self, source: str, boot: int, first: int, last: int) -> None:
        """Note all of [first, last]."""
        runs = self._runs.setdefault((source, boot), [])
        if runs and runs[-1][1] + 1 == first:  # the usual case
            runs[-1][1] = last
        else:
            self.load(source, boot, [*self.runs(source, boot), (first, last)])

    def runs(self, source: str, boot: int) -> list[Run]:
        """The stored runs of (source, boot), ascending."""
        return [(first, last) for first, last in self._runs.get((source, boot), [])]


def write_runs(runs: Iterable[Run]) -> str:
    """``1-5,7-9``."""
    return ",".join(f"{first}-{last}" for first, last in runs)


def read_runs(text: str) -> list[Run]:
    """The runs of :func:`write_runs`."""
    spans = [span.partition("-") for span in text.split(",") if span]
    return [(int(first), int(last)) for first, _, last in spans]
