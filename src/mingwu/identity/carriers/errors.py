"""Error and event codes of the carriers: what was refused, and why a carrier is not believed."""

from mingwu.kernel.catalogue import add

add(
    "carriers.malformed",
    en=("This is no carrier message: {fault}", "See docs/formats/active-carrier.md."),
    zh=("不是合法的载体报文：{fault}", "请参见 docs/formats/active-carrier.md。"),
)
add(
    "carriers.unknown-serial",
    en=(
        "No carrier with serial number {serial} was provisioned",
        "Provision the serial number with its certificate before the first power-on.",
    ),
    zh=("未预置序列号为 {serial} 的载体", "首次上电前请先预置序列号及其证书。"),
)
add(
    "carriers.cloned",
    en=(
        "Serial number {serial} came with another key: a cloned carrier",
        "Find the sender at the address of the event; the real carrier goes on working.",
    ),
    zh=(
        "序列号 {serial} 使用了另一把密钥：疑似克隆载体",
        "请按事件中的地址查找来源；真载体不受影响。",
    ),
)
add(
    "carriers.diverged",
    en=(
        "Two senders use the key of carrier {serial}: their counters have parted",
        "Inspect the carrier, replace it if its key was copied, then resume it.",
    ),
    zh=(
        "载体 {serial} 的密钥被两处使用：计数链已分叉",
        "请检查载体；如密钥已泄露请更换，然后恢复。",
    ),
)
add(
    "carriers.replayed",
    en=("A message of carrier {serial} was sent again", "Nothing to do: it was not accepted."),
    zh=("载体 {serial} 的报文被重放", "无需处理：该报文未被接受。"),
)
add(
    "carriers.stale-counter",
    en=(
        "Carrier {serial} sent counter {counter}, but {known} was accepted already",
        "Its state was set back or copied; inspect the carrier.",
    ),
    zh=(
        "载体 {serial} 的计数 {counter} 不大于已接受的 {known}",
        "其状态被回退或复制，请检查载体。",
    ),
)
add(
    "carriers.wrong-signature",
    en=("The signature is not that of carrier {serial}", "Nothing to do: it was not accepted."),
    zh=("签名不属于载体 {serial}", "无需处理：该报文未被接受。"),
)
add(
    "carriers.wrong-identifier",
    en=(
        "Carrier {serial} shows identifier “{shown}”, registered is “{registered}”",
        "The identifier in the carrier was tampered with; inspect the carrier.",
    ),
    zh=("载体 {serial} 出示标识“{shown}”，登记为“{registered}”", "载体内标识被篡改，请检查载体。"),
)
add(
    "carriers.certificate-expired",
    en=("The certificate of carrier {serial} is not valid now", "Renew the certificate."),
    zh=("载体 {serial} 的证书不在有效期内", "请更新证书。"),
)
add(
    "carriers.certificate-untrusted",
    en=(
        "The certificate of {serial} was not issued by a trusted authority",
        "Give the carrier a certificate of a configured authority.",
    ),
    zh=("{serial} 的证书不是由受信任机构签发", "请使用已配置机构签发的证书。"),
)
add(
    "carriers.bad-certificate",
    en=("This is no carrier certificate: {fault}", "Give X.509 with P-256, or a compact one."),
    zh=("不是合法的载体证书：{fault}", "请提供 P-256 的 X.509 证书或紧凑证书。"),
)
add(
    "carriers.clock",
    en=("The clock of carrier {serial} is {off_s} s off", "Set the carrier's clock."),
    zh=("载体 {serial} 的时钟偏差 {off_s} 秒", "请校准载体时钟。"),
)
add(
    "carriers.no-session",
    en=("No challenge waits for this message", "Start again with a greeting."),
    zh=("没有等待此报文的质询", "请重新发起问候。"),
)
add(
    "carriers.out-of-turn",
    en=("{kind} is not expected now", "Start again with a greeting."),
    zh=("此时不应出现 {kind}", "请重新发起问候。"),
)
add(
    "carriers.busy",
    en=("Too many carriers are waiting", "Try again in a while."),
    zh=("等待的载体过多", "请稍后重试。"),
)
add(
    "carriers.suspended",
    en=("Carrier {serial} is suspended", "Resume it when it may report again."),
    zh=("载体 {serial} 已暂停", "允许其上报时请恢复。"),
)
add(
    "carriers.quarantined",
    en=(
        "Carrier {serial} is held back because its key seems to be copied",
        "Inspect the carrier, then resume or revoke it.",
    ),
    zh=("载体 {serial} 疑似密钥被复制，已隔离", "请检查载体，然后恢复或吊销。"),
)
add(
    "carriers.revoked",
    en=("Carrier {serial} was revoked", "Provision another carrier."),
    zh=("载体 {serial} 已吊销", "请另行预置载体。"),
)
add(
    "carriers.exists",
    en=("Carrier {serial} was provisioned already", "Use another serial number."),
    zh=("载体 {serial} 已预置", "请使用其他序列号。"),
)
add(
    "carriers.unknown",
    en=("There is no carrier “{name}”", "Give a serial number or identifier from the list."),
    zh=("没有载体“{name}”", "请填写列表中的序列号或标识。"),
)
add(
    "carriers.no-event",
    en=("There is no event {number} with a signed report", "Pick one from the list."),
    zh=("没有带签名报文的事件 {number}", "请从列表中选择。"),
)
add(
    "carriers.no-report",
    en=(
        "There is no signed report {digest}",
        "Take the digest from a reading that is shown now; older reports are not kept for ever.",
    ),
    zh=("没有摘要为 {digest} 的签名报文", "请使用当前读数所示的摘要；较早的报文不会永久保存。"),
)
add(
    "carriers.report-withheld",
    en=(
        "The signed report shows readings that are not public: {readings}",
        "Have an engineer grant them to you (page /names/grants), or look at the other readings.",
    ),
    zh=(
        "签名报文含未公开的读数：{readings}",
        "请由工程师在“/names/grants”页面授权，或查看其他读数。",
    ),
)
add(
    "carriers.not-registered",
    en=("Carrier {serial} has no identifier yet", "Power it on for the first time."),
    zh=("载体 {serial} 尚无标识", "请先首次上电。"),
)
add(
    "carriers.never-reported",
    en=("Carrier {serial} was registered but never reported", "Check its power and its network."),
    zh=("载体 {serial} 已注册但从未上报", "请检查供电与网络。"),
)
add(
    "carriers.not-fresh",
    en=("The last report of {serial} is {age_s} s old", "Check its power and its network."),
    zh=("载体 {serial} 最近一次上报已过去 {age_s} 秒", "请检查供电与网络。"),
)
add(
    "carriers.bad-profile",
    en=("The carrier profile {path}: {fault}", "Provision the carrier anew."),
    zh=("载体配置文件 {path}：{fault}", "请重新预置载体。"),
)
add(
    "carriers.bad-key",
    en=("The sealed key {path}: {fault}", "Give the right sealing secret, or provision anew."),
    zh=("密封密钥 {path}：{fault}", "请提供正确的密封口令，或重新预置。"),
)
add(
    "carriers.platform-untrusted",
    en=("The platform did not prove who it is: {fault}", "Check platform address and certificate."),
    zh=("平台未能证明身份：{fault}", "请检查平台地址与证书。"),
)
add(
    "carriers.refused",
    en=("The platform refused carrier {serial}: {reason}", "See the events of the carrier."),
    zh=("平台拒绝载体 {serial}：{reason}", "请查看该载体的事件。"),
)
add(
    "carriers.unreachable",
    en=("The platform {address} does not answer: {fault}", "Check the network; data is kept."),
    zh=("平台 {address} 无应答：{fault}", "请检查网络；数据已缓存。"),
)
add(
    "carriers.name-taken",
    en=("{name} belongs to another thing", "Provision the carrier with another suffix."),
    zh=("{name} 已属于其他对象", "请以其他后缀预置载体。"),
)
# -- events that are no refusals ------------------------------------------------------------------
add(
    "carriers.left-fence",
    en=(
        "{identifier} works {distance_m} m from its agreed place (allowed {radius_m} m)",
        "Ask the holder; the signed report is the evidence.",
    ),
    zh=("{identifier} 在约定地点外 {distance_m} 米处生产（允许 {radius_m} 米）",
        "请联系保管方；签名报文即为证据。"),
)  # fmt: skip
add(
    "carriers.too-many-readings",
    en=(
        "{serial} sends more than {most} different readings; further names are ignored",
        "Let the carrier send values under names that stay the same.",
    ),
    zh=("载体 {serial} 上报的读数名称超过 {most} 个；多出的名称已忽略",
        "请让载体使用固定的读数名称。"),
)  # fmt: skip
add(
    "carriers.returned",
    en=("{identifier} is back at its agreed place", "Nothing to do."),
    zh=("{identifier} 已回到约定地点", "无需处理。"),
)
add(
    "carriers.registered",
    en=("{identifier} was registered for carrier {serial}", "Nothing to do."),
    zh=("已为载体 {serial} 注册标识 {identifier}", "无需处理。"),
)
add(
    "carriers.written-back",
    en=("Carrier {serial} wrote {identifier} into itself", "Nothing to do."),
    zh=("载体 {serial} 已回写标识 {identifier}", "无需处理。"),
)
add(
    "carriers.order-applied",
    en=("Carrier {serial} applied the parameters of order {number}", "Nothing to do."),
    zh=("载体 {serial} 已按指令 {number} 更新参数", "无需处理。"),
)
add(
    "carriers.order-rejected",
    en=("Carrier {serial} did not apply order {number}: {note}", "Correct the order."),
    zh=("载体 {serial} 未执行指令 {number}：{note}", "请更正指令。"),
)
add(
    "carriers.resumed",
    en=("Carrier {serial} may report again", "Nothing to do."),
    zh=("载体 {serial} 已恢复", "无需处理。"),
)
add(
    "carriers.replaced",
    en=(
        "Carrier {serial} was replaced: another key is believed from now on",
        "Nothing to do: it gets its identifier at its first contact.",
    ),
    zh=("载体 {serial} 已更换，此后以新密钥为准", "无需处理：新载体首次联络时写入原标识。"),
)
add(
    "carriers.renewed",
    en=("The certificate of carrier {serial} was renewed", "Nothing to do."),
    zh=("载体 {serial} 的证书已更新", "无需处理。"),
)
add(
    "carriers.registration-off",
    en=(
        "The application identity {application} is disabled, so carriers are not registered",
        "Enable it in the enterprise node.",
    ),
    zh=("应用身份 {application} 已停用，无法注册载体", "请在企业节点中启用该应用身份。"),
)
add(
    "carriers.prefix-elsewhere",
    en=(
        "Prefix {prefix} is neither this enterprise's own nor hosted here",
        "Provision the carrier under a prefix of this node, or configure the prefix.",
    ),
    zh=(
        "前缀 {prefix} 既不属于本企业，也未在此托管",
        "请使用本节点的前缀预置载体，或先配置该前缀。",
    ),
)
add(
    "carriers.registration-failed",
    en=(
        "{name} could not be registered for carrier {serial}: {reason}",
        "Remove the cause; the carrier tries again at its next contact.",
    ),
    zh=("无法为载体 {serial} 注册标识 {name}：{reason}", "请排除原因；载体将在下次连接时重试。"),
)
add(
    "carriers.bad-oscore-secret",
    en=(
        "The OSCORE secret of carrier {serial} cannot be kept",
        "Give {bytes} random bytes; the platform needs its own sealing key, too.",
    ),
    zh=(
        "无法保存载体 {serial} 的 OSCORE 主密钥",
        "请提供 {bytes} 字节随机数；平台也需要自身的封装密钥。",
    ),
)
add(
    "carriers.wrong-secret",
    en=(
        "Somebody used the OSCORE identity of carrier {serial} without its secret",
        "Nothing to do: it was not accepted. If it is the carrier itself, personalise it anew.",
    ),
    zh=(
        "有人使用了载体 {serial} 的 OSCORE 身份，但没有其主密钥",
        "无需处理：未被接受。若确为该载体，请重新预置。",
    ),
)
add(
    "carriers.name-gone",
    en=(
        "The identifier of carrier {serial} was taken out of resolution",
        "Register it again in the enterprise or second-level node, or give the carrier another.",
    ),
    zh=(
        "载体 {serial} 的标识已不可解析",
        "请在企业节点或二级节点重新注册该标识，或为载体变更标识。",
    ),
)
add(
    "carriers.bad-address",
    en=(
        "{address} is no address of a platform",
        "Write https://HOST:PORT, mqtts://HOST:PORT, mqtt://HOST:PORT or coap://HOST:PORT.",
    ),
    zh=(
        "{address} 不是平台地址",
        "请写成 https://主机:端口、mqtts://主机:端口、mqtt://主机:端口 或 coap://主机:端口。",
    ),
)
add(
    "carriers.no-coap",
    en=(
        "The CoAP bearer needs the library aiocoap with OSCORE",
        "Install it: pip install 'mingwu[carriers]'.",
    ),
    zh=("CoAP 承载需要带 OSCORE 的 aiocoap 库", "请安装：pip install 'mingwu[carriers]'。"),
)
add(
    "carriers.bad-key-handle",
    en=(
        "The key handle {handle} cannot be used: {fault}",
        "Write pkcs11:token=…;object=…?module-path=…&pin-source=file:… (RFC 7512).",
    ),
    zh=(
        "密钥句柄 {handle} 不可用：{fault}",
        "请写成 pkcs11:token=…;object=…?module-path=…&pin-source=file:…（RFC 7512）。",
    ),
)
add(
    "carriers.no-pkcs11",
    en=(
        "Keys in tokens need the library python-pkcs11",
        "Install it: pip install 'mingwu[carriers]'.",
    ),
    zh=("使用令牌中的密钥需要 python-pkcs11 库", "请安装：pip install 'mingwu[carriers]'。"),
)
add(
    "carriers.token-module",
    en=(
        "The PKCS#11 module {module} cannot be loaded: {fault}",
        "Install the token's library (softhsm2, libtpm2-pkcs11-1 …) or correct the path.",
    ),
    zh=(
        "无法加载 PKCS#11 模块 {module}：{fault}",
        "请安装令牌的驱动库（softhsm2、libtpm2-pkcs11-1 等）或更正路径。",
    ),
)
add(
    "carriers.token-missing",
    en=(
        "There is no token “{token}” behind {module}",
        "Plug it in, or initialise one with this label and a user PIN.",
    ),
    zh=("{module} 中没有令牌“{token}”", "请插入令牌，或以此标签初始化令牌并设置用户口令。"),
)
add(
    "carriers.token-pin",
    en=(
        "The PIN ({path}) does not open the token: {fault}",
        "Put the user PIN into the file that pin-source names, mode 600; mind the retry counter.",
    ),
    zh=(
        "口令（{path}）无法打开令牌：{fault}",
        "请将用户口令写入 pin-source 所指文件（权限 600），注意重试次数限制。",
    ),
)
add(
    "carriers.token-key",
    en=(
        "Key “{key}” in token “{token}”: {fault}",
        "Provision the carrier anew; the key must be made in the token and stay there.",
    ),
    zh=(
        "令牌“{token}”中的密钥“{key}”：{fault}",
        "请重新预置载体；密钥必须在令牌内生成且不可导出。",
    ),
)
add(
    "carriers.token-failed",
    en=(
        "Token “{token}” does not sign: {fault}",
        "Check the token and its service; data is kept.",
    ),
    zh=("令牌“{token}”无法签名：{fault}", "请检查令牌及其服务；数据已缓存。"),
)
add(
    "carriers.key-mismatch",
    en=(
        "The key of carrier {serial} is not what its profile says: {fault}",
        "Provision the carrier anew.",
    ),
    zh=("载体 {serial} 的密钥与配置文件不符：{fault}", "请重新预置载体。"),
)
add(
    "carriers.protection-differs",
    en=(
        "Carrier {serial} says that its key lives in {shown}, certified is {certified}",
        "Inspect the carrier: its software is not what left the factory.",
    ),
    zh=(
        "载体 {serial} 声称密钥存于 {shown}，证书记载为 {certified}",
        "请检查载体：其软件与出厂时不一致。",
    ),
)
