"""The driver contract.

A driver turns a device into columns. It is constructed from its validated settings without
touching the network; ``open`` connects. ``compile`` turns a constant tag list into a plan once
(blocks, pre-encoded requests, decode layout), and ``read`` executes the plan as often as wanted.
Policy is not here: retries, back-off, schedules, start policy and deadbands are the gateway's.

A driver never raises for a single bad point: it returns a bad quality with a reason. It raises
``Unavailable`` when the device or connection is gone; the gateway then closes and reopens it.
``simulated`` is given by the gateway from the device declaration; drivers set the SIMULATED bit on
every point they return (``mark`` does it).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from mingwu.kernel.batch import Columns
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import SIMULATED
from mingwu.kernel.settings import Settings

Sink = Callable[[Columns], None]


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A value for a tag, in the tag's engineering unit."""

    tag: TagSpec
    value: float | str | bool


class WriteResult(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one write; ``reason`` is for people."""

    ok: bool
    reason: str = ""


class BrowseNode(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a device's address space; ``address`` can be put into a TagSpec as it is."""

    address: str
    name: str
    type: str = ""
    has_children: bool = False
    writable: bool = False


class Subscription(Protocol):
    """A running subscription.

    ``wait`` returns when the subscription was closed and raises ``Unavailable`` when the device is
    lost: the gateway awaits it, marks the tags bad once, reopens the driver and subscribes again.
    """

    async def wait(self) -> None: ...

    async def close(self) -> None:
        """End it; never raises, may be called twice."""


class Driver(Protocol):
    """What every driver offers. Optional abilities are the protocols below."""

    def compile(self, tags: Sequence[TagSpec]) -> Any:
        """Make a plan for tags read together. Raises ConfigError for an address it cannot read."""

    async def open(self) -> None:
        """Connect. Raises Unavailable."""

    async def close(self) -> None:
        """Disconnect; never raises, may be called twice."""

    async def read(self, plan: Any) -> Columns:
        """Read every tag of the plan once. Raises Unavailable when the device is lost."""


class Subscribes(Protocol):
    """Driver that pushes changes by itself (OPC UA, MQTT)."""

    async def subscribe(self, plan: Any, sink: Sink) -> Subscription: ...


class Writes(Protocol):
    """Driver that can write."""

    async def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]: ...


class Browses(Protocol):
    """Driver that can list what the device has."""

    def browse(self, address: str = "") -> AsyncIterator[BrowseNode]: ...


class DriverKind(msgspec.Struct, frozen=True, kw_only=True):
    """How a driver presents itself: each driver folder exports ``KIND`` of this type.

    ``line`` maps settings to the key of the physical line they use (devices with the same key
    are served one after the other). ``subscribes`` tells the gateway to subscribe, not to poll;
    ``polled`` names the settings with which such a driver wants to be polled all the same. Ask
    :func:`pushes`, which knows both.
    """

    name: str
    settings: type[Settings]
    create: Callable[[Any, bool], Driver]
    line: Callable[[Any], str]
    subscribes: bool = False
    polled: Callable[[Any], bool] | None = None


def pushes(kind: DriverKind, settings: Any) -> bool:
    """Whether a device with these settings is subscribed to (True) or polled (False)."""
    return kind.subscribes and not (kind.polled and kind.polled(settings))


def mark(columns: Columns, *, simulated: bool) -> Columns:
    """Set the simulated bit on every row when the device is declared simulated."""
    if simulated:
        columns.quality |= SIMULATED
    return columns
