"""Base of every settings declaration and the one way to turn plain data into it.

A part of the house declares its settings once, as a :class:`Settings` struct in its own
``settings.py``; validation with paths, the JSON Schema, the sample file and the reference page
are all made from that declaration. Reading files and the environment is ``node``'s business.
"""

from typing import Any, TypeVar

import msgspec

from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Immutable, keyword-only, unknown keys are faults."""


T = TypeVar("T")


def build(cls: type[T], data: Any, path: str = "$") -> T:
    """Convert plain data into ``cls``; raises ConfigError ``config.invalid`` with the path."""
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        fault, _, inner = str(error).partition(" - at `")
        where = path + inner.rstrip("`").removeprefix("$") if inner else path
        raise ConfigError("config.invalid", path=where, fault=told(fault)) from error
