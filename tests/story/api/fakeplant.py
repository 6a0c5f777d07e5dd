"""An in-memory plant for the API and the console: S1 in small, values that move, no I/O.

The live table is the real one of ``bus.lastvalue``; everything else is a fake of a port.
"""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from mingwu.api.ports import (
    AccountRow,
    CompletenessRow,
    JournalRow,
    JournalVerdict,
    PlaceRow,
    PlantState,
    Principal,
    RelationRow,
    ResolveAnswer,
    SeriesColumns,
    TagRow,
    ThingRow,
)
from mingwu.api.services import Services, make_services
from mingwu.api.settings import ApiSettings
from mingwu.bus.lastvalue import LastValues
from mingwu.edge.status import (
    BufferStatus,
    DeviceState,
    DeviceStatus,
    Fault,
    GatewayStatus,
    LogLine,
)
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.errors import Conflict, NotAuthenticated, NotFound
from mingwu.kernel.plant import Kind, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad

PREFIX = "88.888.101"
F, I, B, T = ValueType.FLOAT, ValueType.INT, ValueType.BOOL, ValueType.TEXT  # noqa: E741

# name, en, zh, type, unit, low, high, period_ms
CELL = [
    ("state", "State", "状态", T, "1", None, None, 1000),
    ("die_temperature", "Die temperature", "模具温度", F, "Cel", 150, 260, 1000),
    ("melt_temperature", "Melt temperature", "熔体温度", F, "Cel", 620, 700, 1000),
    ("injection_speed", "Injection speed", "压射速度", F, "m/s", 0, 8, 100),
    ("intensification", "Intensification pressure", "增压压力", F, "MPa", 0, 120, 1000),
    ("cycle_time", "Cycle time", "节拍", F, "s", 40, 120, 1000),
    ("shots", "Shots", "模次", I, "{count}", 0, 1000000, 1000),
    ("porosity", "Porosity estimate", "孔隙率估计", F, "%", 0, 5, 1000),
    ("coolant_flow", "Coolant flow", "冷却水流量", F, "L/min", 0, 90, 1000),
    ("power", "Power", "功率", F, "kW", 0, 400, 1000),
]
MACHINE = [
    ("execution", "State", "状态", T, "1", None, None, 1000),
    ("spindle_load", "Spindle load", "主轴负载", F, "%", 0, 120, 1000),
    ("spindle_speed", "Spindle speed", "主轴转速", F, "{rpm}", 0, 12000, 1000),
    ("tool_life", "Tool life left", "刀具剩余寿命", F, "%", 0, 100, 1000),
    ("part_count", "Parts", "产量", I, "{count}", 0, 1000000, 1000),
    ("feed_override", "Feed override", "进给倍率", F, "%", 0, 150, 1000),
    ("door_closed", "Door closed", "防护门关闭", B, "1", None, None, 1000),
    ("program", "Program", "程序号", T, "1", None, None, 1000),
    ("power", "Power", "功率", F, "kW", 0, 45, 1000),
    ("vibration", "Vibration", "振动", F, "mm/s", 0, 12, 1000),
]
METER = [
    ("voltage", "Voltage", "电压", F, "V", 200, 260, 1000),
    ("current", "Current", "电流", F, "A", 0, 600, 1000),
    ("active_power", "Active power", "有功功率", F, "kW", 0, 400, 1000),
    ("energy", "Active energy", "有功电能", F, "kW.h", 0, 9999999, 1000),
]
AGV = [
    ("state", "State", "状态", T, "1", None, None, 1000),
    ("battery", "Battery", "电量", F, "%", 0, 100, 1000),
    ("speed", "Speed", "速度", F, "m/s", 0, 2, 1000),
    ("x", "Position x", "位置 x", F, "m", 0, 120, 1000),
    ("y", "Position y", "位置 y", F, "m", 0, 60, 1000),
]

PLACES = [
    PlaceRow(
        path="江洲精密", level="enterprise", name_en="Jiangzhou Precision", name_zh="江洲精密"
    ),
    PlaceRow(path="江洲精密/一厂", level="site", name_en="Plant 1", name_zh="一厂"),
    PlaceRow(path="江洲精密/一厂/压铸", level="area", name_en="Die casting", name_zh="压铸车间"),
    PlaceRow(path="江洲精密/一厂/机加", level="area", name_en="Machining", name_zh="机加车间"),
    PlaceRow(path="江洲精密/一厂/动力", level="area", name_en="Utilities", name_zh="动力站"),
    PlaceRow(path="江洲精密/一厂/物流", level="area", name_en="Logistics", name_zh="物流区"),
]


