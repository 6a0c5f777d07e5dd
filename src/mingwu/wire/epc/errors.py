"""What can be wrong with an EPC, as sentences for people."""

from mingwu.kernel.catalogue import add

add(
    "epc.scheme",
    en=("There is no EPC scheme “{scheme}” here", "Known: {known}."),
    zh=("不支持 EPC 编码方案“{scheme}”", "可用的方案：{known}。"),
)
add(
    "epc.header",
    en=("The header {header} is of no scheme known here", "See docs/formats/epc.md for the list."),
    zh=("标头 {header} 不属于已支持的方案", "支持的方案见 docs/formats/epc.md。"),
)
add(
    "epc.malformed",
    en=("“{text}” is no EPC: {fault}", "Check the tag's data or the URI."),
    zh=("“{text}”不是合法的 EPC：{fault}", "请核对标签数据或 URI。"),
)
add(
    "epc.unfit",
    en=("{scheme} cannot carry {part} “{value}”: {fault}", "Choose another scheme for it."),
    zh=("{scheme} 无法承载{part}“{value}”：{fault}", "请选用其他编码方案。"),
)
add(
    "epc.prefix-needed",
    en=(
        "{scheme} needs the length of the GS1 company prefix, 6 to 12 digits",
        "Ask the owner of the prefix; it cannot be told from the key.",
    ),
    zh=(
        "{scheme} 需要给出 GS1 厂商识别代码的位数（6 至 12 位）",
        "请向该代码的所有者确认，无法由编码本身推断。",
    ),
)
