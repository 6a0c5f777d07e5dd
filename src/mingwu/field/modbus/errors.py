"""Texts of the Modbus driver's errors."""

from mingwu.kernel.catalogue import add

add(
    "modbus.address",
    en=(
        "Tag {tag}: “{address}” is not a Modbus address: {fault}",
        "Write it as table:register:type, e.g. holding:100:float32:abcd or coil:3.",
    ),
    zh=(
        "点位 {tag}：“{address}”不是合法的 Modbus 地址：{fault}",
        "请写成 表:寄存器:类型，例如 holding:100:float32:abcd 或 coil:3。",
    ),
)
add(
    "modbus.setting",
    en=("Modbus setting “{setting}”: {fault}", "Correct the device's settings."),
    zh=("Modbus 设置“{setting}”：{fault}", "请改正设备设置。"),
)
add(
    "modbus.unreachable",
    en=(
        "Cannot connect to {line}: {fault}",
        "Check that the device is powered, the cable is in, and address and port are right.",
    ),
    zh=("无法连接 {line}：{fault}", "请检查设备供电、网线以及地址和端口。"),
)
add(
    "modbus.lost",
    en=("The connection to {line} is lost: {fault}", "It is reopened by itself; check the line."),
    zh=("与 {line} 的连接已断开：{fault}", "系统会自动重连；请检查线路。"),
)
add(
    "modbus.silent",
    en=(
        "Unit {unit} on {line} does not answer ({fault})",
        "Check the unit id, the wiring and whether the device is switched on.",
    ),
    zh=("{line} 上的单元 {unit} 无应答（{fault}）", "请检查单元号、接线以及设备是否通电。"),
)
