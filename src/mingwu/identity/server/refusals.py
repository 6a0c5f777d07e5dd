"""Refusals of the HTTP interface: code, sentence and next step, in the asker's language.

The body is what clients of ``/api/handles`` read (``responseCode``, ``message``) with ``code`` and
``next`` of the platform beside it. English unless Accept-Language prefers Chinese.
"""

from collections.abc import Mapping

import orjson

from mingwu.identity.server.exchange import HttpReply
from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.languages import accepted_language
from mingwu.wire.handle.codes import Rc

add(
    "resolver.not-http",
    en=("This is no HTTP request that can be read: {fault}",
        "Send HTTP/1.1 with one value per header and the path percent-encoded."),
    zh=("无法读取该 HTTP 请求：{fault}",
        "请使用 HTTP/1.1，每个首部只给一个值，路径须经百分号编码。"),
)  # fmt: skip
add(
    "resolver.http-slow",
    en=(
        "The request was not whole within {seconds} s",
        "Send it without pauses; resolver.message_timeout_s sets the time.",
    ),
    zh=("请求未在 {seconds} 秒内发送完毕", "请连续发送；时限由 resolver.message_timeout_s 设定。"),
)
add(
    "resolver.http-body-too-long",
    en=(
        "The body is longer than {limit} bytes",
        "Send less at once, e.g. values in several requests; resolver.message_bytes is the limit.",
    ),
    zh=(
        "请求体超过 {limit} 字节",
        "请减少单次内容，例如分多次提交各值；上限由 resolver.message_bytes 设定。",
    ),
)
add(
    "resolver.http-head-too-long",
    en=("The request line or the headers are too long: {fault}",
        "Shorten them; ask for many indexes or types by the Handle protocol."),
    zh=("请求行或首部过长：{fault}", "请缩短；索引或类型很多时请改用 Handle 协议查询。"),
)  # fmt: skip
add(
    "resolver.http-not-offered",
    en=("This is not offered here: {fault}", "Send the request without it."),
    zh=("不支持：{fault}", "请去掉该内容后重新发送。"),
)
add(
    "resolver.http-busy",
    en=("Too many unfinished requests are held here", "Send it again in a few seconds."),
    zh=("未完成的请求过多", "请过几秒后重试。"),
)
add(
    "resolver.http-no-resource",
    en=("There is nothing at {path}",
        "Names are at /api/handles/NAME, this node's site record at /api/site."),
    zh=("{path} 处没有内容", "标识位于 /api/handles/标识，本节点的站点记录位于 /api/site。"),
)  # fmt: skip
add(
    "resolver.http-no-method",
    en=(
        "{method} is not possible at {path}",
        "GET reads; PUT and DELETE change /api/handles/NAME; POST takes application/x-hdl-message.",
    ),
    zh=(
        "{path} 不支持 {method}",
        "GET 读取；PUT、DELETE 变更 /api/handles/标识；POST 只接受 application/x-hdl-message。",
    ),
)

_CODES = {
    400: "resolver.not-http",
    404: "resolver.http-no-resource",
    405: "resolver.http-no-method",
    408: "resolver.http-slow",
    413: "resolver.http-body-too-long",
    417: "resolver.http-not-offered",
    431: "resolver.http-head-too-long",
    501: "resolver.http-not-offered",
    503: "resolver.http-busy",
    505: "resolver.http-not-offered",
}
_RC = {404: Rc.ERROR, 405: Rc.NOT_SUPPORTED, 417: Rc.NOT_SUPPORTED, 501: Rc.NOT_SUPPORTED,
       503: Rc.TOO_BUSY, 505: Rc.NOT_SUPPORTED}  # fmt: skip


def refusal(
    status: int, headers: Mapping[str, str] | None = None, *, handle: str = "", **params: object
) -> HttpReply:
    """The reply with this status; ``params`` fill its text."""
    error = InvalidInput(_CODES[status], **params)
    body: dict[str, object] = {"responseCode": int(_RC.get(status, Rc.PROTOCOL_ERROR))}
    if handle:
        body["handle"] = handle
    lang = accepted_language((headers or {}).get("accept-language", ""))
    return HttpReply(status, orjson.dumps(body | error.as_dict(lang)))
