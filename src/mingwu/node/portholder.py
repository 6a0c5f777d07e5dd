"""Who listens at a port, where the system tells: Linux does by /proc, for processes of one's own.

Elsewhere, and for processes of other users, nobody is named; that is no fault.
"""

import ipaddress
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_LISTENS = {"tcp": "0A", "udp": "07"}  # states of /proc/net: LISTEN; an unconnected UDP socket
_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Holder:
    """A process that listens: ``name`` is what to look for in a list of processes."""

    pid: int
    name: str

    @property
    def session(self) -> int:
        """The session of the process; 0 when it is gone."""
        try:
            return os.getsid(self.pid)
        except OSError:
            return 0


def holders(port: int, host: str, kinds: tuple[str, ...] = ("tcp", "udp")) -> list[Holder]:
    """Who holds the port at this address (or at all addresses); empty where it is not known."""
    wanted = {f"socket:[{inode}]" for kind in kinds for inode in _inodes(kind, port, host)}
    return [Holder(pid, _name(pid)) for pid in _having(wanted)] if wanted else []


def _inodes(kind: str, port: int, host: str) -> Iterator[str]:
    """Numbers of the sockets, from the kernel's tables."""
    for table in (PROC / "net" / kind, PROC / "net" / f"{kind}6"):
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            address, _, hexadecimal = words[1].rpartition(":")
            is_listening = int(hexadecimal, 16) == port and words[3] == _LISTENS[kind]
            if is_listening and _is_at(address, host):
                yield words[9]


def _is_at(hexadecimal: str, host: str) -> bool:
    """Whether a socket's address covers ``host``; its words are in the machine's byte order."""
    raw = bytes.fromhex(hexadecimal)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    try:
        wanted = ipaddress.ip_address(host)
    except ValueError:  # a name of this machine
        return True
    return address.is_unspecified or wanted.is_unspecified or address == wanted


def _having(sockets: set[str]) -> Iterator[int]:
    """Processes with one of the sockets open."""
    for folder in PROC.glob("[0-9]*"):
        try:
            links = list((folder / "fd").iterdir())
        except OSError:  # somebody else's, or gone
            continue
        if any(_target(link) in sockets for link in links):
            yield int(folder.name)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _name(pid: int) -> str:
    """The program with its first words; of this program, the role. No more: options are secret."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return "?"
    if "mingwu" in words:
        at = words.index("mingwu")
        words = ["mingwu", *(one for one in words[at + 1 : at + 3] if not one.startswith("-"))]
    else:
        words = [Path(words[0]).name]
    return " ".join(one for one in words if one)[:_SHOWN_CHARS]
