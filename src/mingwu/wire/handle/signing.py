"""What message credentials are taken over (protocol 2.7 and later).

``HS_SIGNED`` (a certified reply) and ``HS_MAC`` (a message of a session) both cover: protocol
major and minor, from 2.8 on also the suggested major and minor, session id 4, request id 4,
counter 4, then header and body. The credential names the digest and carries the counter where
its field is called signer index; the signer's handle is left empty. Versions before 2.7 covered
other bytes; they are not signed here. Keys and arithmetic belong to the caller.
"""

import struct
from dataclasses import replace

from mingwu.wire.handle.codes import OpFlag
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Credential, Message

SIGNED = "HS_SIGNED"
MAC = "HS_MAC"
_SINCE = (2, 7)
_SUGGESTS_SINCE = (2, 8)


def covered(message: Message, counter: int = 0) -> bytes:
    """The bytes that a credential of ``message`` vouches for."""
    if message.version < _SINCE:
        raise ProtocolError("messages before protocol 2.7 are not signed here")
    suggested = message.suggested if message.version >= _SUGGESTS_SINCE else ()
    ids = struct.pack(">III", message.session_id, message.request_id, counter)
    return bytes((*message.version, *suggested)) + ids + message.signed_part


def certified(message: Message) -> Message:
    """The message with the flag that says it is signed (the flag is part of what is covered)."""
    return replace(message, flags=message.flags | OpFlag.CERTIFY, raw=b"")


def signed_by(message: Message, digest: str, signature: bytes) -> Message:
    """The message with an HS_SIGNED credential."""
    return replace(message, credential=Credential("", 0, SIGNED, digest, signature))
