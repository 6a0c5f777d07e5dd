"""Settings of trusted resolution."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class AnchorSettings(Settings, frozen=True, kw_only=True):
    """A key that is believed without proof.

    ``name``: index:handle of the key, e.g. ``301:0.0/0.0``. ``public_key``: the key in PEM
    (RSA of at least 2048 bits, or SM2), received by a way that deserves belief.
    """

    name: Annotated[str, Meta(pattern=r"^[0-9]{1,10}:.+$", max_length=266)]
    public_key: str


class TrustedSettings(Settings, frozen=True, kw_only=True):
    """Signatures of records.

    ``anchors``: where chains may end. ``issuer``: index:handle in whose name this node signs;
    empty means it does not sign. ``key_file``: PEM of that key (0600), made at the first start in
    ``algorithm``. ``lifetime_days``: how long a signature is good.
    """

    anchors: tuple[AnchorSettings, ...] = ()
    issuer: Annotated[str, Meta(pattern=r"^([0-9]{1,10}:.+)?$", max_length=266)] = ""
    key_file: str = "var/identity/record-key.pem"
    # What a new key signs with: "rsa-2048-sha256" (any client) or "sm2-sm3" (national clients).
    algorithm: Annotated[str, Meta(pattern="^(rsa-2048-sha256|sm2-sm3)$")] = "rsa-2048-sha256"
    # Where the certificates from the issuer up to the anchor stand, as index:handle.
    chain: tuple[str, ...] = ()
    lifetime_days: Annotated[int, Meta(ge=1, le=3660)] = 400