def _things() -> list[tuple[ThingRow, list[tuple[Any, ...]]]]:
    def row(suffix: str, kind: Kind, kind_name: str, en: str, zh: str, place: str, **more: Any):
        return ThingRow(
            id=f"{PREFIX}/{suffix}",
            kind=kind,
            type=kind_name,
            name_en=en,
            name_zh=zh,
            place=f"江洲精密/一厂/{place}",
            simulated=True,
            gateway="gw1",
            **more,
        )

    mills = [
        row(
            f"DEV.MC630.{n:02}",
            Kind.MACHINE,
            "MachiningCentre",
            f"Machining centre {n}",
            f"{n} 号加工中心",
            "机加",
            device=f"mc{n:02}",
            type_en="Machining centre",
            type_zh="加工中心",
        )
        for n in range(1, 13)
    ]
    cells = [
        row(
            f"DEV.DCM2500.0{n}",
            Kind.MACHINE,
            "DieCastingCell",
            f"Die-casting cell {n}",
            f"{n} 号压铸单元",
            "压铸",
            device=f"dc{n}",
            type_en="Die-casting cell 2,500 t",
            type_zh="2500 吨压铸单元",
            documentation="https://example.org/dcm2500.pdf",
        )
        for n in (1, 2)
    ]
    meters = [
        row(
            f"DEV.MTR.{n:02}",
            Kind.DATA,
            "EnergyMeter",
            f"Energy meter {n}",
            f"{n} 号电表",
            "动力",
            device="bus1",
        )
        for n in range(1, 31)
    ]
    vehicles = [
        row(
            f"DEV.AGV.{n:02}",
            Kind.MACHINE,
            "AGV",
            f"AGV {n}",
            f"{n} 号 AGV",
            "物流",
            device=f"agv{n}",
            type_en="AGV",
            type_zh="自动导引车",
        )
        for n in range(1, 7)
    ]
    named = [
        row("MLD.M0187", Kind.PART, "Mould", "Mould M0187", "模具 M0187", "压铸"),
        row(
            "PRC.DC-EAH3.r07",
            Kind.PROCESS,
            "Recipe",
            "Die-casting recipe EAH3 r07",
            "EAH3 压铸工艺 r07",
            "压铸",
        ),
        row(
            "ALG.xray.v12",
            Kind.ALGORITHM,
            "Algorithm",
            "X-ray porosity model v12",
            "X 光孔隙检测模型 v12",
            "机加",
        ),
    ]
    groups = ((cells, CELL), (mills, MACHINE), (meters, METER), (vehicles, AGV), (named, []))
    return [(thing, shapes) for things, shapes in groups for thing in things]


class FakePlant:
    """The registry port over constants."""

    def __init__(self, more_tags: int = 0) -> None:
        numbers = itertools.count(1)
        things, tags = [], []
        for thing, shapes in _things():
            things.append(thing)
            for at, (name, en, zh, kind, unit, low, high, period) in enumerate(shapes):
                tags.append(
                    TagRow(
                        number=next(numbers),
                        thing=thing.id,
                        name=name,
                        name_en=en,
                        name_zh=zh,
                        type=kind,
                        unit=unit,
                        low=low,
                        high=high,
                        period_ms=period,
                        exposed=at < 4,
                        heartbeat_s=60.0,
                        writable=name == "feed_override",
                    )
                )
        tags += [
            TagRow(
                number=next(numbers),
                thing=things[n % 14].id,
                name=f"aux_{n:05}",
                name_en=f"Auxiliary {n}",
                name_zh=f"辅助 {n}",
            )
            for n in range(more_tags)
        ]
        self._state = PlantState(
            revision=1,
            name_en="Jiangzhou Precision — e-axle housings",
            name_zh="江洲精密 · 电驱桥壳体工厂",
            places=PLACES,
            things=things,
            tags=tags,
        )
        cell = f"{PREFIX}/DEV.DCM2500.01"
        self._relations = [
            (f"{PREFIX}/MLD.M0187", "mounted_on", cell),
            (cell, "uses", f"{PREFIX}/PRC.DC-EAH3.r07"),
            (f"{PREFIX}/DEV.MTR.01", "meters", cell),
            (cell, "feeds", f"{PREFIX}/DEV.MC630.01"),
        ]
        self.imported: list[str] = []

    def revision(self) -> int:
        return self._state.revision

    def state(self) -> PlantState:
        return self._state

    def relations(self, identifier: str) -> list[RelationRow]:
        names = {row.id: row for row in self._state.things}
        rows = []
        for subject, kind, target in self._relations:
            if identifier not in (subject, target):
                continue
            other = names[target if identifier == subject else subject]
            rows.append(
                RelationRow(
                    kind=kind,
                    inverse=identifier == target,
                    id=other.id,
                    name_en=other.name_en,
                    name_zh=other.name_zh,
                )
            )
        return rows

    def thing_description(self, identifier: str) -> dict[str, Any]:
        return {"@context": "https://www.w3.org/2022/wot/td/v1.1", "id": identifier}

    def import_text(self, text: str, actor: str) -> dict[str, int]:
        self.imported.append(text)
        return {"things": len(self._state.things)}

    def export_text(self) -> str:
        return 'name = "s1"\n'


