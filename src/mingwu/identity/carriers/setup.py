"""The platform's own key and certificate, the authority that personalises carriers, and the key
that seals what the store keeps of carriers' secrets.

All lie in one directory with mode 0600 for keys. A plant with an authority of its own gives that
authority's certificate in ``carriers-authority.der`` and the platform's certificate in
``carriers-platform.der``; otherwise both are made here at the first start.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from mingwu.identity.carriers.certificates import Authority
from mingwu.trust.keys import Algorithm, PrivateKey, generate, load_private
from mingwu.trust.secrets import load_or_create, load_or_make

PLATFORM = "mingwu-carrier-platform"
_YEAR_S = 365 * 86_400
_AUTHORITY_YEARS, _PLATFORM_YEARS = 20, 10


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """What :meth:`CarrierPlatform.open` needs, and the authority for personalising carriers."""

    key: PrivateKey
    certificate: bytes
    anchors: tuple[bytes, ...]
    authority: Authority
    store_key: bytes


def prepare(directory: Path, *, now_s: int | None = None) -> PlatformIdentity:
    """Read or make the platform's identity; raises ConfigError ``trust.bad-secret``."""
    now = int(time.time()) if now_s is None else now_s

    def new_key() -> bytes:
        return generate(Algorithm.P256).pem()

    authority_key = load_private(load_or_make(directory, "carriers-authority.pem", new_key))
    own = load_or_make(
        directory,
        "carriers-authority.der",
        lambda: (
            Authority.create(
                authority_key,
                "Mingwu carriers",
                start_s=now - 86_400,
                end_s=now + _AUTHORITY_YEARS * _YEAR_S,
            ).certificate
        ),
    )
    authority = Authority(authority_key, own)
    key = load_private(load_or_make(directory, "carriers-platform.pem", new_key))
    certificate = load_or_make(
        directory,
        "carriers-platform.der",
        lambda: authority.issue(
            PLATFORM, key.public(), start_s=now - 86_400, end_s=now + _PLATFORM_YEARS * _YEAR_S
        ),
    )
    store_key = load_or_create(directory, "carriers-store")
    return PlatformIdentity(key, certificate, (own,), authority, store_key)
