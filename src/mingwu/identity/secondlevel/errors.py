"""Error codes of the second-level node, with their texts."""

from mingwu.kernel.catalogue import add

add(
    "secondlevel.application-bad",
    en=("The application is incomplete: {faults}", "Correct what is named and submit again."),
    zh=("申请材料不完整或有误：{faults}", "请改正所列内容后重新提交。"),
)
add(
    "secondlevel.application-unknown",
    en=("There is no application {id}", "See the review queue."),
    zh=("申请 {id} 不存在", "请查看审核队列。"),
)
add(
    "secondlevel.application-state",
    en=("Application {id} is {state}: “{action}” is not possible", "Reload the queue."),
    zh=("申请 {id} 的状态为“{state}”，不能{action}", "请刷新审核队列。"),
)
add(
    "secondlevel.message-unknown",
    en=("No refused message has the number {number}", "Reload the list of messages."),
    zh=("没有编号为 {number} 的被拒消息", "请刷新消息列表。"),
)
add(
    "secondlevel.reason-missing",
    en=("Returning or rejecting needs a reason", "Say what the applicant must correct."),
    zh=("退回或驳回必须说明原因", "请写明申请方需改正的内容。"),
)
add(
    "secondlevel.prefix-bad",
    en=("{prefix} cannot be given: {fault}", "Choose a number under {node}."),
    zh=("前缀 {prefix} 不能分配：{fault}", "请在 {node} 下选择编号。"),
)
add(
    "secondlevel.prefix-taken",
    en=("{prefix} is taken or applied for already", "Choose another number."),
    zh=("前缀 {prefix} 已被分配或正在申请", "请选择其他编号。"),
)
add(
    "secondlevel.handover-open",
    en=(
        "{prefix} is being passed on: the top-level node has not decided yet",
        "Wait for its decision; it shows in the application.",
    ),
    zh=("前缀 {prefix} 正在转让，国家顶级节点尚未决定", "请等待其决定，结果见申请记录。"),
)
add(
    "secondlevel.prefix-unknown",
    en=("{prefix} is not a prefix of this node", "See the list of prefixes."),
    zh=("前缀 {prefix} 不属于本节点", "请查看前缀列表。"),
)
add(
    "secondlevel.tenant-unknown",
    en=("No enterprise {uscc} is known here", "Submit a prefix application first."),
    zh=("本节点没有企业 {uscc}", "请先提交前缀申请。"),
)
add(
    "secondlevel.daily-limit",
    en=("{prefix} has used its {limit} requests of today", "Ask the node for a larger quota."),
    zh=("前缀 {prefix} 已用完今日 {limit} 次请求", "请向节点申请扩大配额。"),
)
add(
    "secondlevel.register-limit",
    en=("{prefix} may hold {limit} identifiers; {used} are registered", "Ask for a larger quota."),
    zh=("前缀 {prefix} 最多注册 {limit} 个标识，已注册 {used} 个", "请申请扩大配额。"),
)
add(
    "secondlevel.prefix-limit",
    en=("{uscc} may hold {limit} prefixes", "Give one back, or ask for a larger quota."),
    zh=("企业 {uscc} 最多持有 {limit} 个前缀", "请先退出一个前缀，或申请扩大配额。"),
)
add(
    "secondlevel.not-granted",
    en=("Group “{group}” may not {permission}", "Ask the node's operator for another group."),
    zh=("权限组“{group}”不允许{permission}", "请向节点运营者申请其他权限组。"),
)
add(
    "secondlevel.name-bad",
    en=("{name} cannot be registered: {fault}", "Follow the code rule of the industry."),
    zh=("标识 {name} 不能注册：{fault}", "请遵循本行业编码规则。"),
)
add(
    "secondlevel.upstream-refused",
    en=("The top-level node refused {what}: {detail}", "See the outbox; correct and send again."),
    zh=("国家顶级节点拒绝了 {what}：{detail}", "请查看发件箱，改正后重发。"),
)
add(
    "secondlevel.upstream-down",
    en=("The top-level node does not answer: {detail}", "Nothing is lost; it is tried again."),
    zh=("国家顶级节点没有应答：{detail}", "数据不会丢失，系统将自动重试。"),
)
add(
    "secondlevel.escrow-bad",
    en=("The escrow deposit cannot be used: {fault}", "Make a FULL deposit and send it again."),
    zh=("托管数据无法使用：{fault}", "请重新生成 FULL 托管数据并发送。"),
)
add(
    "secondlevel.pattern-bad",
    en=("“{pattern}” is not searched for", "Put one asterisk at the end of the text: 88.101.1/A*."),
    zh=("不支持检索模式“{pattern}”", "请只在文本末尾使用一个星号，例如 88.101.1/A*。"),
)
add(
    "secondlevel.pages-for-accounts",
    en=("Further pages and counts are for accounts", "Narrow the search, or send an access token."),
    zh=("翻页和计数仅对登录账户开放", "请缩小检索范围，或携带访问令牌。"),
)
add(
    "secondlevel.asked-too-often",
    en=("More than {limit} questions a minute", "Ask again in {wait_s} s."),
    zh=("每分钟查询超过 {limit} 次", "请在 {wait_s} 秒后重试。"),
)
add(
    "secondlevel.path-bad",
    en=("{path} is not a question of this service", "See {help} for those it answers."),
    zh=("本服务没有查询 {path}", "可用的查询见 {help}。"),
)
add(
    "secondlevel.kind-not-offered",
    en=("Objects of kind “{kind}” are not kept here", "See {help} for those that are."),
    zh=("本服务不提供“{kind}”类对象", "可用的查询见 {help}。"),
)
add(
    "secondlevel.reading-only",
    en=(
        "{method} is not possible here",
        "Ask with GET or HEAD; register through /api/secondlevel.",
    ),
    zh=("此处不支持 {method}", "请使用 GET 或 HEAD；注册请用 /api/secondlevel。"),
)
add(
    "secondlevel.authority-unknown",
    en=("{source} names no service for {prefix}", "Name it with --server, or another bootstrap."),
    zh=("{source} 未指明负责 {prefix} 的服务", "请用 --server 指定，或换用其他引导文件。"),
)
add(
    "secondlevel.service-silent",
    en=("{url} does not answer: {detail}", "Check the address and the network; try again."),
    zh=("{url} 没有应答：{detail}", "请检查地址和网络后重试。"),
)
add(
    "secondlevel.service-said",
    en=("{url}: {detail}", "Correct the question; `help` shows what is offered."),
    zh=("{url}：{detail}", "请改正查询；可用 help 查看服务提供的查询。"),
)
add(
    "secondlevel.link-unknown",
    en=("How the node of {prefix} is asked was not known", "See the list of links."),
    zh=("没有前缀 {prefix} 的节点接入配置", "请查看接入列表。"),
)
add(
    "secondlevel.node-unlinked",
    en=(
        "The holder of {prefix} gave this node no access to its data",
        "It needs this node's public key for an application identity; then link the node with it.",
    ),
    zh=(
        "前缀 {prefix} 的企业尚未向本节点开放数据",
        "请将本节点公钥发给该企业，由其创建应用身份并告知接口地址，再据此接入该节点。",
    ),
)
add(
    "secondlevel.node-refused",
    en=("The node of {prefix} refused: {detail}", "Ask the enterprise for access and grants."),
    zh=("前缀 {prefix} 的企业节点拒绝：{detail}", "请向该企业申请应用身份和授权。"),
)
add(
    "secondlevel.node-silent",
    en=("The node of {prefix} does not answer: {detail}", "Ask again later; see its state."),
    zh=("前缀 {prefix} 的企业节点没有应答：{detail}", "请稍后重试，并查看节点状态。"),
)
add(
    "secondlevel.node-bad",
    en=("The node of {prefix} answered wrongly: {detail}", "Tell the enterprise; see its version."),
    zh=("前缀 {prefix} 的企业节点应答有误：{detail}", "请联系该企业检查节点。"),
)
add(
    "secondlevel.xml-bad",
    en=("The XML document cannot be read: {fault}", "Send a well-formed document without DTD."),
    zh=("XML 文档无法读取：{fault}", "请发送格式正确且不含 DTD 的文档。"),
)
add(
    "secondlevel.key-wrong",
    en=("The key is wrong, or it was ended", "Ask the node's operator for a key."),
    zh=("密钥错误或已停用", "请向节点运营方申领密钥。"),
)
add(
    "secondlevel.key-unknown",
    en=("There is no key {id}", "See the enterprise's keys."),
    zh=("密钥 {id} 不存在", "请查看该企业的密钥列表。"),
)
add(
    "secondlevel.many-keys",
    en=("{uscc} has {limit} keys already", "End those that are not used any more."),
    zh=("企业 {uscc} 已有 {limit} 个密钥", "请先停用不再使用的密钥。"),
)
add(
    "secondlevel.event-unknown",
    en=("No open maintenance or emergency has the number {number}", "Reload the events."),
    zh=("没有编号为 {number} 且未结束的维护或应急事件", "请刷新事件列表。"),
)
add(
    "secondlevel.software-unknown",
    en=("There is no application {id}", "See the list of applications."),
    zh=("应用 {id} 不存在", "请查看应用列表。"),
)
