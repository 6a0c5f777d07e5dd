"""The monthly report: operating time, SLA indicators, maintenance, emergencies.

Made from the monitoring rows and events of a Beijing month. A figure without data behind it is
``null`` and printed as such, never as a good value. The SLA share is counted from probes of the
whole month so far; operating time is the month (so far) less the time of open outages of a node. It
begins with the first moment of the month that a probe is kept of (with the month, if its first day
was probed) and not before its prefix was given: nothing is known of the time before, nor of
``gaps`` in which this node itself did not run; they count neither as up nor as down.
"""

import html
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import fmean
from typing import Any

from mingwu.identity.secondlevel.model import Application, Kind, State, beijing_day, iso
from mingwu.identity.secondlevel.monitoring import REGISTER, RESOLVE

_HOUR_MS = 3_600_000
_BEIJING_MS = 8 * _HOUR_MS
_DECEMBER = 12
Rows = Sequence[Mapping[str, Any]]
Spans = Sequence[tuple[int, int]]
"""Stretches of time, (first ms, end ms)."""


def month_span(month: str, now_ms: int) -> tuple[int, int]:
    """(start, end) ms of ``YYYY-MM`` in Beijing; the end is now while the month runs."""
    first = date.fromisoformat(month + "-01")
    following = (
        date(first.year + 1, 1, 1)
        if first.month == _DECEMBER
        else date(first.year, first.month + 1, 1)
    )
    start, end = _midnight(first), _midnight(following)
    return start, max(start, min(end, now_ms))


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 24 * _HOUR_MS - _BEIJING_MS


