"""Trusted resolution from its settings: the node's key, its signer, a plant's own anchor.

A plant without a certificate from above starts as its own anchor: ``found`` makes an anchor record
``<prefix>/TRUST`` with a self-signed certificate, and the certificate of the prefix's signing key
in ``0.NA/<prefix>``. Readers who configure that anchor get verdicts at once; when the second-level
node issues a certificate for the same key, only ``chain`` changes.
"""

from pathlib import Path

from mingwu.identity.ownrecords import anchor_name
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.trusted.settings import AnchorSettings, TrustedSettings
from mingwu.identity.trusted.signing import (
    RecordSigner,
    prefix_perms,
    self_signed,
    with_value,
)
from mingwu.identity.trusted.verifying import split_reference
from mingwu.kernel.errors import NotFound
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm, PrivateKey
from mingwu.trust.secrets import load_or_make
from mingwu.wire.handle.values import HandleValue, Reference

KEY_INDEX = 301
CERTIFICATE_INDEX = 400
_DAY_S = 86_400


def load_key(path: Path, algorithm: str) -> PrivateKey:
    """The key in ``path``, made in ``algorithm`` at the first call (0600)."""
    made = Algorithm(algorithm)
    pem = load_or_make(path.parent, path.name, lambda: keys.generate(made).pem())
    return keys.load_private(pem)


def signer_of(settings: TrustedSettings) -> RecordSigner | None:
    """The node's signer, or None when it does not sign."""
    if not settings.issuer:
        return None
    index, handle = split_reference(settings.issuer)
    key = load_key(Path(settings.key_file), settings.algorithm)
    lifetime_s = settings.lifetime_days * _DAY_S
    return RecordSigner(Reference(handle, index), key, settings.chain, lifetime_s)


def found(store: RecordStore, prefix: str, anchor_key: PrivateKey, key: PrivateKey) -> (
    AnchorSettings
):  # fmt: skip
    """Make the plant its own anchor; returns what readers configure.

    ``anchor_key`` vouches for ``key``, which signs names under ``prefix`` as
    ``301:0.NA/<prefix>``. Raises NotFound ``name.unknown`` when the prefix has no record yet.
    """
    anchor = Reference(anchor_name(prefix), KEY_INDEX)
    home = f"0.NA/{prefix}"
    if store.get(home) is None:
        raise NotFound("name.unknown", name=home)
    signer = RecordSigner(anchor, anchor_key, lifetime_s=3650 * _DAY_S)
    subject = Reference(home, KEY_INDEX)
    certificate = signer.certify(subject, key.public(), prefix_perms(prefix), CERTIFICATE_INDEX)
    own = self_signed(anchor, anchor_key, index=CERTIFICATE_INDEX)
    text = HandleValue(1, "DESC", f"Trust anchor of {prefix}".encode(), timestamp=own.timestamp)
    store.put(signer.presign(Record(anchor.handle, (text, own))))
    store.change(home, lambda record: signer.presign(with_value(record, certificate)))
    return AnchorSettings(name=str(anchor), public_key=anchor_key.public().pem().decode())
