"""From notes to packed entries, in the writing thread.

Names and clients repeat, so hashes and table rows are remembered. Tables are bounded: a flood of
invented prefixes or forged addresses ends in the row ``?`` instead of in memory.
"""

import struct

import msgspec

from mingwu.identity.usage.causes import Cause, Classifier, network_of
from mingwu.identity.usage.segment import CLIENTS, ENTRIES, ENTRY_STRUCT, PREFIXES, block
from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import EnvelopeFlag, Op

# (message or name, code or reply code bytes, source, via, started_ns, ended_ns)
Note = tuple[bytes | str, bytes | int, str, int, int, int]

_MOST_NAMES = 200_000
_MOST_PREFIXES = 20_000
_MOST_CLIENTS = 500_000
_PREFIX_CHARS = 64
_CONSOLE_VIA = 0x100
_NO_NAME = (0, "")
_OPENING = struct.Struct(">I20xI")  # operation at byte 20, length of the name at byte 44
_NAME_AT = 48
_UNREADABLE = int(EnvelopeFlag.ENCRYPTED | EnvelopeFlag.COMPRESSED | EnvelopeFlag.TRUNCATED)
_NAMED = frozenset(
    (Op.RESOLVE, Op.CREATE, Op.DELETE, Op.ADD_VALUE, Op.REMOVE_VALUE, Op.MODIFY_VALUE)
)
_U32 = 0xFFFF_FFFF


class Packer:
    """Packs notes for one segment at a time; ``reset`` when the next begins.

    ``prefixes`` is the segment's table, ``entries`` what was packed last.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classify = classifier
        self._names: dict[bytes, tuple[int, str]] = {}
        self.entries = b""
        self.reset()

    def reset(self) -> None:
        """Empty tables, as at the beginning of a segment."""
        self._clients: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self.prefixes: list[str] = []
        self._new_clients: list[tuple[str, str]] = []
        self._new_prefixes: list[str] = []

    def pack(self, notes: list[Note], offset_ns: int, start_ms: int) -> bytes:
        """Blocks for ``notes``: new rows of the tables, then the entries.

        ``offset_ns`` leads from the notes' clock to the epoch; ``start_ms``: the segment's start.
        """
        entries = self.entries = b"".join(
            [self._entry(note, offset_ns, start_ms) for note in notes]
        )
        parts = []
        if self._new_clients:
            parts.append(block(CLIENTS, msgspec.json.encode(self._new_clients)))
            self._new_clients = []
        if self._new_prefixes:
            parts.append(block(PREFIXES, msgspec.json.encode(self._new_prefixes)))
            self._new_prefixes = []
        return b"".join((*parts, block(ENTRIES, entries)))

    def _entry(self, note: Note, offset_ns: int, start_ms: int) -> bytes:
        what, code, source, via, started, ended = note
        if type(what) is bytes:
            op, folded = _read(what)
            rc = int.from_bytes(code) if type(code) is bytes else 0
        else:
            folded = fold(what).encode() if type(what) is str else b""
            op, rc = divmod(code, 0x10000) if type(code) is int else (0, 0)
        name, prefix = self._name(folded) if folded else _NO_NAME
        row = self._clients.get(source)
        if row is None:
            row = self._client(source)
        prefix_row = self._prefixes.get(prefix)
        if prefix_row is None:
            prefix_row = self._prefix(prefix)
        if via & _CONSOLE_VIA:
            cause = Cause.CONSOLE
        else:
            cause = self._classify.cause(source, prefix, folded)
        at_ms = (ended + offset_ns) // 1_000_000 - start_ms
        return ENTRY_STRUCT.pack(
            max(0, at_ms), row, prefix_row, min(max(0, ended - started) // 1000, _U32),
            name, rc & 0xFFFF, op & 0xFFFF, cause, via & 0xFF, 0,
        )  # fmt: skip

    def _name(self, folded: bytes) -> tuple[int, str]:
        known = self._names.get(folded)
        if known is None:
            head, _, rest = folded.partition(b"/")
            if head == b"0.NA":
                head = rest
            text = head.decode(errors="replace")[:_PREFIX_CHARS]
            known = self._classify.name_id(folded), text
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[folded] = known
        return known

    def _client(self, source: str) -> int:
        if len(self._clients) >= _MOST_CLIENTS:
            source = "?"
            if source in self._clients:
                return self._clients[source]
        row = self._clients[source] = len(self._clients)
        self._new_clients.append((self._classify.client_id(source), network_of(source)))
        return row

    def _prefix(self, prefix: str) -> int:
        if len(self._prefixes) >= _MOST_PREFIXES:
            prefix = "?"
            if prefix in self._prefixes:
                return self._prefixes[prefix]
        row = self._prefixes[prefix] = len(self._prefixes)
        self._new_prefixes.append(prefix)
        self.prefixes.append(prefix)
        return row


def _read(message: bytes) -> tuple[int, bytes]:
    """Operation and folded name of a message; (0, b"") for what cannot be read."""
    if len(message) < _NAME_AT or message[2] & _UNREADABLE:
        return 0, b""
    op, size = _OPENING.unpack_from(message, 20)
    if op not in _NAMED or _NAME_AT + size > len(message):
        return op, b""
    name = message[_NAME_AT : _NAME_AT + size]
    if name.isascii():
        return op, name.upper()
    return op, fold(name.decode(errors="replace")).encode()