class FakePeople:
    """Accounts with passwords in the clear (a fake), tokens in a dict."""

    def __init__(self) -> None:
        self.passwords = {"admin": "admin-password", "viewer": "viewer-password"}
        self.roles = {"admin": "admin", "viewer": "viewer"}
        self.languages: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self._next = itertools.count(1)

    def login(self, account: str, password: str, address: str) -> tuple[str, Principal]:
        if self.passwords.get(account) != password:
            raise NotAuthenticated("api.login-required")
        token = f"token-{account}-{next(self._next)}"
        self.tokens[token] = account
        return token, self._principal(account)

    def _principal(self, account: str) -> Principal:
        return Principal(
            account=account, role=self.roles[account], language=self.languages.get(account, "")
        )

    def verify(self, token: str) -> Principal | None:
        account = self.tokens.get(token)
        return self._principal(account) if account else None

    def logout(self, token: str) -> None:
        self.tokens.pop(token, None)

    def set_language(self, account: str, language: str) -> None:
        self.languages[account] = language

    def change_password(self, account: str, old: str, new: str, address: str) -> None:
        if self.passwords[account] != old:
            raise NotAuthenticated("api.login-required")
        self.passwords[account] = new

    def accounts(self) -> list[AccountRow]:
        return [AccountRow(name=name, role=role) for name, role in self.roles.items()]

    def create(self, name: str, password: str, role: str) -> None:
        if name in self.roles:
            raise Conflict("registry.duplicate", name=name)
        self.roles[name], self.passwords[name] = role, password

    def update(self, name: str, *, role: str | None, disabled: bool | None) -> None:
        if name not in self.roles:
            raise NotFound("name.unknown", name=name)
        if role:
            self.roles[name] = role
        for token in [token for token, who in self.tokens.items() if who == name]:
            del self.tokens[token]


class FakeJournal:
    """Lines in a list."""

    def __init__(self) -> None:
        self.lines: list[JournalRow] = []

    def append(
        self, actor: str, action: str, subject: str, detail: dict[str, Any], address: str
    ) -> None:
        self.lines.append(
            JournalRow(
                seq=len(self.lines) + 1,
                time_ns=time.time_ns(),
                actor=actor,
                action=action,
                subject=subject,
                detail=detail,
            )
        )

    def tail(self, limit: int, *, before: int = 0, **wanted: Any) -> list[JournalRow]:
        given = {key: one for key, one in wanted.items() if one}
        found = [
            line for line in self.lines[::-1]
            if (not before or line.seq < before)
            and all(getattr(line, key) == one for key, one in given.items())
        ]  # fmt: skip
        return found[:limit]

    def verify(self) -> JournalVerdict:
        return JournalVerdict(sound=True, entries=len(self.lines), head="0" * 64)


def wave(tag: TagRow, seconds: np.ndarray) -> np.ndarray:
    """A believable course of a tag at wall times (s): same function for live and history."""
    low = tag.low if tag.low is not None else 0.0
    high = tag.high if tag.high is not None else 1.0
    if tag.type is ValueType.BOOL:
        return (np.sin(seconds / 40 + tag.number) > -0.8).astype(float)
    if tag.type is ValueType.INT:
        return np.floor((seconds - 1.7e9) / 75 % 100_000) + tag.number
    middle, span = low + 0.55 * (high - low), 0.18 * (high - low)
    cycle = np.sin(2 * np.pi * seconds / 75 + tag.number)
    drift = np.sin(2 * np.pi * seconds / 5400 + tag.number * 0.7)
    noise = np.sin(seconds * 12.9898 + tag.number * 78.233) * 0.25
    return middle + span * (0.45 * cycle + 0.9 * drift + 0.12 * noise)


