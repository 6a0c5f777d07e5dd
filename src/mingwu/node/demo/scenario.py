"""What a demonstration scenario is, and what writing one takes: free ports and private files.

A scenario writes its configuration once into a folder of its own; from then on it is used as an
operator would use his own. The node's name in that file says whose folder it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mingwu.node.config import Config
from mingwu.node.ports import is_free

STEP = 1000
LAST_STEP = 40_000  # the end of the port range is near
# Ports above 1023 that no browser opens (WHATWG Fetch, "bad port"); 10080 is two steps from 8080.
BLOCKED_BY_BROWSERS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10_080}
    | set(range(6665, 6670))
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How big: ``scale`` times the plant, ``identifiers`` of a second-level node (0: as usual)."""

    scale: int = 1
    identifiers: int = 0


# (configuration, Chinese?) -> the lines printed once everything serves.
Hints = Callable[[Config, bool], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One demonstration; ``write`` gets the folder and how big it shall be."""

    name: str
    # Name of the node in the configuration that ``write`` leaves in the folder.
    node: str
    folder: Path
    write: Callable[[Path, Size], Path]
    hints: Hints


def free_ports(usual: Mapping[str, int]) -> dict[str, int]:
    """The usual ports, all shifted by the same step where one is taken. Raises OSError."""
    for step in range(0, LAST_STEP + 1, STEP):
        chosen = {name: port + step for name, port in usual.items()}
        if not BLOCKED_BY_BROWSERS.isdisjoint(chosen.values()):
            continue
        if all(map(is_free, chosen.values())):
            return chosen
    raise OSError("no free ports for the demonstration")


def private(path: Path, text: str) -> None:
    """Write a file that its owner alone reads: configurations hold passwords."""
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
