"""Error codes of the history and the one mapping from the engine's errors to them."""

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import InvalidInput, MingwuError, Overloaded, Unavailable

add(
    "history.unreachable",
    en=("The history at {url} does not answer: {fault}", "See that it runs; retries go on."),
    zh=("历史库 {url} 无应答：{fault}", "请确认历史库正在运行；系统会持续重试。"),
)
add(
    "history.refused",
    en=("The history refused the request (code {number}): {fault}", "Read the historian's log."),
    zh=("历史库拒绝了请求（代码 {number}）：{fault}", "请查看历史库日志。"),
)
add(
    "history.disk-full",
    en=(
        "The history has no room on its disk: {fault}",
        "Free space or shorten the retention (schema.points_days). Until then the bus keeps them.",
    ),
    zh=(
        "历史库磁盘空间不足：{fault}",
        "请释放磁盘空间或缩短保留期（schema.points_days）；在此之前，数据保留在总线上。",
    ),
)
add(
    "history.busy",
    en=("The history has too much to do: {fault}", "Ask again later or for a shorter window."),
    zh=("历史库繁忙：{fault}", "请稍后重试，或缩短查询时间窗。"),
)
add(
    "history.limit",
    en=("The query went over a limit: {fault}", "Ask for a shorter window or fewer tags."),
    zh=("查询超出限制：{fault}", "请缩短时间窗或减少点位。"),
)
add(
    "history.directory-in-use",
    en=(
        "The history directory {directory} is in use by process {owner}",
        "One historian owns a directory: stop the other one or give this one its own directory.",
    ),
    zh=(
        "历史库目录 {directory} 正被进程 {owner} 使用",
        "一个目录只能由一个历史库进程使用：请停止另一个进程，或为本进程另设目录。",
    ),
)
add(
    "history.directory-unusable",
    en=("The history cannot use {directory}: {fault}", "Check path, permissions and free space."),
    zh=("历史库无法使用目录 {directory}：{fault}", "请检查路径、权限和剩余空间。"),
)
add(
    "history.no-password",
    en=("The historian has no password", "Set it in the configuration (node does by itself)."),
    zh=("历史库未设置密码", "请在配置中设置（正常启动时会自动生成）。"),
)
add(
    "history.newer-schema",
    en=(
        "The history is of schema {found}, this program knows up to {known}",
        "Start the newer program, or restore a backup made before the upgrade.",
    ),
    zh=("历史库结构版本为 {found}，本程序最高支持 {known}", "请使用新版程序，或恢复升级前的备份。"),
)
add(
    "history.malformed-answer",
    en=("The history answered in an unexpected form: {fault}", "Check what runs at its address."),
    zh=("历史库应答格式不符：{fault}", "请检查该地址上运行的服务。"),
)

# Numbers of ClickHouse's error list (system.errors).
SYNTAX_ERROR = 62
UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
TIMEOUT_EXCEEDED = 159
TOO_SLOW = 160
TOO_MANY_QUERIES = 202
MEMORY_LIMIT = 241
NOT_ENOUGH_SPACE = 243
TOO_MANY_PARTS = 252
TOO_MANY_ROWS = 158
TOO_MANY_ROWS_OR_BYTES = 396
AUTHENTICATION_FAILED = 516
NETWORK_ERROR = 210
NO_SPACE_LEFT = {NOT_ENOUGH_SPACE}
_BUSY = {TOO_MANY_QUERIES, TOO_MANY_PARTS}
_LIMIT = {TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT, TOO_MANY_ROWS, TOO_MANY_ROWS_OR_BYTES}


def from_engine(number: int, fault: str) -> MingwuError:
    """The error for what the engine answered; ``fault`` is shortened to one line."""
    line = " ".join(fault.split())[:400]
    if number in NO_SPACE_LEFT or "No space left on device" in fault:
        return Unavailable("history.disk-full", fault=line)
    if number in _BUSY:
        return Overloaded("history.busy", fault=line)
    if number in _LIMIT:
        return InvalidInput("history.limit", fault=line)
    return Unavailable("history.refused", number=number, fault=line)
