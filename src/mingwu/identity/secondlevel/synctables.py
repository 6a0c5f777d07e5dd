"""What a second-level node reports: sync tables T1-T11, monitoring M1-M2, SLA report A3.

Modelled on annexes 1 to 3 of the interconnection guide of the national top-level node: the tables,
periods and the fields named there are the guide's; the full field lists (45 fields of T1, 42 of T6)
were not available, so subject data carry what an application form holds. One declaration serves
the sender and whoever validates: a row that does not convert is refused with its place.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Month = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}$")]
Uscc = Annotated[str, Meta(pattern=r"^[0-9A-Z]{18}$")]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Code = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.-]+$", max_length=64)]
PORT_MOST = 65_535


class Period(StrEnum):
    """When a table is due."""

    REAL_TIME = "real-time"
    HOURLY = "hourly"
    DAILY = "daily"
    MONTHLY = "monthly"


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Subject(_Row, frozen=True, kw_only=True):
    """T1 (operator) and T6 (enterprise): who stands behind a prefix."""

    prefix: Code
    uscc: Uscc
    name: Name
    name_en: str = ""
    kind: str = ""
    industry: str = ""
    region: str = ""
    address: str = ""
    legal_person: str = ""
    contact: str = ""
    contact_phone: str = ""
    contact_email: str = ""
    state: str = "active"
    changed_at: str = ""


class Routing(_Row, frozen=True, kw_only=True):
    """T2 (node) and T7 (enterprise): where a prefix resolves."""

    prefix: Code
    code_type: Annotated[str, Meta(pattern=r"^(Handle|OID|DID:BID|VAA|Ecode|GS1)$")] = "Handle"
    hosted: bool = False
    ipv4: str = ""
    ipv6: str = ""
    tcp_port: Annotated[int, Meta(ge=0, le=PORT_MOST)] = 0
    udp_port: Annotated[int, Meta(ge=0, le=PORT_MOST)] = 0
    http_port: Annotated[int, Meta(ge=0, le=PORT_MOST)] = 0
    service: str = ""
    state: str = "active"
    changed_at: str = ""


class SourceCount(_Row, frozen=True, kw_only=True):
    """Requests of one source address."""

    source: str
    requests: Count


class NodeDay(_Row, frozen=True, kw_only=True):
    """T3: the node's day."""

    day: Day
    prefixes_new: Count
    prefixes: Count
    identifiers: Count
    requests: Count
    successes: Count
    sources: tuple[SourceCount, ...] = ()


class EnterpriseDay(_Row, frozen=True, kw_only=True):
    """T8: an enterprise's day."""

    day: Day
    prefix: Code
    uscc: Uscc
    registered: Count
    identifiers: Count
    requests: Count
    successes: Count


class Metadata(_Row, frozen=True, kw_only=True):
    """T4 (templates of the node) and T11 (of enterprises)."""

    handle: Name
    prefix: Code
    definition: str
    changed_at: str


class Software(_Row, frozen=True, kw_only=True):
    """T5 (node) and T10 (enterprises): applications that use identifiers."""

    month: Month
    id: Name
    prefix: Code
    name: Name
    purpose: str = ""


class IdentifierChange(_Row, frozen=True, kw_only=True):
    """T9: master data of one identifier; the carrier fields for active carriers only."""

    code: Name
    prefix: Code
    operation: Annotated[int, Meta(ge=1, le=3)]
    date: str
    template: str = ""
    product_type: str = ""
    brand: str = ""
    product: str = ""
    maker: str = ""
    made_on: str = ""
    expires_on: str = ""
    terminal_type: str = ""
    terminal_owner: str = ""
    terminal_use: str = ""
    terminal_serial: str = ""
    access_licence: str = ""
    licence_mark: str = ""
    licence_serial: str = ""


class MonitoringDay(_Row, frozen=True, kw_only=True):
    """M1: latencies (µs) and peak rate of a node's day; ``what`` is resolve or register."""

    day: Day
    node: Code
    what: str
    count: Count
    failures: Count
    mean_us: Count
    least_us: Count
    least_at: str
    most_us: Count
    most_at: str
    peak_qps: Count
    peak_at: str


class MonitoringEvent(_Row, frozen=True, kw_only=True):
    """M2: a node became abnormal or recovered; cause 1 network, 2 system, 3 attack, 4 other."""

    id: Count
    node: Code
    kind: str
    event: Annotated[str, Meta(pattern=r"^(abnormal|recovered)$")]
    at: str
    cause: Annotated[int, Meta(ge=1, le=4)]
    text: str = ""


class MonthlySla(_Row, frozen=True, kw_only=True):
    """A3: the month in figures (annex 3); null where nothing was measured."""

    month: Month
    node: Code
    sla_percent: float | None
    register_rtt_ms: float | None
    resolve_rtt_ms: float | None
    activation_delay_h: float | None
    up_hours: float
    maintenance: Count
    incidents: Count


class SyncTable(msgspec.Struct, frozen=True):
    """One table: its number, names, period and the shape of its rows."""

    id: str
    zh: str
    en: str
    period: Period
    row: type[msgspec.Struct]


TABLES = {
    table.id: table
    for table in (
        SyncTable("T1", "运营主体数据", "Operator subject data", Period.REAL_TIME, Subject),
        SyncTable("T2", "解析路由数据", "Resolution routing", Period.REAL_TIME, Routing),
        SyncTable("T3", "节点日统计", "Daily statistics", Period.DAILY, NodeDay),
        SyncTable("T4", "元数据模板", "Metadata templates", Period.DAILY, Metadata),
        SyncTable("T5", "应用列表", "Applications", Period.MONTHLY, Software),
        SyncTable("T6", "企业主体数据", "Enterprise subject data", Period.HOURLY, Subject),
        SyncTable("T7", "企业路由数据", "Enterprise routing", Period.HOURLY, Routing),
        SyncTable("T8", "企业日统计", "Enterprise statistics", Period.DAILY, EnterpriseDay),
        SyncTable("T9", "标识主数据", "Identifier master data", Period.DAILY, IdentifierChange),
        SyncTable("T10", "企业应用列表", "Enterprise applications", Period.MONTHLY, Software),
        SyncTable("T11", "企业元数据", "Enterprise metadata", Period.REAL_TIME, Metadata),
        SyncTable("M1", "日监测数据", "Daily monitoring", Period.DAILY, MonitoringDay),
        SyncTable("M2", "事件监测数据", "Monitoring events", Period.REAL_TIME, MonitoringEvent),
        SyncTable("A3", "SLA 月报", "Monthly SLA report", Period.MONTHLY, MonthlySla),
    )
}
