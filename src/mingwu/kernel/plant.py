"""What the gateway must know of devices and tags, and what the resolver must know of things.

These records are the common language of registry (which owns them), edge and field (which act
on them), identity (which answers with them) and lab (which builds the thing itself).
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

MAX_TAG_NUMBER = 2**32 - 1


class Kind(StrEnum):
    """Kinds of named things: the notice's six (I2.1) and the business objects."""

    MACHINE = "machine"
    PRODUCT = "product"
    PART = "part"
    PROCESS = "process"
    ALGORITHM = "algorithm"
    DATA = "data"
    ORDER = "order"
    LOT = "lot"
    PERMIT = "permit"
    DOCUMENT = "document"
    SLICE = "slice"


class ValueType(StrEnum):
    """Data type of a tag as users declare it. How it lies on the wire is the address's business."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    TEXT = "text"


class Deadband(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Report by exception. A change of at most the band is not reported.

    ``percent`` is of the tag's range (high - low). A point is reported at the latest every
    ``heartbeat_s`` seconds, and always when status or reason of its quality change.
    """

    absolute: Annotated[float, Meta(ge=0)] = 0.0
    percent: Annotated[float, Meta(ge=0, le=100)] = 0.0
    heartbeat_s: Annotated[float, Meta(gt=0)] = 1800.0


class TagSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tag (点位). ``number`` is its alias in batches and in history, given by the registry."""

    number: Annotated[int, Meta(ge=0, le=MAX_TAG_NUMBER)]
    thing: str
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    address: str
    type: ValueType = ValueType.FLOAT
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    period_ms: Annotated[int, Meta(ge=10, le=86_400_000)] = 1000
    scale: float = 1.0
    offset: float = 0.0
    deadband: Deadband = Deadband()
    writable: bool = False
    # Kept with nanoseconds in the history; milliseconds are enough, and smaller, for most.
    nanoseconds: bool = False


class Start(StrEnum):
    """Start policy of a device (telegraf's four, decided by the gateway, never by a driver)."""

    ERROR = "error"
    RETRY = "retry"
    IGNORE = "ignore"
    PROBE = "probe"


class DeviceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device as the gateway reads it.

    ``line`` names the physical line (a serial bus, a TCP endpoint): devices on one line are
    served by one task, one after the other. Empty means the device has a line of its own.
    ``settings`` are the driver's own, validated by its Settings struct.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    thing: str
    driver: str
    settings: dict[str, Any] = {}
    line: str = ""
    start: Start = Start.RETRY
    simulated: bool = False
    tags: tuple[TagSpec, ...] = ()


class GatewaySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All a gateway needs to run."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    devices: tuple[DeviceSpec, ...] = ()


class CardTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag whose live value the resolver may answer with."""

    number: int
    name: str
    unit: str
    type: ValueType = ValueType.FLOAT


class ThingCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a name answers with: the resolver's view of a thing.

    ``relations`` are (kind, identifier) of things it leads to; ``codes`` name it in other systems.
    """

    id: str
    kind: Kind
    type: str
    name_en: str
    name_zh: str
    place: str = ""
    documentation: str = ""
    simulated: bool = False
    relations: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()
    tags: tuple[CardTag, ...] = ()
