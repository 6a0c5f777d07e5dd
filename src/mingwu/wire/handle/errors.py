"""What the codec raises: :class:`ProtocolError`, and nothing else, whatever the bytes are."""

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import PeerError

add(
    "handle.malformed",
    en=(
        "The Handle message cannot be read: {fault}",
        "Check that the peer speaks Handle protocol 2.x on this port.",
    ),
    zh=("无法读取 Handle 报文：{fault}", "请确认对端在此端口使用 Handle 协议 2.x。"),
)
add(
    "handle.too-large",
    en=(
        "The Handle message has {size} bytes, more than the {limit} allowed",
        "Ask for fewer values, or raise the limit on both sides.",
    ),
    zh=("Handle 报文长 {size} 字节，超过上限 {limit}", "请减少请求的值，或在两端提高上限。"),
)


class ProtocolError(PeerError):
    """The bytes are not a message of this protocol; ``fault`` says where they stop being one."""

    def __init__(self, fault: str) -> None:
        super().__init__("handle.malformed", fault=fault)


class MessageTooLarge(ProtocolError):
    """A declared length beyond the limit; refused before any memory is spent on it."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes declared, limit {limit}")
        self.code = "handle.too-large"
        self.params = {"size": size, "limit": limit}
