"""Error codes of the identity plane, with their texts."""

from mingwu.kernel.catalogue import add

add(
    "identity.record-invalid",
    en=("The record of {name} cannot be stored: {fault}", "Correct the values and send it again."),
    zh=("标识 {name} 的记录无法保存：{fault}", "请改正各值后重新提交。"),
)
add(
    "identity.name-exists",
    en=("{name} is registered already", "Change the record instead, or use another name."),
    zh=("标识 {name} 已注册", "请改为变更该记录，或使用其他名称。"),
)
add(
    "identity.not-homed",
    en=(
        "This node is not responsible for the prefix of {name}",
        "Ask the node that is, or home the prefix here first.",
    ),
    zh=("本节点不负责 {name} 的前缀", "请向负责的节点查询，或先在此托管该前缀。"),
)
add(
    "identity.unreachable",
    en=(
        "No answer from {server} ({detail})",
        "Check address and port, and that the resolver runs (`mingwu status`).",
    ),
    zh=(
        "{server} 没有应答（{detail}）",
        "请检查地址和端口，并确认解析服务在运行（`mingwu status`）。",
    ),
)
add(
    "identity.refused",
    en=("{server} answered code {code} for {name}: {detail}", "{step}"),
    zh=("{server} 对 {name} 返回代码 {code}：{detail}", "{step}"),
)
add(
    "identity.port-taken",
    en=("The resolver cannot listen on {address}: {detail}", "Free the port or choose another."),
    zh=("解析服务无法监听 {address}：{detail}", "请释放该端口或改用其他端口。"),
)
add(
    "identity.tls",
    en=(
        "The certificate of the HTTP interface cannot be used: {detail}",
        "Check tls_certificate and tls_key: PEM files that belong together and are readable.",
    ),
    zh=(
        "HTTP 接口的证书无法使用：{detail}",
        "请检查 tls_certificate 与 tls_key：须为配套且可读的 PEM 文件。",
    ),
)
add(
    "identity.root",
    en=(
        "The root cannot be read: {fault}",
        "Give a JSON file with the root's site record, or HOST:PORT.",
    ),
    zh=("无法读取根节点信息：{fault}", "请提供含根节点站点记录的 JSON 文件，或 HOST:PORT。"),
)
add(
    "identity.value-exists",
    en=(
        "{name} has another value at index {index}",
        "Choose another index, or remove that value first.",
    ),
    zh=("标识 {name} 的索引 {index} 处已有其他值", "请选用其他索引，或先删除该值。"),
)
