"""Error codes of the enterprise node, with their texts; faults of single items use them too."""

from collections.abc import Mapping

import msgspec

from mingwu.kernel.catalogue import add, render


class Fault(msgspec.Struct, frozen=True):
    """Why one item of a batch was refused: a catalogue code and what fills its text."""

    code: str
    params: Mapping[str, object] = {}

    def text(self, lang: str = "en") -> str:
        """The fault as a sentence in ``lang``."""
        return render(self.code, lang, self.params)[0]

    def next_step(self, lang: str = "en") -> str:
        """What the reader can do about it."""
        return render(self.code, lang, self.params)[1]


add(
    "enterprise.bad-name",
    en=("“{name}” cannot be registered: {fault}", "Write PREFIX/SUFFIX, at most 255 characters."),
    zh=("“{name}”不能注册：{fault}", "请写成 前缀/后缀，总长不超过 255 个字符。"),
)
add(
    "enterprise.foreign-prefix",
    en=("{name} does not belong to this enterprise", "Use one of its prefixes: {prefixes}."),
    zh=("{name} 非本企业标识", "请使用本企业前缀：{prefixes}。"),
)
add(
    "enterprise.name-taken",
    en=("{name} exists already", "Change it instead, or use another name."),
    zh=("标识 {name} 已存在", "请改为变更该标识，或使用其他名称。"),
)
add(
    "enterprise.name-twice",
    en=("{name} stands twice in this call", "Send each name once."),
    zh=("标识 {name} 在本次调用中重复", "每个标识只提交一次。"),
)
add(
    "enterprise.name-unknown",
    en=("{name} does not exist", "Check the spelling, or register it first."),
    zh=("标识 {name} 不存在", "请核对拼写，或先注册。"),
)
add(
    "enterprise.not-allowed",
    en=("{name} is {state}: “{action}” is not possible", "Possible now: {possible}."),
    zh=("标识 {name} 的状态为“{state}”，不能{action}", "当前可执行：{possible}。"),
)
add(
    "enterprise.changed-meanwhile",
    en=("{name} was changed meanwhile (version {found})", "Read it again and repeat the change."),
    zh=("标识 {name} 已被他人变更（版本 {found}）", "请重新读取后再变更。"),
)
add(
    "enterprise.value-missing",
    en=("Item “{item}” is required", "Give it a value."),
    zh=("属性“{item}”为必填项", "请填写该属性。"),
)
add(
    "enterprise.value-unknown",
    en=("Item “{item}” (index {index}) is not in the template", "See the template's items."),
    zh=("非法操作，属性“{item}”（索引 {index}）在模板中不存在", "请查看数据模板的属性列表。"),
)
add(
    "enterprise.value-bad",
    en=("Item “{item}”: {fault}", "Correct the value as the template asks."),
    zh=("属性“{item}”的值不符合数据模板：{fault}", "请按数据模板要求改正。"),
)
add(
    "enterprise.value-taken",
    en=("Item “{item}” must be unique; “{value}” belongs to {name}", "Use another value."),
    zh=("属性“{item}”要求唯一，值“{value}”已属于 {name}", "请使用其他值。"),
)
add(
    "enterprise.template-unknown",
    en=("There is no template {template}", "See the list of templates."),
    zh=("数据模板 {template} 不存在", "请查看数据模板列表。"),
)
add(
    "enterprise.template-taken",
    en=("Template {template} exists already", "Use another version."),
    zh=("数据模板 {template} 已存在", "请使用其他版本号。"),
)
add(
    "enterprise.template-unpublished",
    en=("Template {template} is not published", "Publish it first."),
    zh=("数据模板 {template} 未发布", "请先发布该模板。"),
)
add(
    "enterprise.template-bad",
    en=("Template {template}: {fault}", "Correct the template and send it again."),
    zh=("数据模板 {template} 有误：{fault}", "请改正模板后重新提交。"),
)
add(
    "enterprise.template-changed",
    en=(
        "Template {template} was changed by {actor}: revision {found}, your change is of {base}",
        "Look at that revision, then repeat your change on it.",
    ),
    zh=(
        "数据模板 {template} 已被 {actor} 修改为修订 {found}，您的修改基于修订 {base}",
        "请先查看该修订，再在其基础上修改。",
    ),
)
add(
    "enterprise.revision-unknown",
    en=("Template {template} has no revision {revision}", "Its latest one is {latest}."),
    zh=("数据模板 {template} 没有修订 {revision}", "最新修订为 {latest}。"),
)
add(
    "enterprise.template-file",
    en=("This is no template file: {fault}", "Export one to see the form, or correct the file."),
    zh=("不是数据模板文件：{fault}", "可先导出一个模板查看格式，或改正该文件。"),
)
add(
    "enterprise.template-in-use",
    en=("Template {template} cannot be deleted: {fault}", "Withdraw it instead."),
    zh=("数据模板 {template} 不能删除：{fault}", "可改为撤回发布。"),
)
add(
    "enterprise.batch-too-large",
    en=("{count} items in one call, at most {limit}", "Send them in several calls."),
    zh=("单次提交 {count} 条，最多 {limit} 条", "请分批提交。"),
)
add(
    "enterprise.industry-bad",
    en=("Industry code {code} does not fit GB/T 4754: {fault}", "Choose it from the list."),
    zh=("行业代码 {code} 不符合 GB/T 4754：{fault}", "请从列表中选择。"),
)
add(
    "enterprise.facade-path",
    en=(
        "This interface has nothing at {path} ({method})",
        "Check the path against the interface's documents, letters and version, too.",
    ),
    zh=("本接口没有 {path}（{method}）", "请对照接口文档核对路径，包括大小写与版本号。"),
)
add(
    "enterprise.facade-method",
    en=("{path} does not take {method}", "Use a method that the header Allow names."),
    zh=("{path} 不支持 {method}", "请改用首部 Allow 中列出的方法。"),
)
add(
    "enterprise.no-access",
    en=("{who} may not {right} {name}", "Ask the owner for a grant."),
    zh=("{who} 对 {name} 没有“{right}”权限", "请向标识所有者申请授权。"),
)
add(
    "enterprise.group-unknown",
    en=("There is no identity group {group}", "Create the group first."),
    zh=("身份组 {group} 不存在", "请先建立身份组。"),
)
add(
    "enterprise.application-unknown",
    en=("{handle} is not an application identity of this node", "Create it first."),
    zh=("{handle} 不是本节点的应用身份", "请先建立应用身份。"),
)
add(
    "enterprise.application-taken",
    en=("Application identity {handle} exists already", "Change it, or use another name."),
    zh=("应用身份 {handle} 已存在", "请变更或使用其他名称。"),
)
add(
    "enterprise.bad-key",
    en=(
        "The key of {handle} cannot be used: {fault}",
        "Give an RSA public key (2048 bits) as PEM.",
    ),
    zh=("{handle} 的密钥不可用：{fault}", "请提供 PEM 格式的 RSA 公钥（2048 位）。"),
)
add(
    "enterprise.bad-credentials",
    en=("Wrong user name or password", "Try again; after several failures wait a minute."),
    zh=("用户名/密码错误！", "请重试；多次失败后需等待一分钟。"),
)
add(
    "enterprise.login-needed",
    en=("Not logged in", "Get a token first and send it as “Authorization: Bearer …”."),
    zh=("没有登录，需要验证", "请先获取令牌，并以 Authorization: Bearer 方式提交。"),
)
add(
    "enterprise.import-bad",
    en=("The file cannot be imported: {fault}", "Correct the file or the mapping."),
    zh=("文件不能导入：{fault}", "请改正文件或映射。"),
)
add(
    "enterprise.mapping-unknown",
    en=("There is no import mapping {mapping}", "Store the mapping first."),
    zh=("导入映射 {mapping} 不存在", "请先保存映射。"),
)
add(
    "enterprise.source-unknown",
    en=("There is no import source {source}", "Name it in the node's configuration."),
    zh=("导入数据源 {source} 不存在", "请在节点配置中声明该数据源。"),
)
add(
    "enterprise.source-failed",
    en=("Import source {source} does not answer: {fault}", "Check its address and the query."),
    zh=("导入数据源 {source} 无法读取：{fault}", "请检查其地址和查询语句。"),
)
