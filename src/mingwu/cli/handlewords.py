"""What ``mingwu handle`` says, in English and Chinese: results, next steps."""

from mingwu.cli.language import language

_TEXTS = {
    "created": ("{name} is registered", "标识 {name} 已注册"),
    "added": ("{name}: values {what} are added", "标识 {name}：已添加值 {what}"),
    "modified": ("{name}: values {what} are changed", "标识 {name}：已变更值 {what}"),
    "removed": ("{name}: values {what} are removed", "标识 {name}：已删除值 {what}"),
    "deleted": ("{name} is deregistered", "标识 {name} 已注销"),
    "homed": ("{server} is responsible for {name} now", "{server} 现在负责前缀 {name}"),
    "unhomed": ("{server} is no longer responsible for {name}", "{server} 不再负责前缀 {name}"),
    "logged-in": (
        "{server} accepts {who}; the session lasts as long as the connection",
        "{server} 已确认身份 {who}；会话与连接同时结束",
    ),
    "listed": ("{count} names under {name}", "前缀 {name} 下共 {count} 个标识"),
    "prefixes": ("{count} prefixes at {server}", "{server} 共负责 {count} 个前缀"),
    "dry": (
        "Nothing was sent. This would go to {server} as {who}:",
        "未发送任何内容。以下内容将以 {who} 的身份发往 {server}：",
    ),
    "identity": ("an identity is needed: give --as with --key or --secret-file",
                 "需要身份认证：请用 --as 并给出 --key 或 --secret-file"),
    "nobody": ("(nobody: give --as)", "（未指定身份：请用 --as）"),
    "key-made": (
        "The private key is in {file} (only you can read it). Value to store:",
        "私钥保存在 {file}（仅您可读）。需要登记的值：",
    ),
    "installed": (
        "{who} is stored; its private key is in {file}",
        "已登记 {who}；私钥保存在 {file}",
    ),
    "next-use": (
        "mingwu handle create … --as {who} --key {file}",
        "mingwu handle create … --as {who} --key {file}",
    ),
    "next-look": (
        "look: mingwu resolve {name} --server {server}",
        "查看：mingwu resolve {name} --server {server}",
    ),
    "next-admin": (
        "it has no HS_ADMIN value: only the node's own administrators can change it (see --admin)",
        "该标识没有 HS_ADMIN 值：只有节点管理员可以变更（参见 --admin）",
    ),
    "next-create": (
        "its prefix record: mingwu handle create 0.NA/{name} … --server {server}",
        "登记前缀记录：mingwu handle create 0.NA/{name} … --server {server}",
    ),
    "next-store": (
        "mingwu handle add HANDLE --file VALUE.json --as …, then --as {index}:HANDLE --key {file}",
        "mingwu handle add HANDLE --file VALUE.json --as …，之后 --as {index}:HANDLE --key {file}",
    ),
    "next-send": ("send it: the same command without --dry-run", "发送：去掉 --dry-run 重新执行"),
    "not-verified": (
        "Encrypted, but the key of {server} is not verified (use a --root with keys)",
        "会话已加密，但 {server} 的密钥未经验证（请使用带密钥的 --root）",
    ),
    "ask-secret": ("Secret of {who}: ", "{who} 的密钥："),
    "ask-passphrase": ("Passphrase of {file}: ", "{file} 的口令："),
}  # fmt: skip


def say(key: str, **fields: object) -> str:
    """A sentence in the terminal's language."""
    return _TEXTS[key][language() == "zh"].format(**fields)


def next_step(key: str, **fields: object) -> None:
    """Print what to do next."""
    print("  → " + say(key, **fields))
