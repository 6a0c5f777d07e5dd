"""The file format of the usage log: segments of blocks, closed by a signed seal.

=========  ================================================================================
part       layout (little-endian)
=========  ================================================================================
magic      ``MWUSAGE1``
block      kind 1 byte, length of payload 4, CRC-32 of payload 4, payload
kind 1     head, JSON: number, node, start_ms, previous (SHA-256 of the segment before), key_id
kind 2     clients, JSON: list of [client id in hex, network]; extends the table of the segment
kind 3     prefixes, JSON: list of texts; extends the table
kind 4     entries: ``ENTRY`` records of 32 bytes
kind 5     seal, JSON: see :class:`Seal`; the last block
=========  ================================================================================

The seal signs the SHA-256 of all bytes before it together with the counts; the next head holds the
SHA-256 of the whole sealed file, so a segment cannot be changed, left out or put elsewhere unseen.
A client id is a keyed hash (the key stays with the node): the same client over all days, but
nobody can try addresses. The network is /24 or /48. Names are keyed hashes too.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

MAGIC = b"MWUSAGE1"
HEAD, CLIENTS, PREFIXES, ENTRIES, SEAL = range(1, 6)
FIRST_PREVIOUS = "0" * 64
SUFFIX = ".mwu"
PUBLIC_KEY_FILE = "public-key.pem"
SALT_FILE = "salt"
_PEM = re.compile(rb"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)

_BLOCK = struct.Struct("<BII")
BLOCK_BYTES = _BLOCK.size
_HEAD_BYTES = 4096
ENTRY = np.dtype(
    [
        ("offset_ms", "<u4"),  # since the segment's start
        ("client", "<u4"),  # row of the clients table
        ("prefix", "<u4"),  # row of the prefixes table
        ("latency_us", "<u4"),
        ("name", "<u8"),  # keyed hash of the folded name; 0: no name
        ("rc", "<u2"),
        ("op", "<u2"),
        ("cause", "u1"),
        ("via", "u1"),
        ("spare", "<u2"),
    ]
)
ENTRY_STRUCT = struct.Struct("<IIIIQHHBBH")
Entries = NDArray[np.void]


class Broken(ValueError):
    """A segment that is not as it was sealed; the text says where."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment begins with. ``start_ms`` since the epoch."""

    number: int
    node: str
    start_ms: int
    previous: str
    key_id: str


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment ends with.

    ``sha256``: of all bytes before the seal; ``registered``: identifiers per prefix at that time;
    ``recovered``: sealed after the node had stopped without sealing (the last notes may be lost);
    ``lost``: notes that found no room while the disk refused.
    """

    number: int
    end_ms: int
    entries: int
    sha256: str
    registered: dict[str, int]
    recovered: bool
    lost: int = 0
    key_id: str
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        unsigned = msgspec.structs.replace(self, signature="")
        return b"mingwu usage seal\n" + msgspec.json.encode(unsigned, order="sorted")


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment as read. ``clients``: (id in hex, network); ``digest``: SHA-256 of the file."""

    head: Head
    clients: list[tuple[str, str]]
    prefixes: list[str]
    entries: Entries
    seal: Seal | None
    sha256: str
    digest: str
    whole_bytes: int


def block(kind: int, payload: bytes) -> bytes:
    """One block."""
    return _BLOCK.pack(kind, len(payload), zlib.crc32(payload)) + payload


def blocks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(kind, payload, end) of each whole block; stops at the first that is cut off.

    Raises Broken for a block whose checksum does not fit, or a file that is none of ours.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise Broken("not a usage segment")
    at = len(MAGIC)
    while at + BLOCK_BYTES <= len(data):
        kind, size, crc = _BLOCK.unpack_from(data, at)
        end = at + BLOCK_BYTES + size
        if end > len(data):
            return
        payload = data[at + BLOCK_BYTES : end]
        if zlib.crc32(payload) != crc:
            raise Broken(f"checksum at byte {at}")
        yield kind, payload, end
        at = end


