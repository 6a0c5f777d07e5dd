"""Texts of the SQL driver's errors."""

from mingwu.kernel.catalogue import add

add(
    "sql.address",
    en=(
        "Tag {tag}: “{address}” is not an SQL address: {fault}",
        "Write it as column@key, or column alone when the device reads a single row.",
    ),
    zh=(
        "点位 {tag}：“{address}”不是合法的 SQL 地址：{fault}",
        "请写成 列名@键值；若设备只读一行，可只写列名。",
    ),
)
add(
    "sql.setting",
    en=("SQL setting “{setting}”: {fault}", "Correct the device's settings."),
    zh=("SQL 设置“{setting}”：{fault}", "请改正设备设置。"),
)
add(
    "sql.unreachable",
    en=(
        "Cannot connect to the database {line}: {fault}",
        "Check the URL, the account's rights and that the database runs.",
    ),
    zh=("无法连接数据库 {line}：{fault}", "请检查连接地址、账号权限以及数据库是否运行。"),
)
add(
    "sql.failed",
    en=(
        "The query on {line} failed: {fault}",
        "Check table and column names, and that the account may read them.",
    ),
    zh=("在 {line} 上的查询失败：{fault}", "请检查表名、列名以及账号的读取权限。"),
)
