"""Error codes of the usage log, with their texts."""

from mingwu.kernel.catalogue import add

add(
    "usage.no-segment",
    en=("There is no sealed segment {number}", "See the list of segments for those there are."),
    zh=("没有已封存的日志段 {number}", "请在日志段列表中查看现有的段。"),
)
add(
    "usage.broken",
    en=(
        "Segment {file} of the usage log is damaged: {fault}",
        "Restore the file from a backup or an export, or move it away to go on without it.",
    ),
    zh=("使用日志段 {file} 已损坏：{fault}", "请从备份或导出中恢复该文件，或将其移走后继续。"),
)
add(
    "usage.in-use",
    en=(
        "Another process writes the usage log in {path}",
        "Give each resolver process a directory of its own.",
    ),
    zh=("另一进程正在写入 {path} 中的使用日志", "请为每个解析进程配置各自的目录。"),
)
add(
    "usage.no-log",
    en=("There is no usage log in {path} yet", "Start the resolver once, or check the directory."),
    zh=("{path} 中尚无使用日志", "请先启动解析服务，或检查目录。"),
)