def due_day(month: str) -> str:
    """The last day to hand a month's report in: ten working days (Monday to Friday) later."""
    year, number = int(month[:4]), int(month[5:])
    day = date(year + number // 12, number % 12 + 1, 1)
    left = 10 - (day.weekday() < 5)  # noqa: PLR2004
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5  # noqa: PLR2004
    return day.isoformat()


def monthly(
    month: str,
    node: str,
    *,
    latencies: Rows,
    events: Rows,
    applications: Sequence[Application],
    gaps: Spans = (),
    sla_percent: float,
    now_ms: int,
    simulated: bool = False,
) -> dict[str, Any]:
    """The report as plain data, in the four groups."""
    start, end = month_span(month, now_ms)
    mine = [row for row in latencies if row["day"][:7] == month]
    nodes = sorted({row["node"] for row in mine} | {row["node"] for row in events})
    return {
        "month": month,
        "node": node,
        "simulated": simulated,
        "made_at": iso(now_ms),
        "due": due_day(month),
        "operating_time": [
            _operating(
                one,
                events,
                gaps,
                max(start, _probed_since(one, mine, events), _given(one, applications)),
                end,
            )
            for one in nodes
        ],
        # the node's own: what enterprises' nodes do is no promise of ours
        "sla": _sla(
            [row for row in mine if row["node"] == node], applications, (start, end), sla_percent
        ),
        "maintenance": [_event(row) for row in events if row["kind"] == "maintenance"],
        "emergencies": [_event(row) for row in events if row["kind"] != "maintenance"],
    }


def _probed_since(node: str, rows: Rows, events: Rows) -> int:
    """The first moment known of; midnight when that day is the month's first."""
    mine = [row for row in rows if row["node"] == node]
    if not mine:
        return 0
    day = min(row["day"] for row in mine)
    midnight = _midnight(date.fromisoformat(day))
    if day.endswith("-01"):
        return midnight
    kept = [row[at] for row in mine if row["day"] == day for at in ("least_at_ms", "most_at_ms")]
    kept += [row["began_ms"] for row in events if row["node"] == node]
    return max(midnight, min((at for at in kept if at), default=midnight))


def _given(node: str, applications: Sequence[Application]) -> int:
    accepted = (Kind.APPLY, State.ACCEPTED)
    return min(
        (
            one.changed_at_ms
            for one in applications
            if one.form.prefix == node and (one.form.kind, one.state) == accepted
        ),
        default=0,
    )


def _operating(node: str, events: Rows, gaps: Spans, start: int, end: int) -> dict[str, Any]:
    outages = [
        (row["began_ms"], row["ended_ms"] or end)
        for row in events
        if row["node"] == node and row["kind"] == "outage"
    ]
    unknown = _covered(gaps, start, end)
    total = end - start - unknown
    # an outage that nobody watched any more is known only as far as it was watched
    down = _covered([*outages, *gaps], start, end) - unknown
    return {
        "node": node,
        "hours": round(total / _HOUR_MS, 3),
        "unmeasured_hours": round(unknown / _HOUR_MS, 3),
        "up_hours": round((total - down) / _HOUR_MS, 3),
        "down_hours": round(down / _HOUR_MS, 3),
        "up_percent": round(100 * (total - down) / total, 4) if total else None,
    }


def _covered(spans: Spans, start: int, end: int) -> int:
    """How much of the time between two moments lies in any of the spans."""
    covered, reached = 0, start
    for began, ended in sorted(spans):  # what overlaps counts once
        covered += max(0, min(ended, end) - max(began, reached))
        reached = max(reached, min(ended, end))
    return covered


def _sla(
    rows: Rows, applications: Sequence[Application], span: tuple[int, int], agreed: float
) -> dict[str, Any]:
    probes = sum(row["count"] + row["failures"] for row in rows if row["what"] == RESOLVE)
    good = sum(row["count"] for row in rows if row["what"] == RESOLVE)
    share = 100 * good / probes if probes else None
    delays = [
        (one.changed_at_ms - one.submitted_at_ms) / _HOUR_MS
        for one in applications
        if one.state == State.ACCEPTED
        and one.form.kind == Kind.APPLY
        and span[0] <= one.changed_at_ms < span[1]
    ]
    return {
        "agreed_percent": agreed,
        "percent": round(share, 4) if share is not None else None,
        "met": share >= agreed if share is not None else None,
        "probes": probes,
        "resolve_rtt_ms": _mean_ms(rows, RESOLVE),
        "register_rtt_ms": _mean_ms(rows, REGISTER),
        "peak_qps": max((row["peak_qps"] for row in rows), default=0) or None,
        "activation_delay_h": round(fmean(delays), 3) if delays else None,
        "activated": len(delays),
    }


def _mean_ms(rows: Rows, what: str) -> float | None:
    count = sum(row["count"] for row in rows if row["what"] == what)
    total = sum(row["sum_us"] for row in rows if row["what"] == what)
    return round(total / count / 1000, 3) if count else None


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": row["number"],
        "node": row["node"],
        "kind": row["kind"],
        "cause": row["cause"],
        "began": iso(row["began_ms"]),
        "ended": iso(row["ended_ms"]),
        "zh": row["text_zh"],
        "en": row["text_en"],
    }