class _Parts:
    """Collects the blocks of a segment; raises Broken for one that may not stand where it does."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.seal: Seal | None = None
        self.clients: list[tuple[str, str]] = []
        self.prefixes: list[str] = []
        self.entries: list[bytes] = []
        self.whole = len(MAGIC)
        self.before_seal = 0

    def take(self, kind: int, payload: bytes, end: int) -> None:
        if self.seal is not None:
            raise Broken("bytes behind the seal")
        if (kind == HEAD) != (self.head is None):
            raise Broken("the head is not the first block, or there are two")
        try:
            self._take(kind, payload)
        except msgspec.DecodeError as error:
            raise Broken(f"unreadable block: {error}") from error
        self.whole = end

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == ENTRIES:
            self.entries.append(payload)
        elif kind == CLIENTS:
            self.clients += msgspec.json.decode(payload, type=list[tuple[str, str]])
        elif kind == PREFIXES:
            self.prefixes += msgspec.json.decode(payload, type=list[str])
        elif kind == HEAD:
            self.head = msgspec.json.decode(payload, type=Head)
        elif kind == SEAL:
            self.seal = msgspec.json.decode(payload, type=Seal)
            self.before_seal = self.whole
        else:
            raise Broken(f"block of unknown kind {kind}")


def read_segment(data: bytes, *, torn: bool = False) -> Segment:
    """Read a segment; raises Broken. ``torn``: an unsealed file, bad bytes at the end are cut."""
    parts = _Parts()
    try:
        for kind, payload, end in blocks(data):
            parts.take(kind, payload, end)
    except Broken:
        if not torn:
            raise
    if parts.head is None:
        raise Broken("no head")
    if parts.whole != len(data) and not torn:
        raise Broken("cut off in the middle of a block")
    sealed = data[: parts.before_seal] if parts.seal else data[: parts.whole]
    return Segment(
        head=parts.head,
        clients=parts.clients,
        prefixes=parts.prefixes,
        entries=_entries(b"".join(parts.entries), len(parts.clients), len(parts.prefixes)),
        seal=parts.seal,
        sha256=hashlib.sha256(sealed).hexdigest(),
        digest=hashlib.sha256(data).hexdigest(),
        whole_bytes=parts.whole,
    )


def read_head(path: Path) -> Head:
    """The head of a segment without the rest; raises Broken."""
    with path.open("rb") as file:
        data = file.read(_HEAD_BYTES)
    for kind, payload, _ in blocks(data):
        if kind == HEAD:
            return msgspec.json.decode(payload, type=Head)
        break
    raise Broken("no head")


def is_stub(data: bytes) -> bool:
    """Whether a file ends before its head is whole."""
    if len(data) < len(MAGIC) + BLOCK_BYTES:
        return MAGIC.startswith(data[: len(MAGIC)])
    _, size, _ = _BLOCK.unpack_from(data, len(MAGIC))
    return data.startswith(MAGIC) and len(data) < len(MAGIC) + BLOCK_BYTES + int(size)


def _entries(data: bytes, clients: int, prefixes: int) -> Entries:
    if len(data) % ENTRY.itemsize:
        raise Broken("entries of a wrong length")
    entries = np.frombuffer(data, ENTRY)
    if len(entries) and (
        int(entries["client"].max()) >= clients or int(entries["prefix"].max()) >= prefixes
    ):
        raise Broken("an entry points outside its tables")
    return entries


def path_of(directory: Path, number: int) -> Path:
    """Where segment ``number`` lies."""
    return directory / f"{number:08d}{SUFFIX}"


def pem_blocks(data: bytes) -> list[bytes]:
    """The blocks of a PEM file, each with its end of line."""
    return [block + b"\n" for block in _PEM.findall(data)]


def files(directory: Path) -> list[Path]:
    """All segments of a directory in order."""
    return sorted(directory.glob(f"[0-9]*{SUFFIX}"))


def begun(directory: Path) -> list[Path]:
    """The same for readers beside the log: without one that is being created just now.

    It is there before its head is, while the one before it is sealed.
    """
    paths = files(directory)
    if paths:
        with paths[-1].open("rb") as file:
            if is_stub(file.read(_HEAD_BYTES)):
                paths.pop()
    return paths