class FakeHistory:
    """History computed from :func:`wave`; a gap of bad quality in each hour's minute 20."""

    async def series(
        self, tag: TagRow, start_ns: int, end_ns: int, *, points: int, method: str
    ) -> SeriesColumns:
        end_ns = min(end_ns, time.time_ns())
        if tag.type is ValueType.TEXT or end_ns <= start_ns:
            none = np.empty(0)
            return SeriesColumns(
                time_ns=np.empty(0, np.int64),
                value=none,
                quality=np.empty(0, np.uint8),
                low=none,
                high=none,
                count=0,
            )
        raw = int((end_ns - start_ns) / 1e6 / tag.period_ms) + 1
        times = np.linspace(start_ns, end_ns, min(points, raw)).astype(np.int64)
        seconds = times / 1e9
        value = wave(tag, seconds)
        quality = np.full(len(times), GOOD | SIMULATED, np.uint8)
        minute = (seconds % 3600) / 60
        gap = (minute >= 20) & (minute < 22)
        quality[gap] = bad(Reason.NOT_CONNECTED) | SIMULATED
        spread = 0.06 * ((tag.high or 1) - (tag.low or 0)) if raw > points else 0.0
        low, high = value - spread, value + spread
        if method != "minmax" or not spread:
            low = high = np.empty(0)
        return SeriesColumns(
            time_ns=times,
            value=value,
            quality=quality,
            low=low,
            high=high,
            count=raw,
            source="raw" if raw < 50_000 else "minute",
        )

    async def raw(
        self, tag: TagRow, start_ns: int, end_ns: int, *, limit: int
    ) -> AsyncIterator[Columns]:
        found = await self.series(tag, start_ns, end_ns, points=min(limit, 5000), method="raw")
        number = np.full(len(found.time_ns), tag.number, np.uint32)
        yield Columns(number, found.time_ns, found.value, found.quality)

    async def completeness(
        self, tags: Sequence[TagRow], start_ns: int, end_ns: int
    ) -> list[CompletenessRow]:
        seconds = (end_ns - start_ns) / 1e9
        rows = []
        for tag in tags:
            expected = int(seconds * 1000 / tag.period_ms)
            received = int(expected * (0.999 - 0.03 * (tag.number % 3)))
            rows.append(
                CompletenessRow(
                    tag=tag.number,
                    received=received,
                    expected=expected,
                    good=int(received * 0.97),
                    longest_gap_s=120.0,
                )
            )
        return rows

    async def statistics(self) -> dict[str, Any]:
        return {"rows": 1_234_567, "bytes_per_point": 4.2}


class Feed:
    """Applies batches to the live table as a gateway's would arrive."""

    def __init__(self, live: LastValues, tags: Sequence[TagRow]) -> None:
        self._live = live
        self._tags = list(tags)
        self._seq = itertools.count(1)
        self._dead = {tag.number for tag in tags if tag.thing.endswith("MC630.07")}

    def apply(self, tags: Sequence[TagRow], now_ns: int) -> None:
        numbers = np.array([tag.number for tag in tags], np.uint32)
        value = np.empty(len(tags))
        quality = np.full(len(tags), GOOD | SIMULATED, np.uint8)
        text: dict[int, str] = {}
        now = np.array([now_ns / 1e9])
        for at, tag in enumerate(tags):
            if tag.type is ValueType.TEXT:
                value[at] = np.nan
                text[at] = self._word(tag, now_ns)
            else:
                value[at] = wave(tag, now)[0]
            if tag.number in self._dead:
                quality[at] = bad(Reason.NOT_CONNECTED) | SIMULATED
                value[at] = np.nan
                text.pop(at, None)
            elif tag.number % 41 == 0:
                quality[at] = 0x40 | SIMULATED | Reason.OUT_OF_RANGE
        times = np.full(len(tags), now_ns, np.int64)
        columns = Columns(numbers, times, value, quality, text)
        self._live.apply(Batch("gw1/feed", 1, next(self._seq), now_ns, columns))

    def _word(self, tag: TagRow, now_ns: int) -> str:
        if tag.name == "program":
            return f"O{1000 + tag.number % 7 * 10}"
        words = ["running"] * 6 + ["idle"] * 2 + ["setup"]
        step = int(now_ns / 1e9 / 60)
        return words[(tag.number * 7 + step * (tag.number % 3)) % len(words)]

    async def run(self, stop: asyncio.Event) -> None:
        fast = [tag for tag in self._tags if tag.period_ms <= 100]
        self.apply(self._tags, time.time_ns())
        for tick in itertools.count():
            if stop.is_set():
                return
            now = time.time_ns()
            self.apply(fast, now)
            self.apply(self._tags[tick % 10 :: 10], now)
            await asyncio.sleep(0.1)


