"""Settings of the usage log."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class OwnerSettings(Settings, frozen=True, kw_only=True):
    """Whose ``prefix`` it is: questions from ``networks`` (CIDR) are its owner's own."""

    prefix: str
    networks: tuple[str, ...]


class UsageSettings(Settings, frozen=True, kw_only=True):
    """What is counted as what, and where it is kept.

    ``directory``: where the segments lie. ``health_networks`` and ``health_names``: who probes us
    and which names are only asked by probes. ``own_networks``: the operator's own machines; the
    default is this machine itself. ``owners``: networks of the owners of prefixes.
    """

    directory: str = "var/usage"
    health_networks: tuple[str, ...] = ()
    health_names: tuple[str, ...] = ()
    own_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    owners: tuple[OwnerSettings, ...] = ()
    # Longest time a note stays in memory before it is written, in seconds.
    flush_s: Annotated[float, Meta(gt=0, le=10)] = 0.25
    # Notes held in memory; whoever answers waits when they are full, because none is dropped.
    buffer_notes: Annotated[int, Meta(ge=1024)] = 262_144
    # A segment is sealed and signed when this much time has passed, in seconds.
    segment_s: Annotated[int, Meta(ge=1, le=86_400)] = 3600
    # Offset of the day the statistics are about from UTC, in seconds (28,800: Beijing time).
    day_offset_s: Annotated[int, Meta(ge=-86_400, le=86_400)] = 28_800
    # Sealed segments older than this many days are deleted.
    keep_days: Annotated[int, Meta(ge=31)] = 400
    # What the log is signed with: "ed25519", "ecdsa-p256-sha256", "rsa-2048-sha256" or "sm2-sm3".
    algorithm: Annotated[
        str, Meta(pattern="^(ed25519|ecdsa-p256-sha256|rsa-2048-sha256|sm2-sm3)$")
    ] = "ecdsa-p256-sha256"
