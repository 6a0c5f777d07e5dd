"""Words of the page about the use of names: resolutions, causes, latency, the signed log."""

TEXTS: dict[str, tuple[str, str]] = {
    "usage.title": ("Resolution statistics", "解析统计"),
    "usage.lead": (
        "Counted from the signed log of the resolver; anybody can count it again.",
        "由解析服务的签名日志统计得出，任何人均可复算。",
    ),
    "usage.range": ("Days", "统计天数"),
    "usage.days": ("{n} days", "{n} 天"),
    "usage.daily": ("Resolutions per day", "日均解析量"),
    "usage.daily.sub": ("{n} counted, {out} shown apart", "计入 {n} 次，另列 {out} 次"),
    "usage.daily.formula": (
        (
            "{n} answered resolutions of clients and owners ÷ {days} days; health checks, the "
            "operator's own machines and the console are left out"
        ),
        "客户端与所有者的解析应答 {n} 次 ÷ {days} 天；不计健康检查、运营者自身与控制台",
    ),
    "usage.share": ("Resolved by others, 30 days", "30 天被他人解析比例"),
    "usage.share.sub": ("{n} of {all} identifiers", "{all} 个标识中的 {n} 个"),
    "usage.share.formula": (
        (
            "{n} identifiers successfully resolved by somebody else than the prefix's owner ÷ "
            "{all} registered"
        ),
        "被前缀所有者以外的人成功解析的标识 {n} 个 ÷ 已注册 {all} 个",
    ),
    "usage.share.sample": ("{n} prefixes", "{n} 个前缀"),
    "usage.clients": ("Distinct clients", "独立客户端"),
    "usage.clients.sub": ("asked {n} identifiers", "解析了 {n} 个标识"),
    "usage.clients.formula": (
        "distinct keyed hashes of addresses among the resolutions counted",
        "计入的解析中，不同地址（加密哈希）的个数",
    ),
    "usage.latency": ("Latency, median", "时延中位数"),
    "usage.latency.sub": ("p99 {p99}, max {max}", "p99 {p99}，最大 {max}"),
    "usage.latency.formula": (
        (
            "nearest-rank percentiles of the node's own time from question to answer, without "
            "network"
        ),
        "节点自收到请求到得出应答的耗时（不含网络），最近秩百分位数",
    ),
    "usage.peak": ("Peak per second", "峰值 QPS"),
    "usage.peak.formula": ("most counted resolutions in one second", "一秒内计入的解析次数最大值"),
    "usage.window": ("{first} to {last}, Beijing days", "{first} 至 {last}（北京时间）"),
    "usage.window.until": ("{days} days before {until}", "截至 {until} 的 {days} 天"),
    "usage.sample": ("{n} log entries, {lost} lost", "日志 {n} 条，丢失 {lost} 条"),
    "usage.sample.counted": ("{n} of {all} log entries", "日志 {all} 条中的 {n} 条"),
    "usage.source": (
        "segments {first}–{last}, signed with key {key}…",
        "日志段 {first}–{last}，签名密钥 {key}…",
    ),
    "usage.source.open": ("; the last one is still open", "；最后一段尚未封存"),
    "usage.bars.counted": ("Counted by day", "每日计入的解析"),
    "usage.bars.apart": ("Not counted, by day", "每日另列（不计入）"),
    "usage.apart.why": (
        (
            "Health checks, the operator's own load and the console stand here and in no other "
            "figure."
        ),
        "健康检查、运营者自身负载与控制台仅在此列出，不进入其他指标。",
    ),
    "cause.client": ("Clients", "客户端"),
    "cause.owner": ("Owners of the prefix", "前缀所有者"),
    "cause.health": ("Health checks", "健康检查"),
    "cause.own": ("Operator's own", "运营者自身"),
    "cause.console": ("Console", "控制台"),
    "usage.search": ("Prefix", "前缀"),
    "usage.prefixes": ("By prefix, {days} days", "按前缀（{days} 天）"),
    "usage.prefix": ("Prefix", "前缀"),
    "usage.registered": ("Registered", "已注册"),
    "usage.byothers": ("Resolved by others", "被他人解析"),
    "usage.unregistered": ("none registered here", "未在本节点注册"),
    "usage.resolutions": ("Resolutions", "解析次数"),
    "usage.distinct": ("Clients", "客户端"),
    "usage.empty": ("Nobody asked yet", "尚无解析"),
    "usage.empty.why": (
        "Counted questions appear here once the resolver has answered some.",
        "解析服务应答后，计入的请求会显示在此处。",
    ),
    "usage.top": ("Busiest clients", "最活跃的客户端"),
    "usage.top.role": ("Engineers and administrators see this list.", "工程师和管理员可查看。"),
    "usage.failures": ("Failures", "失败原因"),
    "usage.failures.none": ("Every counted question was answered.", "计入的请求全部成功。"),
    "failure.not-found": ("No such identifier", "标识不存在"),
    "failure.no-such-value": ("No such value", "没有该值"),
    "failure.not-responsible": ("Not served here", "非本节点负责"),
    "failure.malformed": ("Malformed question", "请求格式错误"),
    "failure.refused": ("Not allowed", "无权限"),
    "failure.overload": ("Over a limit", "超过限额"),
    "failure.internal": ("Internal fault", "内部故障"),
    "failure.other": ("Other", "其他"),
    "usage.log": ("The signed log", "签名日志"),
    "usage.log.why": (
        (
            "{n} entries, {sealed} sealed segments. Each seal holds the digest of the segment "
            "before it, so nothing can be changed or left out unseen. Export it, and count it on "
            "another machine:"
        ),
        (
            "共 {n} 条记录、{sealed} 个已封存日志段。每个封印含前一段的摘要，任何改动或缺失都会"
            "被发现。可导出后在其他机器上复算："
        ),
    ),
    "usage.export": ("Export", "导出"),
    "usage.check": ("Check now", "立即核验"),
    "usage.sound": ("{n} sealed segments are whole and truly signed", "{n} 个日志段完整且签名有效"),
    "usage.sound.sub": (
        "{n} entries counted again, {resolutions} resolutions counted.",
        "复算 {n} 条记录，其中计入解析 {resolutions} 次。",
    ),
    "usage.unsound": ("The log is not sound and was not counted", "日志不可信，未予统计"),
    "usage.segment": ("Segment", "日志段"),
    "usage.begun": ("Begun", "开始时间"),
    "usage.entries": ("Entries", "记录数"),
    "usage.sealed": ("Seal", "封印"),
    "usage.seal.good": ("sealed", "已封存"),
    "usage.seal.open": ("being written", "写入中"),
}
