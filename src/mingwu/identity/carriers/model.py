"""What the platform knows of carriers: provisioning, life cycle, events, discovery.

*Registered*, *reported* and *queried* are three facts with a time each, not one status: a carrier
may be registered and never report, or report and never be asked for.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Serial = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._-]+$")]


class State(StrEnum):
    """The way of a carrier up to its write-back."""

    PROVISIONED = "provisioned"
    MATCHED = "matched"
    REGISTERED = "registered"
    ACTIVE = "active"


class Blocked(StrEnum):
    """Why a carrier may not report."""

    NO = ""
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"


class Severity(StrEnum):
    """How loud an event is."""

    INFO = "info"
    WARNING = "warning"
    ATTACK = "attack"


class Fence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agreed place: WGS 84 degrees and metres. ``work`` is the reading that grows by working.

    ``latitude_of`` and ``longitude_of`` name the readings with the position.
    """

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    radius_m: Annotated[float, Meta(gt=0)]
    work: str = "shots"
    latitude_of: str = "latitude"
    longitude_of: str = "longitude"


class NewUnit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A carrier before its first power-on: serial number and certificate, and what it will be.

    ``certificate`` as issued (base64 in JSON); ``suffix`` of the identifier to register under
    ``prefix``; ``owner`` and ``holder`` are names for people (who lent it to whom).
    ``oscore_secret``: 32 bytes that only a carrier on CoAP and the platform know; not shown again.
    """

    serial: Serial
    certificate: bytes
    prefix: Annotated[str, Meta(min_length=1, max_length=64)]
    suffix: Annotated[str, Meta(min_length=1, max_length=190)]
    form: str = "module"
    bearer: str = "https"
    owner: str = ""
    holder: str = ""
    attributes: dict[str, str] = {}
    fence: Fence | None = None
    simulated: bool = False
    oscore_secret: bytes = b""


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a reading comes from: time of its sample, number and digest of the signed report."""

    time_ns: int
    counter: int
    digest: str


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier. Times in ms since the epoch, 0 for never.

    ``content`` holds the last value of every reading, ``measured`` the origin of each.
    ``protection`` is where the key lives; ``certified`` where its authority saw it being made (then
    both are the same), empty when only the carrier says so. ``queried_by`` asked last:
    an account, or the network of somebody who resolved the name; resolutions are counted up to
    ``resolved_ms``.
    """

    serial: str
    key_id: str
    prefix: str
    suffix: str
    form: str
    bearer: str
    owner: str
    holder: str
    protection: str
    certified: str
    address: str
    state: State
    blocked: Blocked
    identifier: str
    link: str
    previous_link: str
    attributes: dict[str, str]
    fence: Fence | None
    content: dict[str, float | str]
    measured: dict[str, Origin]
    is_outside: bool
    simulated: bool
    counter: int
    sequence: int
    expires_ms: int
    provisioned_ms: int
    powered_ms: int
    registered_ms: int
    written_ms: int
    first_reported_ms: int
    reported_ms: int
    sampled_ms: int
    queried_ms: int
    queried_by: str
    resolved_ms: int
    shown: str
    reports: int
    samples: int
    dropped: int
    queries: int

    @property
    def to_show(self) -> str:
        """What the record should say: why the carrier is blocked, or how far it came."""
        return (self.blocked or self.state).value if self.identifier else ""

    @property
    def is_registered(self) -> bool:
        return self.registered_ms > 0

    @property
    def is_reported(self) -> bool:
        return self.reported_ms > 0

    @property
    def is_queried(self) -> bool:
        return self.queried_ms > 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a carrier; ``evidence`` is the digest of a signed report."""

    number: int
    serial: str
    code: str
    severity: Severity
    address: str
    detail: dict[str, Any]
    evidence: str
    at_ms: int
    last_ms: int
    times: int


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order on its way down: waiting, sent, applied or rejected (``note`` says why)."""

    number: int
    serial: str
    kind: str
    version: int
    content: dict[str, float | str]
    state: str
    note: str
    actor: str
    created_ms: int
    sent_ms: int
    acknowledged_ms: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A signed report with the certificate of its signer: anybody can check it."""

    serial: str
    digest: str
    at_ms: int
    frame: bytes
    certificate: bytes


class ReadingName(msgspec.Struct, frozen=True, kw_only=True):
    """What people call a reading."""

    name_zh: str = ""
    name_en: str = ""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a discovery query: live readings only when ``is_trusted``, else a reason."""

    identifier: str
    serial: str
    is_trusted: bool
    reason: str = ""
    detail: dict[str, Any] = {}
    readings: dict[str, float | str] = {}
    origins: dict[str, Origin] = {}
    names: dict[str, ReadingName] = {}
    sampled_ms: int = 0
    registered_ms: int = 0
    reported_ms: int = 0
    queried_ms: int = 0
    simulated: bool = False
