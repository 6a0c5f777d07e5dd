"""What a kill leaves behind in the engine's directory, put right before the engine opens it.

A MergeTree table writes an insert's token into its deduplication log, and only then gives the new
part its name. A process that is killed between the two has a token without rows: the writer, who
got no answer, repeats the block, and the table drops it as one that it has. So tokens whose part is
not there are struck from the logs; a token of rows that retention has dropped may go with them.
Layout of the directory seen in chDB 26.9: ``store/???/UUID/deduplication_logs/*.txt`` with lines
``operation TAB part TAB block``, beside one folder per part.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_ADDED = b"1"
# partition, first and last block, level, and for a mutated part the block of the mutation
_PART = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_\d+(_\d+)?")


def forget_unwritten(data: Path) -> int:
    """Strike tokens without rows from all tables under ``data``; how many there were.

    The engine must not be running. Raises OSError.
    """
    logs = sorted(data.glob("store/*/*/deduplication_logs"))
    return sum(_strike(log) for log in logs)


def _strike(logs: Path) -> int:
    covered = _blocks(entry.name for entry in logs.parent.iterdir() if entry.is_dir())
    struck = 0
    for path in logs.glob("*.txt"):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not _is_unwritten(line, covered)]
        if len(kept) < len(lines):
            struck += len(lines) - len(kept)
            beside = path.with_suffix(".new")
            beside.write_bytes(b"".join(kept))
            beside.replace(path)
    return struck


def _blocks(names: Iterable[str]) -> dict[str, list[range]]:
    """Blocks that the parts of these names hold, by partition."""
    found = defaultdict(list)
    for name in names:
        if part := _PART.fullmatch(name):
            found[part["partition"]].append(range(int(part["first"]), int(part["last"]) + 1))
    return found


def _is_unwritten(line: bytes, covered: dict[str, list[range]]) -> bool:
    operation, _, rest = line.partition(b"\t")
    part = _PART.fullmatch(rest.partition(b"\t")[0].decode("ascii", "replace"))
    if operation != _ADDED or part is None:
        return False  # not what we know; the engine judges it
    return not any(int(part["first"]) in blocks for blocks in covered.get(part["partition"], ()))
