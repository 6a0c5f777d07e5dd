"""Error codes of the gateway."""

from mingwu.kernel.catalogue import add

add(
    "edge.read-timeout",
    en=(
        "Device {device} did not answer within {seconds} s",
        "Check the device and its line; the gateway goes on trying.",
    ),
    zh=("设备 {device} 在 {seconds} 秒内未应答", "请检查设备及其线路；网关会继续重试。"),
)
add(
    "edge.start-failed",
    en=(
        "Device {device}, declared start = error, cannot be opened: {fault}",
        "Repair the device, or declare start = retry to run the gateway without it.",
    ),
    zh=(
        "设备 {device}（start = error）无法打开：{fault}",
        "请修复设备，或将其声明为 start = retry，使网关可在其缺席时运行。",
    ),
)
add(
    "edge.ignored",
    en=(
        "Device {device} did not start and is left alone: {fault}",
        "Repair it and restart the gateway, or declare start = retry.",
    ),
    zh=("设备 {device} 未能启动，已被忽略：{fault}", "修复后重启网关，或声明 start = retry。"),
)
add(
    "edge.bad-tags",
    en=(
        "Device {device}: {count} tags cannot be read, first {tag}: {fault}",
        "Correct the addresses of these tags.",
    ),
    zh=("设备 {device}：{count} 个点位无法读取，首个为 {tag}：{fault}", "请改正这些点位的地址。"),
)
add(
    "edge.crashed",
    en=(
        "The task of line {line} failed: {fault}",
        "It was started again; please report the log lines as a bug of the driver.",
    ),
    zh=("线路 {line} 的任务异常：{fault}", "任务已重新启动；请将日志作为驱动缺陷上报。"),
)
add(
    "edge.buffer-thinned",
    en=(
        "The gateway's buffer is filling: {points} older points were left out",
        "See why the bus does not take batches: {fault}",
    ),
    zh=("网关缓存将满：已抽稀 {points} 个较早的点", "请查明总线为何不接收：{fault}"),
)
add(
    "edge.buffer-full",
    en=(
        "The gateway's buffer is full, {points} points were not kept",
        "See why the bus does not take batches: {fault}; or raise buffer_mib.",
    ),
    zh=("网关缓存已满，{points} 个点未保留", "请查明总线为何不接收：{fault}；或调大 buffer_mib。"),
)
add(
    "edge.no-such-tag",
    en=("Device {device} has no tag {tag}", "Choose one of the device's tags."),
    zh=("设备 {device} 没有点位 {tag}", "请选择该设备的点位。"),
)
add(
    "edge.no-such-device",
    en=("This gateway has no device {device}", "Check the name of the device."),
    zh=("本网关没有设备 {device}", "请核对设备名称。"),
)
add(
    "edge.not-writable",
    en=("Tag {tag} may not be written", "Declare it writable in the plant file first."),
    zh=("点位 {tag} 不允许写入", "请先在工厂文件中将其声明为可写。"),
)
add(
    "edge.bad-value",
    en=("{value} cannot be written to tag {tag}: {fault}", "Send a value of the tag's type."),
    zh=("{value} 不能写入点位 {tag}：{fault}", "请发送符合点位类型和量程的值。"),
)
add(
    "edge.device-lost",
    en=("Device {device} is not connected", "Wait until it is back, or check its line."),
    zh=("设备 {device} 未连接", "请等待其恢复，或检查线路。"),
)
add(
    "edge.write-failed",
    en=("Device {device} did not take the value: {fault}", "Check the device and try again."),
    zh=("设备 {device} 未接受写入：{fault}", "请检查设备后重试。"),
)
