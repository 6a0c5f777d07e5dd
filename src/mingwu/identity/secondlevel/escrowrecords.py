"""Which records a deposit holds: all that resolve here, or what changed since the last deposit.

A record is deposited as it is served, with aliases, relations, signatures and certificates: whoever
takes over shall answer what we answered, and whoever verifies finds the same proofs. Secrets
(values that are not public) stay here, and live values do not exist while nobody asks.

Beside the last deposit lies its *state*: name and digest of each record in it, in the order of the
store. What changed is found by walking both side by side, whoever wrote a record and however often.
"""

import hashlib
import struct
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.recordbytes import StoredRecord
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import RecordStore
from mingwu.kernel.names import fold
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import (
    TYPED,
    Json,
    data_from_json,
    data_to_json,
    value_to_json,
)
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import read_value

_HOME = f"{PREFIX_HOME}/"
_STATE = b"MWES1\n"
_SIZE = struct.Struct(">H")
_DIGEST_BYTES = 16
_PIECE = 2000


class Found(NamedTuple):
    """A record to deposit: its values as a JSON array, None when the name is gone."""

    name: str
    prefix: str
    values: bytes | None


class _Entry(NamedTuple):
    key: bytes
    name: str
    digest: bytes


def within(name: str, node: str) -> bool:
    """Whether a name or prefix record (0.NA/…) belongs to a node: its prefix, or one below."""
    prefix = fold(prefix_of(name))
    return prefix == fold(node) or prefix.startswith(fold(node) + ".")


def prefix_of(name: str) -> str:
    """The prefix that a name stands under, or that a prefix record is about."""
    head, _, tail = name.partition("/")
    return tail if fold(head) == PREFIX_HOME else head


def is_state(path: Path) -> bool:
    """Whether a state lies there that can be read here."""
    try:
        with path.open("rb") as file:
            return file.read(len(_STATE)) == _STATE
    except FileNotFoundError:
        return False


def records_to_deposit(
    records: RecordStore,
    node: str,
    *,
    before: Path | None,
    state: IO[bytes],
    always: Collection[str] = (),
) -> Iterator[Found]:
    """What of ``node`` changed since the state ``before``, all of it without one.

    Writes the new ``state``. Names in ``always`` come whether they changed or not.
    """
    state.write(_STATE)
    known = _entries(before) if before else iter(())
    last = next(known, None)
    for key, data in _walk(records, node):
        name = StoredRecord(data).name
        digest = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
        encoded = name.encode()
        state.write(_SIZE.pack(len(encoded)) + encoded + digest)
        while last is not None and last.key < key:
            yield Found(last.name, prefix_of(last.name), None)
            last = next(known, None)
        is_same = last is not None and last.key == key and last.digest == digest
        if last is not None and last.key == key:
            last = next(known, None)
        if not is_same or name in always:
            yield Found(name, prefix_of(name), values_of(data))
    while last is not None:
        yield Found(last.name, prefix_of(last.name), None)
        last = next(known, None)


def _walk(records: RecordStore, node: str) -> Iterator[tuple[bytes, bytes]]:
    """Key and bytes of the node's prefix records and of all names answered here, in key order."""
    homed = {fold(prefix) for prefix in records.prefixes()}
    for start in sorted((key_of(_HOME + node), key_of(node))):
        after = b""
        while rows := list(islice(records.projection.scan(start, after=after), _PIECE)):
            after = rows[-1][0]
            for key, data in rows:
                name = StoredRecord(data).name
                is_home = fold(name[: len(_HOME)]) == _HOME
                if within(name, node) and (is_home or fold(prefix_of(name)) in homed):
                    yield key, data


def _entries(path: Path) -> Iterator[_Entry]:
    with path.open("rb") as file:
        file.read(len(_STATE))
        while head := file.read(_SIZE.size):
            name = file.read(_SIZE.unpack(head)[0]).decode()
            yield _Entry(key_of(name), name, file.read(_DIGEST_BYTES))


def values_of(data: bytes) -> bytes:
    """The public values of a stored record as a JSON array, from which they come back to the byte.

    Nearly always that is what the record store keeps for the HTTP interface.
    """
    stored = StoredRecord(data)
    values = stored.public_values()
    if all(_comes_back(encoded) for _, kind, encoded in values if kind.upper() in TYPED):
        return b"[" + stored.json_values() + b"]"
    return msgspec.json.encode([_form(encoded) for _, _, encoded in values])


def _form(encoded: bytes) -> Json:
    value = read_value(Reader(encoded))
    form = value_to_json(value)
    if value.type.upper() in TYPED and not _comes_back(encoded):
        form["data"] = data_to_json("", value.data)
    return form


@lru_cache(4096)  # most records of a prefix have the same administrator
def _comes_back(encoded: bytes) -> bool:
    """Whether typed data (sites, keys, …) is written in the one way that its JSON form makes."""
    value = read_value(Reader(encoded))
    try:
        return data_from_json(data_to_json(value.type, value.data)) == value.data
    except ProtocolError:
        return False
