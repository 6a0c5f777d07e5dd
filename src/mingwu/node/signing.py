"""Trusted resolution on a node: the plant as its own anchor, records kept signed, replies flagged.

A node whose file names no anchor becomes its own: an anchor key in the secrets folder vouches for
the key of the first prefix, and ``anchor.pem`` in the data folder is what readers configure. With
anchors in the file, certificates come from above and nothing of that is made.
"""

import asyncio
import logging
from pathlib import Path

from mingwu.identity.ownrecords import anchor_name
from mingwu.identity.records import RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.trusted.anchors import StoreVerifier, read_anchors
from mingwu.identity.trusted.flagging import flag_answers
from mingwu.identity.trusted.keeping import keep_signed
from mingwu.identity.trusted.settings import AnchorSettings
from mingwu.identity.trusted.setup import KEY_INDEX, found, load_key, signer_of
from mingwu.identity.trusted.verifying import Anchor, split_reference
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config
from mingwu.node.live import pause
from mingwu.trust.keys import PrivateKey

log = logging.getLogger(__name__)

_HOME = "0.NA/"
_ANCHOR_KEY = "anchor-key.pem"
ANCHOR_FILE = "anchor.pem"
_AGAIN_S = 10.0


def own_prefix(config: Config) -> str:
    """The prefix whose own anchor this node is; empty when anchors are configured."""
    if config.trusted.anchors or not config.trusted.issuer:
        return ""
    handle = split_reference(config.trusted.issuer)[1]
    return handle.removeprefix(_HOME) if handle.startswith(_HOME) else ""


def anchor_settings(config: Config) -> tuple[AnchorSettings, ...]:
    """Where chains may end: the configured anchors or our own, made at the first call."""
    prefix = own_prefix(config)
    if not prefix:
        return config.trusted.anchors
    public = _anchor_key(config).public().pem().decode()
    return (AnchorSettings(name=f"{KEY_INDEX}:{anchor_name(prefix)}", public_key=public),)


def anchors(config: Config) -> tuple[Anchor, ...]:
    """The same, ready for verifying. Raises InvalidInput ``trust.bad-key``."""
    return read_anchors(anchor_settings(config))


def _anchor_key(config: Config) -> PrivateKey:
    return load_key(config.data / "secrets" / _ANCHOR_KEY, config.trusted.algorithm)


class Signing:
    """What the resolver role does for trust."""

    def __init__(self, config: Config, store: RecordStore) -> None:
        self._config = config
        self._store = store
        self._anchors = anchors(config)

    def dress(self, resolver: Resolver) -> None:
        """Make a thread's resolver answer the flag of trusted resolution."""
        flag_answers(resolver, StoreVerifier(self._store, self._anchors))

    async def run(self, stop: asyncio.Event) -> None:
        """Found our own anchor where needed, then keep all records signed until ``stop``.

        A full disk or store is told once and tried again: names resolve without signatures, too.
        """
        failing = False
        while not stop.is_set():
            try:
                await asyncio.to_thread(self._found)
                signer = await asyncio.to_thread(signer_of, self._config.trusted)
                if signer is None:
                    return
                await keep_signed(self._store, signer, self._store.prefixes, stop)
            except (MingwuError, OSError) as error:
                if not failing:
                    log.warning("signing=stopped fault=%s", error)
                failing = True
                await pause(stop, _AGAIN_S)

    def _found(self) -> None:
        """Anchor record and certificate, unless they stand; anew when the site record changed."""
        prefix = own_prefix(self._config)
        if not prefix:
            return
        home = self._store.get(_HOME + prefix)
        verifier = StoreVerifier(self._store, self._anchors)
        if home is None or not verifier.report(home).is_trusted:
            trusted = self._config.trusted
            key = load_key(Path(trusted.key_file), trusted.algorithm)
            anchor = found(self._store, prefix, _anchor_key(self._config), key)
            (self._config.data / ANCHOR_FILE).write_text(anchor.public_key, "utf-8")
            log.info("trust anchor=%s file=%s", anchor.name, ANCHOR_FILE)
