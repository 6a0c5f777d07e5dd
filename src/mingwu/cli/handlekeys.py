"""``mingwu handle key``: a key pair, the value to store, and the first key of a node of one's own.

Changes over the protocol need a key that stands in a record already. ``--install HANDLE`` puts the
first one there, beside the running node, for whoever may write the node's data folder; the change
stands in the journal.
"""

import argparse
import getpass
import os
import sys
import time
from pathlib import Path

import orjson

from mingwu.cli.handlewords import say
from mingwu.cli.roots import DEFAULT_CONFIG
from mingwu.identity.client.credentials import ALGORITHMS, new_key, public_data
from mingwu.identity.client.keyfiles import is_locked
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Conflict, InvalidInput
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.values import HandleValue

_KEY_INDEX = 300


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="where the private key goes, or lies already")
    parser.add_argument("--passphrase-file", type=Path, help="file with the key's passphrase")
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="rsa")
    parser.add_argument("--index", type=int, default=_KEY_INDEX, help="of the value to store")
    parser.add_argument(
        "--install", metavar="HANDLE", help="store it in this record of the node of --config"
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the node's file")


def run(arguments: argparse.Namespace) -> int:
    """A key in a new file, or the one that lies there; the value to store on standard output."""
    path: Path = arguments.file
    held = _held(path, arguments.algorithm)
    data = public_data(held, passphrase(arguments, path, held))
    value = HandleValue(arguments.index, "HS_PUBKEY", data)
    if arguments.install:
        _install(arguments.install, value, arguments.config)
        who = f"{arguments.index}:{arguments.install}"
        print(say("installed", who=who, file=path))
        print("  → " + say("next-use", who=who, file=path))
        return 0
    print(say("key-made", file=path), file=sys.stderr)
    print(orjson.dumps([value_to_json(value)], option=orjson.OPT_INDENT_2).decode())
    print("  → " + say("next-store", index=arguments.index, file=path), file=sys.stderr)
    return 0


def passphrase(arguments: argparse.Namespace, path: Path, key: bytes) -> bytes:
    """What a key in a file is locked with: from a file, or asked for."""
    if arguments.passphrase_file:
        content: bytes = arguments.passphrase_file.read_bytes()
        return content.rstrip(b"\r\n")  # an editor's line end is no part of it
    return getpass.getpass(say("ask-passphrase", file=path)).encode() if is_locked(key) else b""


def _held(path: Path, algorithm: str) -> bytes:
    try:
        if path.exists():
            return path.read_bytes()
        pem = new_key(algorithm)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except OSError as error:
        raise InvalidInput("input.invalid", path=str(path), fault=told(error)) from error
    return pem


def _install(name: str, value: HandleValue, config_file: Path) -> None:
    """Raises NotFound ``name.unknown``, Conflict ``identity.value-exists``."""
    from mingwu.identity.records import Record
    from mingwu.identity.server.process import open_store
    from mingwu.node.config import load
    from mingwu.trust.service import Trust

    config = load(config_file)
    stamped = HandleValue(value.index, value.type, value.data, timestamp=int(time.time()))

    def with_key(record: Record) -> Record:
        old = record.value(value.index)
        if old is not None and old.data != value.data:
            raise Conflict("identity.value-exists", name=name, index=value.index)
        kept = (one for one in record.values if one.index != value.index)
        return Record(record.name, (*kept, stamped), record.live)

    store = open_store(config.resolver)
    try:
        store.change(name, with_key)
    finally:
        store.close()
    trust = Trust.open(config.trust)
    try:
        trust.journal.append("cli", "handle.install-key", f"{value.index}:{name}")
    finally:
        trust.close()
