"""The root that a node's file names: where names and identities of other nodes are looked up."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from mingwu.identity.client.root import Root, parse_root, root_at
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, InvalidInput, MingwuError

if TYPE_CHECKING:
    from mingwu.identity.client.certified import Values
    from mingwu.identity.server.foreign import ForeignIdentities
    from mingwu.node.config import Config


def root_of(word: str, beside: Path = Path()) -> Root:
    """The root at HOST:PORT, or in a JSON file; a relative path is ``beside``'s.

    Raises InvalidInput ``identity.root`` for a file that is missing or holds none.
    """
    file = beside / word
    if file.is_file():
        return parse_root(file.read_bytes())
    if "/" in word or word.endswith(".json"):
        raise InvalidInput("identity.root", fault=Phrase(f"no file {word}", f"没有文件 {word}"))
    return root_at(word)


def foreign_identities(config: "Config") -> "ForeignIdentities | None":
    """Who finds out about keys of other nodes; None where no root is named.

    Raises ConfigError ``config.invalid`` for a root that cannot be read.
    """
    word = config.resolver.root
    if not word:
        return None
    from mingwu.identity.server.foreign import ForeignIdentities
    from mingwu.identity.trusted.client import Remote
    from mingwu.identity.trusted.verifying import verify_async
    from mingwu.node.config import IdentityPart
    from mingwu.node.signing import anchors

    try:
        root = root_of(word, config.file.parent)
    except MingwuError as error:
        raise ConfigError("config.invalid", path="$.resolver.root", fault=told(error)) from error
    known = anchors(config) if config.runs(IdentityPart.TRUST) else ()
    remote = Remote(root.server, root=root)

    async def vouched(name: str, values: "Values") -> bool:
        report = await verify_async(name, values, known, remote.fetch, time.time())
        return report.is_trusted

    return ForeignIdentities(root, vouched=vouched if known else None)
