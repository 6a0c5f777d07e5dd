"""Server profiles: limits and workarounds of known servers, as data with their source.

The file ``server_profiles.toml`` beside this module is the data. A profile is named in the
settings or, with ``auto``, the first whose pattern is found in what the server says of itself
("manufacturer product"). What the server states in its OperationLimits (OPC 10000-5, 6.3.11) and
the user sets narrow it further: the smallest limit wins.
"""

import re
from functools import cache
from importlib.resources import files

import msgspec

from mingwu.field.opcua import errors as _errors  # noqa: F401 — registers the texts
from mingwu.kernel.errors import ConfigError

AUTO = "auto"


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one kind of server; 0 means the profile sets none."""

    name: str
    source: str
    match: str = ""
    nodes_per_read: int = 1000
    nodes_per_write: int = 100
    items_per_call: int = 1000
    max_items: int = 0
    in_flight: int = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    profile: list[Profile]


@cache
def known() -> tuple[Profile, ...]:
    """All profiles, the default last."""
    text = (files(__package__) / "server_profiles.toml").read_bytes()
    return tuple(msgspec.toml.decode(text, type=_File).profile)


def check(name: str) -> None:
    """Raise ConfigError ``opcua.profile`` for a name that is not one."""
    names = [profile.name for profile in known()]
    if name != AUTO and name not in names:
        raise ConfigError("opcua.profile", profile=name, known=", ".join([AUTO, *names]))


def choose(name: str, identity: str) -> Profile:
    """The named profile, or with ``auto`` the one that matches the server's identity."""
    for profile in known():
        if profile.name == name:
            return profile
        if name == AUTO and profile.match and re.search(profile.match, identity, re.IGNORECASE):
            return profile
    return known()[-1]


def least(*limits: int) -> int:
    """The smallest of the limits that are set; 0 if none is."""
    return min((limit for limit in limits if limit > 0), default=0)
