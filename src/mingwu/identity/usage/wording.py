"""A count as text for people, Chinese or English."""

from collections.abc import Callable

from mingwu.identity.usage.reaggregate import Reaggregation
from mingwu.identity.usage.report import UsageReport

_LINES: tuple[tuple[str, str, Callable[[UsageReport], str]], ...] = (
    ("日志段", "segments", lambda r: f"{r.first_segment} – {r.last_segment}"),
    ("记录总数", "entries", lambda r: f"{r.entries:,}"),
    ("丢失记录", "entries lost", lambda r: f"{r.lost:,}"),
    ("计入的解析次数", "resolutions counted", lambda r: f"{r.total.resolutions:,}"),
    ("其中成功", "of these successful", lambda r: f"{r.total.succeeded:,}"),
    ("不同客户端", "distinct clients", lambda r: f"{r.total.clients:,}"),
    ("不同标识", "distinct identifiers", lambda r: f"{r.total.identifiers:,}"),
    ("未计入：健康检查", "not counted: health checks", lambda r: f"{r.total.by_cause['health']:,}"),
    ("未计入：运营者自身", "not counted: operator's own", lambda r: f"{r.total.by_cause['own']:,}"),
    ("未计入：控制台", "not counted: console", lambda r: f"{r.total.by_cause['console']:,}"),
    (
        "时延 p50 / p99 / 最大（微秒）",
        "latency p50 / p99 / max (µs)",
        lambda r: f"{r.total.latency_us.p50} / {r.total.latency_us.p99} / {r.total.latency_us.max}",
    ),
    (
        "峰值 QPS",
        "peak per second",
        lambda r: f"{r.total.peak_qps:,} {r.total.peak_at}".rstrip(),
    ),
    ("已注册标识", "identifiers registered", lambda r: f"{r.window.registered:,}"),
    (
        "30 天内被他人解析",
        "resolved by others in 30 days",
        lambda r: f"{r.window.resolved_by_others:,}{_percent(r.window.share)}",
    ),
)


def format_reaggregation(result: Reaggregation, lang: str = "en") -> str:
    """The outcome of counting again: the findings, or the figures."""
    zh = lang == "zh"
    colon = "：" if zh else ": "
    if not result.sound or result.report is None:
        head = "日志不可信，不予统计" if zh else "The log is not sound and was not counted"
        return "\n".join([head, *(f"  {one.file}{colon}{one.fault}" for one in result.findings)])
    head = "日志完整，签名有效" if zh else "The log is whole and its signatures are good"
    last = "最后一段 SHA-256" if zh else "SHA-256 of the last segment"
    return "\n".join([head, *_figures(result.report, zh=zh), f"  {last}{colon}{result.head}"])


def _figures(report: UsageReport, *, zh: bool) -> list[str]:
    colon = "：" if zh else ": "
    return [
        f"  {chinese if zh else english}{colon}{show(report)}" for chinese, english, show in _LINES
    ]


def _percent(share: float | None) -> str:
    return "" if share is None else f" ({share:.1%})"
