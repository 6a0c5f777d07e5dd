"""Texts of the simulated plant's errors."""

from mingwu.kernel.catalogue import add

add(
    "lab.port-taken",
    en=(
        "The simulated plant cannot listen on {endpoint} ({host}:{port}): {fault}",
        "Stop what listens there, or give `lab.first_port` another value.",
    ),
    zh=(
        "模拟工厂无法监听 {endpoint}（{host}:{port}）：{fault}",
        "请停止占用该端口的程序，或修改 `lab.first_port`。",
    ),
)
add(
    "lab.no-terminal",
    en=(
        "The second meter bus cannot open a pseudo-terminal: {fault}",
        "Set `lab.serial` to tcp and import the plant file again.",
    ),
    zh=(
        "第二条电表总线无法打开伪终端：{fault}",
        "请将 `lab.serial` 设为 tcp 并重新导入工厂文件。",
    ),
)
add(
    "lab.unknown-fault",
    en=("No fault is called “{name}”", "Use one of: {known}."),
    zh=("没有名为“{name}”的故障", "可用的故障：{known}。"),
)
add(
    "lab.unknown-target",
    en=(
        "Fault {name} cannot be put on “{target}”",
        "It works on: {known}.",
    ),
    zh=("故障 {name} 不能施加在“{target}”上", "可用对象：{known}。"),
)
add(
    "lab.bad-parameter",
    en=("Fault {name}: {fault}", "Parameters are: {known}."),
    zh=("故障 {name}：{fault}", "参数：{known}。"),
)
add(
    "lab.not-running",
    en=(
        "No simulated plant answers on {control}: {fault}",
        "Start it with `mingwu demo`, or correct the control address.",
    ),
    zh=("{control} 上没有模拟工厂应答：{fault}", "请用 `mingwu demo` 启动，或改正控制地址。"),
)
add(
    "lab.bad-request",
    en=("The plant's control does not understand the request: {fault}", "Correct the request."),
    zh=("模拟工厂控制口无法理解请求：{fault}", "请改正请求。"),
)
