"""What others' libraries and the operating system say of a fault, in both languages.

:func:`told` makes the phrase that fills a placeholder. A sentence that is not known here stays as
it was said; the Chinese of system errors stands beside what the C library says in English.
"""

import errno
import re

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import MingwuError

_SENTENCES = tuple(
    (re.compile(pattern), zh)
    for pattern, zh in (
        (r"Expected `(.+?)`, got `(.+?)`", r"应为 `\1`，实为 `\2`"),
        (r"Expected `(.+?)` of length (.+?), got (.+)", r"`\1` 的长度应为 \2，实为 \3"),
        (r"Expected `(.+?)` of length (<=|>=) (.+)", r"`\1` 的长度应 \2 \3"),
        (r"Expected `(.+?)` matching regex (.+)", r"`\1` 不符合规则 \2"),
        (r"Expected `(.+?)` (<=|>=|<|>) (.+)", r"`\1` 应 \2 \3"),
        (r"Expected `(.+)`", r"应为 `\1`"),
        (r"Object missing required field `(.+)`", r"缺少字段 `\1`"),
        (r"Object contains unknown field `(.+)`", r"未知字段 `\1`"),
        (r"Invalid enum value (.+)", r"不允许的值 \1"),
        (r"Invalid value (.+)", r"不允许的值 \1"),
        (r"'?(.+?)'? is not a valid .+", r"不允许的值 \1"),
        (r"JSON is malformed: .*?(\(byte (\d+)\))?", r"JSON 格式错误 \1"),
        (r"Input data was truncated", "数据不完整"),
        (r"Integer value out of range|Number out of range", "数值超出范围"),
        (r"maximum recursion depth exceeded.*", "嵌套过深"),
        (r"Invalid UTF-8.*|.*codec can't decode.*|str is not valid UTF-8.*", "不是 UTF-8 文本"),
        (r"Unable to load PEM file.*", "不是 PEM 格式的密钥"),
        (r"Could not deserialize key data.*", "无法解析密钥数据"),
        (r".*Name or service not known.*", "找不到该主机名"),
        (r".*Temporary failure in name resolution.*", "暂时无法解析主机名"),
    )
)
"""Sentences of libraries, and the same in Chinese."""

_MOST_CHARS = 500  # of a sentence of somebody else
_SYSTEM = {
    errno.EPERM: "不允许的操作",
    errno.ENOENT: "没有该文件或目录",
    errno.EIO: "输入输出错误",
    errno.EACCES: "没有权限",
    errno.EBUSY: "设备或资源正忙",
    errno.EEXIST: "文件已存在",
    errno.ENOTDIR: "不是目录",
    errno.EISDIR: "是目录，不是文件",
    errno.EINVAL: "参数无效",
    errno.EMFILE: "打开的文件过多",
    errno.ENOSPC: "磁盘空间不足",
    errno.EROFS: "文件系统只读",
    errno.EPIPE: "连接已断开",
    errno.ENAMETOOLONG: "文件名过长",
    errno.EADDRINUSE: "地址已被占用",
    errno.EADDRNOTAVAIL: "本机没有该地址",
    errno.ENETUNREACH: "网络不可达",
    errno.EHOSTUNREACH: "主机不可达",
    errno.ECONNREFUSED: "连接被拒绝",
    errno.ECONNRESET: "连接被对端重置",
    errno.ECONNABORTED: "连接已中止",
    errno.ETIMEDOUT: "连接超时",
}


def told(error: object) -> Phrase:
    """A fault in both languages; a sentence not known here stays as it is."""
    if isinstance(error, MingwuError):
        return Phrase(error.text("en"), error.text("zh"))
    if isinstance(error, OSError) and "SSL" not in type(error).__name__:  # OpenSSL has own numbers
        zh = _SYSTEM.get(error.errno or 0)
        if zh is not None:
            return Phrase(error.strerror or str(error), zh)
    if isinstance(error, TimeoutError) and not str(error):
        return Phrase("no answer in time", "超时未应答")
    said = (str(error) or type(error).__name__)[:_MOST_CHARS]
    what, at, where = said.partition(" - at `")
    for pattern, zh in _SENTENCES:
        found = pattern.fullmatch(what)
        if found:
            place = f"（`{where}）" if at else ""
            return Phrase(said, found.expand(zh).rstrip() + place)
    return Phrase(said, said)
