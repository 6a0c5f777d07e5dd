"""Texts of the MQTT driver's errors."""

from mingwu.kernel.catalogue import add

add(
    "mqtt.address",
    en=(
        "Tag {tag}: “{address}” is not an MQTT address: {fault}",
        "Write it as topic#field.path, e.g. line1/leak#result.rate, or topic alone.",
    ),
    zh=(
        "点位 {tag}：“{address}”不是合法的 MQTT 地址：{fault}",
        "请写成 主题#字段路径，例如 line1/leak#result.rate，或只写主题。",
    ),
)
add(
    "mqtt.setting",
    en=("MQTT setting “{setting}”: {fault}", "Correct the device's settings."),
    zh=("MQTT 设置“{setting}”：{fault}", "请改正设备设置。"),
)
add(
    "mqtt.unreachable",
    en=(
        "Cannot connect to the MQTT broker {line}: {fault}",
        "Check host, port, user and password, and that the broker runs.",
    ),
    zh=(
        "无法连接 MQTT 服务器 {line}：{fault}",
        "请检查主机、端口、用户名和密码，以及服务器是否运行。",
    ),
)
add(
    "mqtt.lost",
    en=("The connection to the MQTT broker {line} is lost", "It is reopened by itself."),
    zh=("与 MQTT 服务器 {line} 的连接已断开", "系统会自动重连。"),
)
