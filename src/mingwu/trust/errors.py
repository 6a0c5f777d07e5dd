"""Error codes of trust."""

from mingwu.kernel.catalogue import add

add(
    "trust.bad-credentials",
    en=("The name or the password is wrong", "Try again; after several failures there is a pause."),
    zh=("用户名或密码错误", "请重试；多次失败后需等待一段时间。"),
)
add(
    "trust.locked",
    en=("Too many failed logins; wait {wait_s} s", "Wait, then try again with care."),
    zh=("登录失败次数过多，请等待 {wait_s} 秒", "请稍候再试。"),
)
add(
    "trust.no-session",
    en=("You are not logged in, or the session has ended", "Log in again."),
    zh=("尚未登录或会话已结束", "请重新登录。"),
)
add(
    "trust.no-permission",
    en=(
        "Role “{role}” may not do this ({permission} is needed)",
        "Ask an administrator for a role that may.",
    ),
    zh=("角色“{role}”无此权限（需要 {permission}）", "请向管理员申请具有该权限的角色。"),
)
add(
    "trust.csrf",
    en=("The request did not come from a page of this session", "Reload the page and repeat."),
    zh=("请求不是由本会话的页面发出", "请刷新页面后重试。"),
)
add(
    "trust.weak-password",
    en=("The password is too weak: {fault}", "Choose a longer one, e.g. four unrelated words."),
    zh=("密码强度不足：{fault}", "请使用更长的密码，例如四个不相关的词。"),
)
add(
    "trust.account-exists",
    en=("There is an account “{name}” already", "Choose another name."),
    zh=("账号“{name}”已存在", "请换一个名称。"),
)
add(
    "trust.no-account",
    en=("There is no account “{name}”", "Check the spelling."),
    zh=("没有账号“{name}”", "请核对拼写。"),
)
add(
    "trust.bad-name",
    en=(
        "“{name}” is not an account name",
        "Use 1 to 64 letters, digits, dots, dashes or underscores.",
    ),
    zh=("“{name}”不是合法账号名", "请使用 1 至 64 个字母、数字、点、短横线或下划线。"),
)
add(
    "trust.last-admin",
    en=("“{name}” is the last administrator", "Make somebody else an administrator first."),
    zh=("“{name}”是最后一名管理员", "请先指定另一名管理员。"),
)
add(
    "trust.bad-secret",
    en=("Secret file {path}: {fault}", "Restore it from a backup, or remove it to make a new one."),
    zh=("密钥文件 {path}：{fault}", "请从备份恢复，或删除后重新生成。"),
)
add(
    "trust.bad-key",
    en=(
        "This is not a usable key: {fault}",
        "Give a PEM file with a P-256, RSA, Ed25519 or SM2 key.",
    ),
    zh=("不是可用的密钥：{fault}", "请提供含 P-256、RSA、Ed25519 或 SM2 密钥的 PEM 文件。"),
)
add(
    "trust.no-sm2",
    en=(
        "No SM2 implementation was found",
        "Install OpenSSL 3 (libcrypto.so.3), or the Python package gmssl-pyx.",
    ),
    zh=("未找到 SM2 实现", "请安装 OpenSSL 3（libcrypto.so.3）或 Python 包 gmssl-pyx。"),
)
add(
    "trust.unknown-session",
    en=("There is no session or token “{id}”", "List them again; it may have ended."),
    zh=("没有会话或令牌“{id}”", "请重新列出；它可能已结束。"),
)
