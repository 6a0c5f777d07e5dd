"""Texts of the OPC UA driver's error codes."""

from mingwu.kernel.catalogue import add

add(
    "opcua.address",
    en=(
        "“{address}” of tag {tag} is not an OPC UA node id: {fault}",
        "Write it as ns=2;s=Name, ns=2;i=1001 or nsu=URI;s=Name; browsing shows valid ones.",
    ),
    zh=(
        "点位 {tag} 的地址“{address}”不是 OPC UA 节点标识：{fault}",
        "请写成 ns=2;s=名称、ns=2;i=1001 或 nsu=URI;s=名称；可通过浏览获得有效写法。",
    ),
)
add(
    "opcua.node",
    en=(
        "There is nothing to be found at the node “{address}”: {fault}",
        "Start browsing at the top, with an empty address.",
    ),
    zh=("节点“{address}”下没有可浏览的内容：{fault}", "请从顶层（空地址）开始浏览。"),
)
add(
    "opcua.profile",
    en=("No OPC UA server profile is called “{profile}”", "Use one of: {known}."),
    zh=("没有名为“{profile}”的 OPC UA 服务器配置", "可用的配置：{known}。"),
)
add(
    "opcua.unreachable",
    en=(
        "The OPC UA server {endpoint} cannot be reached: {fault}",
        "Check that the device is powered, the address and port, and the firewall between.",
    ),
    zh=(
        "无法连接 OPC UA 服务器 {endpoint}：{fault}",
        "请检查设备是否上电、地址和端口是否正确，以及中间的防火墙。",
    ),
)
add(
    "opcua.refused",
    en=(
        "The OPC UA server {endpoint} refused the session: {fault}",
        "Check user, password and security policy, and that the server trusts our certificate.",
    ),
    zh=(
        "OPC UA 服务器 {endpoint} 拒绝建立会话：{fault}",
        "请检查用户名、口令、安全策略，以及服务器是否信任本机证书。",
    ),
)
add(
    "opcua.credentials",
    en=(
        "The certificate or key for {endpoint} cannot be used: {fault}",
        "Check the paths of certificate, private_key and server_certificate, and their content.",
    ),
    zh=(
        "用于 {endpoint} 的证书或私钥不可用：{fault}",
        "请检查 certificate、private_key、server_certificate 的路径和内容。",
    ),
)
add(
    "opcua.lost",
    en=(
        "The OPC UA server {endpoint} was lost: {fault}",
        "The gateway reconnects by itself; if it stays away, check the device and the network.",
    ),
    zh=(
        "与 OPC UA 服务器 {endpoint} 的连接中断：{fault}",
        "网关会自动重连；若长时间未恢复，请检查设备和网络。",
    ),
)
add(
    "opcua.timeout",
    en=(
        "The OPC UA server {endpoint} did not answer within {timeout_ms} ms",
        "Raise timeout_ms, lower nodes_per_read, or read fewer tags from this device.",
    ),
    zh=(
        "OPC UA 服务器 {endpoint} 在 {timeout_ms} 毫秒内没有应答",
        "请增大 timeout_ms、减小 nodes_per_read，或减少该设备的点位。",
    ),
)
add(
    "opcua.silent",
    en=(
        "The OPC UA server {endpoint} has been silent for {silence_s} s",
        "The gateway reconnects by itself; if it recurs, the server is overloaded.",
    ),
    zh=(
        "OPC UA 服务器 {endpoint} 已 {silence_s} 秒没有任何消息",
        "网关会自动重连；若反复出现，说明服务器过载。",
    ),
)
add(
    "opcua.malformed",
    en=(
        "The OPC UA server sent a message that cannot be read: {fault}",
        "Capture the traffic and report it to the maker of the server.",
    ),
    zh=("OPC UA 服务器发来无法解析的报文：{fault}", "请抓取报文并反馈给服务器厂商。"),
)
