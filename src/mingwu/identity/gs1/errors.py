"""Error codes of the GS1 resolver, with their texts."""

from mingwu.kernel.catalogue import add

add(
    "gs1.nothing-known",
    en=(
        "Nothing is known here about {path}",
        "Check the code; its owner may use another resolver.",
    ),
    zh=("此处没有关于 {path} 的信息", "请核对代码；其所有者可能使用其他解析服务。"),
)
add(
    "gs1.no-such-link",
    en=("{path} has no link of type {kind}", "Ask with linkType=linkset what it has."),
    zh=("{path} 没有类型为 {kind} 的链接", "可用 linkType=linkset 查询已有链接。"),
)
