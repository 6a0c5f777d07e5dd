"""Values on the command line: ``INDEX:TYPE=DATA`` words, ``--admin``, and JSON files.

``@FILE`` as data takes a file's bytes. A JSON file holds one value, a list of values or a record
in the form of ``/api/handles``; ``-`` reads it from standard input. Key and index names are
written ``INDEX:HANDLE``.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from mingwu.identity.access.ownvalues import kept_secret
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.codes import ALL_RIGHTS, DEFAULT_PERMISSIONS
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import small_int, value_from_json
from mingwu.wire.handle.values import DEFAULT_TTL_S, MAX_INDEX, HandleValue, Reference

_ADMIN_INDEX = 100
_BITS = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Options that give values."""
    parser.add_argument("values", nargs="*", metavar="INDEX:TYPE=DATA", help="DATA may be @FILE")
    parser.add_argument("--file", help="values as JSON, in the form of /api/handles; - for stdin")
    parser.add_argument(
        "--admin", metavar="INDEX:HANDLE", help="also an HS_ADMIN value (index 100) for this key"
    )
    parser.add_argument("--ttl", type=int, default=DEFAULT_TTL_S, help="seconds, of words")
    parser.add_argument(
        "--permissions", default=format(DEFAULT_PERMISSIONS, "04b"),
        help="of words: admin read, admin write, public read, public write (default 1110)",
    )  # fmt: skip


def given(arguments: argparse.Namespace) -> tuple[HandleValue, ...]:
    """All values that the command line gives; raises InvalidInput ``input.invalid``."""
    permissions = arguments.permissions
    if len(permissions) != _BITS or set(permissions) - {"0", "1"}:
        raise _invalid(
            permissions,
            Phrase(
                "permissions are four binary digits, e.g. 1110", "权限为四位二进制数，例如 1110"
            ),
        )
    found = [*(_from_file(arguments.file) if arguments.file else ())]
    found += [_word(word, arguments.ttl, int(permissions, 2)) for word in arguments.values]
    if arguments.admin:
        who = key_name(arguments.admin)
        data = encode_admin(Admin(who.handle, who.index, int(ALL_RIGHTS)))
        found.append(HandleValue(_ADMIN_INDEX, "HS_ADMIN", data, timestamp=int(time.time())))
    indexes = [value.index for value in found]
    if len(set(indexes)) != len(indexes):
        raise _invalid(str(indexes), Phrase("an index stands twice", "索引重复"))
    return tuple(found)


def key_name(text: str) -> Reference:
    """``INDEX:HANDLE``."""
    before, colon, handle = text.partition(":")
    index = small_int(before)
    if index is None or index > MAX_INDEX or not colon or not handle:
        raise _invalid(
            text,
            Phrase(
                "write it as INDEX:HANDLE, e.g. 300:0.NA/88.888.101",
                "请写成 索引:标识，例如 300:0.NA/88.888.101",
            ),
        )
    return Reference(handle, index)


def index_of(text: str) -> int:
    """A value's index."""
    index = small_int(text)
    if index is None or not 0 < index <= MAX_INDEX:
        raise _invalid(
            text,
            Phrase(
                f"an index is a number from 1 to {MAX_INDEX}", f"索引应为 1 至 {MAX_INDEX} 的数"
            ),
        )
    return index


def _word(word: str, ttl: int, permissions: int) -> HandleValue:
    head, equals, data = word.partition("=")
    number, colon, kind = head.partition(":")
    if not equals or not colon or not kind:
        raise _invalid(
            word,
            Phrase(
                "write it as INDEX:TYPE=DATA, e.g. 1:URL=https://example.org",
                "请写成 索引:类型=数据，例如 1:URL=https://example.org",
            ),
        )
    content = _bytes_of(data[1:]) if data.startswith("@") else data.encode()
    made = HandleValue(
        index_of(number), kind, content, ttl=ttl, permissions=permissions,
        timestamp=int(time.time()),
    )  # fmt: skip
    return kept_secret(made)  # another's server may store just what it is sent


def _from_file(name: str) -> tuple[HandleValue, ...]:
    data = sys.stdin.buffer.read() if name == "-" else _bytes_of(name)
    try:
        content: Any = orjson.loads(data)
        if isinstance(content, dict):
            content = content.get("values", [content])
        if not isinstance(content, list):
            raise ProtocolError("no list of values")  # noqa: TRY301 - told as the others are
        return tuple(value_from_json(item, int(time.time())) for item in content)
    except (orjson.JSONDecodeError, ProtocolError) as error:
        fault = error.params["fault"] if isinstance(error, ProtocolError) else str(error)
        raise _invalid(name, str(fault)) from error


def _bytes_of(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise _invalid(name, told(error)) from error


def _invalid(path: str, fault: str) -> InvalidInput:
    return InvalidInput("input.invalid", path=path, fault=fault)
