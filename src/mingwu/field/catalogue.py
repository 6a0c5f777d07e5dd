"""Finds drivers: every folder of ``mingwu.field`` with a ``driver.py`` that exports ``KIND``.

A new driver is one new folder and no edit elsewhere. A driver's module is imported only when a
device asks for it, so a gateway without OPC UA never pays for the OPC UA stack.
"""

from importlib import import_module
from pathlib import Path

from mingwu.field.base import DriverKind
from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import ConfigError

add(
    "field.unknown-driver",
    en=("No driver is called “{driver}”", "Use one of: {known}."),
    zh=("没有名为“{driver}”的驱动", "可用的驱动：{known}。"),
)


def names() -> list[str]:
    """Names of all drivers in the tree."""
    here = Path(__file__).parent
    return sorted(folder.parent.name for folder in here.glob("*/driver.py"))


def kind(driver: str) -> DriverKind:
    """The driver's kind; raises ConfigError ``field.unknown-driver``."""
    if driver not in names():
        raise ConfigError("field.unknown-driver", driver=driver, known=", ".join(names()))
    found = import_module(f"mingwu.field.{driver}.driver").KIND
    if not isinstance(found, DriverKind):
        raise TypeError(f"mingwu.field.{driver}.driver.KIND is not a DriverKind")
    return found
