"""Records of the second-level node: applications, tenants, prefixes, hosted identifiers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from mingwu.kernel.catalogue import Phrase, render

BEIJING = timezone(timedelta(hours=8))
Text = Annotated[str, Meta(max_length=255)]
Uscc = Annotated[str, Meta(max_length=18)]
Prefix = Annotated[str, Meta(min_length=1, max_length=64)]


def beijing_day(at_ms: int) -> str:
    """The date in Beijing at ``at_ms``: the day the top node counts by."""
    return datetime.fromtimestamp(at_ms / 1000, BEIJING).date().isoformat()


def iso(at_ms: int) -> str:
    """``at_ms`` as UTC text with seconds, empty for 0."""
    if not at_ms:
        return ""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kind(StrEnum):
    """What is applied for."""

    APPLY = "apply"
    CHANGE = "change"
    EXIT = "exit"


class State(StrEnum):
    """Where an application stands."""

    SUBMITTED = "submitted"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


WORDS = {
    "submitted": Phrase("submitted", "待审核"),
    "returned": Phrase("returned", "已退回"),
    "accepted": Phrase("accepted", "已通过"),
    "rejected": Phrase("rejected", "已驳回"),
    "submit": Phrase("submit", "提交"),
    "accept": Phrase("accept", "通过"),
    "return": Phrase("return", "退回"),
    "reject": Phrase("reject", "驳回"),
    "register": Phrase("register", "注册标识"),
    "query": Phrase("query", "查询"),
    "query-all": Phrase("query-all", "查询全部前缀"),
    "be used": Phrase("be used", "使用"),
}
"""States, decisions and permissions as sentences name them."""


class Mode(StrEnum):
    """Where a prefix is served: on this node, or on a node of the enterprise."""

    HOSTED = "hosted"
    OWN = "own"


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The applicant. ``industry`` is a GB/T 4754 code, ``region`` six digits of GB/T 2260."""

    uscc: Uscc
    name: Text
    name_en: Text = ""
    kind: Text = "enterprise"
    industry: Text = ""
    region: Text = ""
    address: Text = ""


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Legal person or contact. ``number`` is a citizen number where one is asked for."""

    name: Text
    number: Text = ""
    phone: Text = ""
    email: Text = ""


class SiteForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an enterprise's own node answers; ``service`` names a service record instead."""

    host: Text = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 2641
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    service: Text = ""


class ApplicationForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an applicant sends. For ``change`` and ``exit`` the prefix is one it holds.

    A ``change`` that names another ``holder`` (its credit code) takes the prefix over from that
    enterprise; ``consent_sha256`` is the digest of the document in which the holder agrees.
    """

    kind: Kind = Kind.APPLY
    prefix: Prefix
    organisation: Organisation
    legal_person: Person
    contact: Person
    mode: Mode = Mode.HOSTED
    site: SiteForm | None = None
    purpose: Annotated[str, Meta(max_length=2000)] = ""
    licence_sha256: Annotated[str, Meta(max_length=64)] = ""
    holder: Uscc = ""
    consent_sha256: Annotated[str, Meta(max_length=64)] = ""

    @property
    def passes_on(self) -> bool:
        """Whether accepting gives the prefix to another enterprise."""
        return bool(self.holder) and self.holder != self.organisation.uscc


class Reason(msgspec.Struct, frozen=True):
    """Why an application goes back: the field it is about, and what is wrong."""

    field: Text
    text: Annotated[str, Meta(max_length=1000)]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application in the queue. Times in ms since the epoch."""

    id: str
    number: int
    state: State
    form: ApplicationForm
    reasons: tuple[Reason, ...]
    submitted_by: str
    reviewer: str
    submitted_at_ms: int
    changed_at_ms: int


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a tenant: prefixes, identifiers in all of them, requests per Beijing day."""

    prefixes: Annotated[int, Meta(ge=0)]
    identifiers: Annotated[int, Meta(ge=0)]
    daily_requests: Annotated[int, Meta(ge=0)]


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """An enterprise with at least one accepted application.

    ``networks`` (CIDR): where its own questions come from; they count as nobody else's.
    """

    uscc: str
    name: str
    industry: str
    state: str
    group: str
    quota: Quota
    form: ApplicationForm
    changed_at_ms: int
    networks: tuple[str, ...] = ()


class PrefixRow(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix given to a tenant; ``upstream`` is pending, registered or refused."""

    prefix: str
    uscc: str
    mode: Mode
    site: SiteForm | None
    state: str
    upstream: str
    since_ms: int
    changed_at_ms: int


class HostedItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identifier to register: its template's handle and values by item name.

    Items named ``t9.*`` feed the fields of sync table T9 (e.g. ``t9.brand``).
    """

    name: Text
    template: Text = ""
    values: Mapping[str, Annotated[str, Meta(max_length=4000)]] = {}


class ItemOutcome(msgspec.Struct, frozen=True):
    """How it went for one name: Handle response code 1, or another with its catalogue code."""

    name: str
    code: int = 1
    error: str = ""
    params: Mapping[str, object] = {}

    def text(self, lang: str = "en") -> str:
        """The fault as a sentence, empty when there is none."""
        return render(self.error, lang, self.params)[0] if self.error else ""