_WORDS: dict[str, dict[str, Any]] = {
    "zh": {
        "title": "二级节点运行月报",
        "operating_time": "一、运行时间",
        "sla": "二、SLA 指标",
        "maintenance": "三、维护情况",
        "emergencies": "四、应急情况",
        "none": "无",
        "null": "无数据",
        "node": "节点",
        "hours": "统计时长（小时）",
        "unmeasured_hours": "未测时长（小时）",
        "up_hours": "运行时长（小时）",
        "down_hours": "中断时长（小时）",
        "up_percent": "可用率（%）",
        "agreed_percent": "约定可用率（%）",
        "percent": "探测成功率（%）",
        "met": "是否达标",
        "probes": "探测次数",
        "resolve_rtt_ms": "解析平均时延（毫秒）",
        "register_rtt_ms": "注册平均时延（毫秒）",
        "peak_qps": "峰值 QPS",
        "activation_delay_h": "开通时延（小时）",
        "activated": "本月开通前缀数",
        "number": "编号",
        "kind": "类别",
        "cause": "原因",
        "began": "开始",
        "ended": "结束",
        "text": "说明",
        "True": "是",
        "False": "否",
        "due": "提交期限",
        "made_at": "生成时间",
        "simulated": "仿真数据：本节点及其企业、标识均为模拟",
        "kinds": {
            "outage": "中断",
            "maintenance": "维护",
            "takeover": "应急接管",
            "emergency": "应急事件",
        },
        "causes": {1: "网络", 2: "系统", 3: "攻击", 4: "其他"},
    },
    "en": {
        "title": "Monthly report of the second-level node",
        "operating_time": "1. Operating time",
        "sla": "2. SLA indicators",
        "maintenance": "3. Maintenance",
        "emergencies": "4. Emergencies",
        "none": "none",
        "null": "no data",
        "node": "Node",
        "hours": "Hours counted",
        "unmeasured_hours": "Hours not measured",
        "up_hours": "Hours up",
        "down_hours": "Hours down",
        "up_percent": "Availability, %",
        "agreed_percent": "Agreed, %",
        "percent": "Good probes, %",
        "met": "Met",
        "probes": "Probes",
        "resolve_rtt_ms": "Mean resolve time, ms",
        "register_rtt_ms": "Mean register time, ms",
        "peak_qps": "Peak QPS",
        "activation_delay_h": "Activation delay, h",
        "activated": "Prefixes activated",
        "number": "No.",
        "kind": "Kind",
        "cause": "Cause",
        "began": "Began",
        "ended": "Ended",
        "text": "Text",
        "True": "yes",
        "False": "no",
        "due": "To be handed in by",
        "made_at": "Made at",
        "simulated": "Simulated data: this node, its enterprises and identifiers are made up",
        "kinds": {
            "outage": "outage",
            "maintenance": "maintenance",
            "takeover": "emergency takeover",
            "emergency": "emergency",
        },
        "causes": {1: "network", 2: "system", 3: "attack", 4: "other"},
    },
}
_STYLE = (
    "body{font:14px/1.5 sans-serif;max-width:60em;margin:2em auto;color:#111}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #888;padding:.3em .6em;"
    "text-align:left}@media print{body{margin:0}h2{break-after:avoid}}"
)


def printable(report: Mapping[str, Any], lang: str = "zh") -> str:
    """The report as a page to print, in ``lang``; everything from outside is escaped."""
    words = _WORDS["en" if lang == "en" else "zh"]
    parts = [
        f'<!doctype html><html lang="{"en" if lang == "en" else "zh-CN"}"><meta charset="utf-8">',
        f"<title>{words['title']} {html.escape(report['month'])}</title><style>{_STYLE}</style>",
        f"<h1>{words['title']} {html.escape(report['month'])}</h1>",
        f"<p>{words['node']}: {html.escape(report['node'])}</p>",
        f"<p><strong>{words['simulated']}</strong></p>" if report["simulated"] else "",
        f"<p>{words['made_at']}: {report['made_at']} · {words['due']}: {report['due']}</p>",
    ]
    for group in ("operating_time", "sla", "maintenance", "emergencies"):
        rows = [report[group]] if group == "sla" else report[group]
        if group in {"maintenance", "emergencies"}:
            rows = [_worded(row, words, "en" if lang == "en" else "zh") for row in rows]
        parts += [f"<h2>{words[group]}</h2>", _table(rows, words)]
    return "\n".join(parts) + "</html>"


def _worded(row: Mapping[str, Any], words: Mapping[str, Any], lang: str) -> dict[str, Any]:
    told = {name: cell for name, cell in row.items() if name not in {"zh", "en"}}
    told["kind"] = words["kinds"].get(row["kind"], row["kind"])
    told["cause"] = words["causes"].get(row["cause"], row["cause"])
    return told | {"text": row[lang]}


def _table(rows: Rows, words: Mapping[str, Any]) -> str:
    if not rows:
        return f"<p>{words['none']}</p>"
    head = "".join(f"<th>{words.get(name, name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_shown(cell, words)}</td>" for cell in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _shown(cell: object, words: Mapping[str, Any]) -> str:
    if cell is None:
        return str(words["null"])
    return html.escape(words.get(str(cell), str(cell)) if isinstance(cell, bool) else str(cell))


def this_month(now_ms: int) -> str:
    """The running month in Beijing."""
    return beijing_day(now_ms)[:7]
