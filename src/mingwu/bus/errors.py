"""Error codes of the bus and the one mapping from the client library's errors to them."""

from mingwu.kernel.catalogue import Phrase, add
from mingwu.kernel.errors import MingwuError, Unavailable

add(
    "bus.unreachable",
    en=("The bus at {urls} does not answer: {fault}", "See that the bus runs; retries go on."),
    zh=("总线 {urls} 无应答：{fault}", "请确认总线正在运行；系统会持续重试。"),
)
add(
    "bus.disconnected",
    en=("The connection to the bus is cut", "Nothing to do if it returns; else check the bus."),
    zh=("与总线的连接已中断", "若自行恢复则无需处理，否则请检查总线。"),
)
add(
    "bus.no-ack",
    en=(
        "The bus did not acknowledge a message within {seconds} s",
        "It is sent again; if it goes on, see whether the bus's disk is full, failing or slow.",
    ),
    zh=(
        "总线在 {seconds} 秒内未确认消息",
        "消息会重新发送；若持续出现，请检查总线磁盘是否已满、故障或过慢。",
    ),
)
add(
    "bus.storage-full",
    en=(
        "The bus has no room: {fault}",
        "Free space on the bus's disk or raise the stream's max_mib; see that the writer runs.",
    ),
    zh=(
        "总线存储空间已满：{fault}",
        "请释放总线磁盘空间或调大该流的 max_mib，并确认写入进程在运行。",
    ),
)
add(
    "bus.disk-low",
    en=(
        "Only {free_mib} MiB are free on the disk of the bus, {directory}",
        "Free space before it is full: the bus then stores nothing more.",
    ),
    zh=(
        "总线所在磁盘 {directory} 仅剩 {free_mib} MiB",
        "请在写满之前释放空间，否则总线将停止存储。",
    ),
)
add(
    "bus.disk-failed",
    en=(
        "The bus cannot write to its disk and has stopped storing: {fault}",
        "Free space in {directory}; the bus is restarted as soon as there is room.",
    ),
    zh=(
        "总线无法写入磁盘，已停止存储：{fault}",
        "请释放 {directory} 的空间；有空间后总线会自动重启。",
    ),
)
add(
    "bus.no-stream",
    en=(
        "No stream of the bus takes messages for {subject}",
        "Read the bus's log: it stops its streams when its disk fails, a restart revives them.",
    ),
    zh=(
        "总线上没有接收 {subject} 的流",
        "请查看总线日志：磁盘故障时它会停用流，重启后恢复。",
    ),
)
add(
    "bus.rejected",
    en=("The bus refused the request: {fault}", "Check limits and permissions of the bus."),
    zh=("总线拒绝了请求：{fault}", "请检查总线的限制与权限配置。"),
)
add(
    "bus.no-answer",
    en=("Nobody answered on {subject}", "See that the addressed gateway or role runs."),
    zh=("{subject} 无人应答", "请确认目标网关或角色正在运行。"),
)
add(
    "bus.malformed-envelope",
    en=("A message does not follow the envelope format: {fault}", "Check who published it."),
    zh=("消息不符合信封格式：{fault}", "请检查该消息的发布者。"),
)
add(
    "bus.malformed-message",
    en=("A message on {subject} has an unexpected shape: {fault}", "Check who published it."),
    zh=("{subject} 上的消息结构不符：{fault}", "请检查该消息的发布者。"),
)
add(
    "bus.server-failed",
    en=("The bus server did not start: {fault}", "Read {log}."),
    zh=("总线服务器未能启动：{fault}", "请查看 {log}。"),
)

# Codes of the JetStream API (server/errors.json of nats-server 2.15): resources used up,
# storage used up, storing failed (limit reached with discard=new, or the disk failed).
_FULL = {10023, 10047, 10077, 10028}


def from_api_error(err_code: int | None, description: str | None) -> MingwuError:
    """The error for a refused JetStream request."""
    fault = description or Phrase(f"code {err_code}", f"代码 {err_code}")
    if err_code in _FULL:
        return Unavailable("bus.storage-full", fault=fault)
    return Unavailable("bus.rejected", fault=fault)