async def fake_resolve(name: str, query: dict[str, list[str]]) -> ResolveAnswer:
    """A Handle HTTP JSON answer with one live value."""
    if "DEV" not in name:
        body = orjson.dumps({"responseCode": 100, "handle": name})
        return ResolveAnswer(status=404, body=body)
    now = time.time()
    value = {
        "tag": "die_temperature",
        "value": round(214 + 3 * math.sin(now / 10), 2),
        "unit": "Cel",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "quality": "good",
        "simulated": True,
    }
    values = [
        {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.org"}},
        {"index": 2, "type": "DESC", "data": {"format": "string", "value": "Die-casting cell 1"}},
        {"index": 3, "type": "LOCATION", "data": {"format": "string", "value": "一厂/压铸"}},
        {"index": 1000, "type": "MW.LIVE/die_temperature",
         "data": {"format": "string", "value": orjson.dumps(value).decode()}, "ttl": 1},
    ]  # fmt: skip
    for one in values:
        one.setdefault("ttl", 86400)
        one["timestamp"] = "2025-11-23T00:00:00Z"
    return ResolveAnswer(
        status=200, body=orjson.dumps({"responseCode": 1, "handle": name, "values": values})
    )


def gateway_status(tick: int) -> dict[str, Any]:
    """A gateway's document as ``edge.status`` declares it: one device lost, a little log."""
    now = time.time_ns()
    devices = [
        DeviceStatus(
            name=name,
            thing=f"{PREFIX}/{thing}",
            driver=driver,
            line=line,
            state=DeviceState.ONLINE,
            mode=mode,
            simulated=True,
            tags=tags,
            read_per_s=float(tags),
            reported_per_s=round(tags * 0.4, 1),
            latency_p50_ms=3.2 + tick % 3 * 0.1,
            latency_p99_ms=8.4,
            overruns=tick // 90,
        )
        for name, thing, driver, line, mode, tags in (
            ("dc1", "DEV.DCM2500.01", "modbus", "127.0.0.1:5021", "poll", 95),
            ("dc2", "DEV.DCM2500.02", "modbus", "127.0.0.1:5022", "poll", 95),
            *(
                (
                    f"mc{n:02}",
                    f"DEV.MC630.{n:02}",
                    "opcua",
                    f"opc.tcp://127.0.0.1:4840/{n}",
                    "subscribe",
                    104,
                )
                for n in range(1, 13)
            ),
            ("bus1", "DEV.MTR.01", "modbus", "serial:/dev/pts/4", "poll", 600),
            ("agv", "DEV.AGV.01", "mqtt", "127.0.0.1:1883", "subscribe", 114),
        )
    ]
    lost = devices[8]
    lost.state, lost.bad_tags, lost.lost, lost.retry_in_s = DeviceState.LOST, 104, 1, 4.0
    lost.read_per_s = lost.reported_per_s = 0.0
    lost.error = Fault(
        code="field.lost",
        time_ns=now - 75_000_000_000,
        en="The device does not answer at opc.tcp://127.0.0.1:4840/7",
        zh="设备 opc.tcp://127.0.0.1:4840/7 无应答",
        next_en="Check power and network; the gateway tries again by itself.",
        next_zh="请检查供电与网络；网关会自动重试。",
    )
    status = GatewayStatus(
        name="gw1",
        boot=1,
        time_ns=now,
        uptime_s=3700.0 + tick,
        bus_connected=True,
        read_per_s=sum(one.read_per_s for one in devices),
        reported_per_s=sum(one.reported_per_s for one in devices),
        cpu_share=0.06,
        rss_mib=71.5,
        devices=devices,
        buffer=BufferStatus(
            batches=3, bytes=48_000, limit_bytes=64 << 20, in_flight=2, acked_points=1_234_567
        ),
        log=[
            LogLine(time_ns=now - 3_700_000_000_000, level="INFO", text="gateway=gw1 devices=16"),
            LogLine(time_ns=now - 75_000_000_000, level="WARNING", text="device=mc07 state=lost"),
        ],
    )
    document: dict[str, Any] = msgspec.to_builtins(status)
    return document


def make_fake_services(settings: ApiSettings | None = None, more_tags: int = 0) -> Services:
    """Everything fake but the live table."""
    return make_services(
        settings or ApiSettings(port=0),
        plant=FakePlant(more_tags),
        people=FakePeople(),
        journal=FakeJournal(),
        live=LastValues(),
        history=FakeHistory(),
        resolve=fake_resolve,
        product={"name": "Mingwu", "version": "0.1.0"},
        parts=("codes", "marking"),
    )
