"""What a Handle server's refusal means, in English and Chinese, and what to do about it.

``refused`` makes PeerError ``identity.refused`` of a reply's code. The server's own words follow in
brackets where they say more than ours; they are shown as sent, in whatever language it writes.
"""

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.codes import Rc

_LOOK = Phrase(
    "Look at the name first: mingwu resolve {name}.", "请先查看该标识：mingwu resolve {name}。"
)
_ASK = Phrase(
    "Ask an administrator of the prefix, or use another identity (--as).",
    "请联系该前缀的管理员，或换用其他身份（--as）。",
)
_PROVE = Phrase(
    "Give --as INDEX:HANDLE with --key or --secret-file.",
    "请用 --as 索引:标识 并给出 --key 或 --secret-file。",
)
_LOGIN = Phrase("Add --login key or --login password.", "请加上 --login key 或 --login password。")
_LIMIT = Phrase(
    "Try again tomorrow, or ask the operator of the server for more.",
    "请次日再试，或请服务器运营方提高额度。",
)
_OTHERWISE = Phrase(
    "Try again later; if it stays so, tell the operator of the server this code.",
    "请稍后再试；仍然如此时，请把此代码告知服务器运营方。",
)
_SPELLING = Phrase(
    "Check the spelling, or list the names: mingwu handle list PREFIX.",
    "请核对拼写，或列出标识：mingwu handle list 前缀。",
)
_FOLLOW = Phrase(
    "Ask the server of that prefix, or begin at a root (--root).",
    "请向负责该前缀的服务器查询，或从根开始（--root）。",
)
_CORRECT = Phrase("Correct the value and send it again.", "请改正该值后重新发送。")

_MEANINGS: dict[int, tuple[Phrase, Phrase]] = {
    Rc.TOO_BUSY: (Phrase("the server is too busy", "服务器繁忙"), _OTHERWISE),
    Rc.PROTOCOL_ERROR: (Phrase("it cannot read the request", "服务器无法理解请求"), _OTHERWISE),
    Rc.NOT_SUPPORTED: (Phrase("it offers no such operation", "服务器不支持该操作"), _OTHERWISE),
    Rc.RECURSION_TOO_HIGH: (
        Phrase("its aliases or referrals go in a circle", "别名或转引成环"), _LOOK),
    Rc.READ_ONLY: (
        Phrase("this server takes no changes", "该服务器不接受变更"),
        Phrase("Send the change to the primary site of the prefix (--root finds it).",
               "请把变更发往该前缀的主站点（--root 可以找到）。")),
    Rc.HANDLE_NOT_FOUND: (Phrase("no such name", "标识不存在"), _SPELLING),
    Rc.HANDLE_EXISTS: (
        Phrase("the name is registered already", "标识已注册"),
        Phrase("Change it (mingwu handle add, modify), or choose another name.",
               "请变更它（mingwu handle add、modify），或改用其他标识。")),
    Rc.INVALID_HANDLE: (
        Phrase("the name cannot be registered", "标识不合规，无法注册"),
        Phrase("Write it as PREFIX/SUFFIX, at most 255 characters, no control characters.",
               "请写成 前缀/后缀，至多 255 个字符，不含控制字符。")),
    Rc.VALUES_NOT_FOUND: (Phrase("no such value", "没有所指的值"), _LOOK),
    Rc.VALUE_EXISTS: (
        Phrase("a value with this index exists", "该索引的值已存在"),
        Phrase("Take another index, or replace the value (mingwu handle modify).",
               "请换一个索引，或替换该值（mingwu handle modify）。")),
    Rc.INVALID_VALUE: (Phrase("a value is not acceptable", "值不可接受"), _CORRECT),
    Rc.NOT_RESPONSIBLE: (
        Phrase("this server does not serve the prefix", "该服务器不负责此前缀"), _FOLLOW),
    Rc.SERVICE_REFERRAL: (Phrase("another server has the name", "该标识在另一台服务器"), _FOLLOW),
    Rc.PREFIX_REFERRAL: (Phrase("another server has the prefix", "该前缀在另一台服务器"), _FOLLOW),
    Rc.INVALID_ADMIN: (
        Phrase("this key does not administer the name", "该密钥不是此标识的管理者"), _ASK),
    Rc.NO_PERMISSION: (Phrase("this key lacks the right", "该密钥没有此项权限"), _ASK),
    Rc.AUTHENTICATION_NEEDED: (Phrase("an identity is needed", "需要身份认证"), _PROVE),
    Rc.AUTHENTICATION_FAILED: (
        Phrase("the proof of identity does not hold", "身份证明不成立"),
        Phrase("Check that --key or --secret-file belongs to the identity given with --as.",
               "请核对 --key 或 --secret-file 与 --as 所指身份是否相符。")),
    Rc.IDIS_LOGIN_AGAIN: (Phrase("log in again", "请重新登录"), _LOGIN),
    Rc.IDIS_LOGIN_FIRST: (Phrase("log in first", "请先登录"), _LOGIN),
    Rc.IDIS_DAILY_LIMIT: (
        Phrase("the daily limit of requests is used up", "当日请求次数已达上限"), _LIMIT),
    Rc.IDIS_REGISTER_LIMIT: (
        Phrase("the limit of registrations is used up", "注册数量已达上限"), _LIMIT),
    Rc.IDIS_PREFIX_LIMIT: (Phrase("the limit of prefixes is used up", "前缀数量已达上限"), _LIMIT),
}  # fmt: skip


def refused(server: str, rc: int, name: str, told: str = "") -> PeerError:
    """The error for a reply with code ``rc``; ``told`` is what the server wrote beside it."""
    meaning, step = _MEANINGS.get(rc, (Phrase("", ""), _OTHERWISE))
    detail = meaning
    if told and told.casefold() != meaning.casefold():
        zh = told.zh if isinstance(told, Phrase) else told
        detail = (
            Phrase(f"{meaning} ({told})", f"{meaning.zh}（{zh}）") if meaning else Phrase(told, zh)
        )
    filled = Phrase(step.format(name=name), step.zh.format(name=name))
    return PeerError(
        "identity.refused", server=server, code=int(rc), name=name, detail=detail, step=filled
    )
