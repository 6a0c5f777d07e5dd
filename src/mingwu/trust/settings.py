"""Settings of trust: accounts, sessions, journal."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings
from mingwu.store.settings import StoreSettings

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class PasswordSettings(Settings, frozen=True, kw_only=True):
    """Passwords.

    ``min_chars``: shortest password taken. ``scrypt_log2_n``: cost as a power of two; memory per
    check is 1 KiB times that cost (15: 32 MiB, about 60 ms).
    """

    min_chars: Annotated[int, Meta(ge=8, le=256)] = 10
    scrypt_log2_n: Annotated[int, Meta(ge=10, le=20)] = 15


class LoginSettings(Settings, frozen=True, kw_only=True):
    """Brakes on guessing.

    ``failures``: wrong passwords for one account from one address before a pause.
    ``address_failures``: the same for one address over all accounts.
    ``pause_s``: the first pause in seconds, doubled by each further failure up to
    ``longest_pause_s``. ``forget_s``: failures older than this are forgotten.
    """

    failures: Count = 5
    address_failures: Count = 30
    pause_s: Positive = 15.0
    longest_pause_s: Positive = 900.0
    forget_s: Positive = 3600.0


class SessionSettings(Settings, frozen=True, kw_only=True):
    """Sessions of people and tokens of programs.

    ``hours``: a session ends this long after login. ``idle_minutes``: and this long after its
    last use. ``cache_s``: how long a checked session is believed without asking the store, so a
    revocation by another process works after at most this time.
    """

    hours: Positive = 12.0
    idle_minutes: Positive = 120.0
    cache_s: Annotated[float, Meta(ge=0, le=60)] = 2.0


class TrustSettings(Settings, frozen=True, kw_only=True):
    """Accounts, sessions and the journal.

    ``store``: where they live; durable by default, an entry acknowledged is on the disk.
    ``journal_digest``: ``sha256`` or ``sm3``, for entries written from now on.
    """

    store: StoreSettings = StoreSettings(durable=True)
    password: PasswordSettings = PasswordSettings()
    login: LoginSettings = LoginSettings()
    session: SessionSettings = SessionSettings()
    journal_digest: Annotated[str, Meta(pattern="^(sha256|sm3)$")] = "sha256"
