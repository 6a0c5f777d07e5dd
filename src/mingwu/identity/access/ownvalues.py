"""Values that mean something to the node itself: what they must look like before they are stored.

An HS_ADMIN, HS_VLIST, HS_SITE or HS_PUBKEY that cannot be read would lock a name or lead its
readers nowhere, so it is refused (code 202); templates (HS_NAMESPACE) likewise, and the mark of
names open to everybody, which only the enterprise node sets. A secret
(HS_SECKEY) is never public, whatever permissions were sent with it.
"""

from collections.abc import Callable
from dataclasses import replace

from mingwu.identity.access.authentication import SECRET_KEY
from mingwu.identity.namespaces import is_namespace, templates_in
from mingwu.identity.records import OPEN_TYPE
from mingwu.wire.handle.admin import read_admin
from mingwu.wire.handle.codes import Permission
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import read_key
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.site import read_site
from mingwu.wire.handle.values import HandleValue, read_references

_PUBLIC = int(Permission.PUBLIC_READ | Permission.PUBLIC_WRITE)

_READERS: dict[str, Callable[[bytes], object]] = {
    "HS_ADMIN": read_admin,
    "HS_VLIST": lambda data: read_references(Reader(data)),
    "HS_SITE": read_site,
    "HS_SITE.PREFIX": read_site,
    "HS_PUBKEY": read_key,
}


def fault_of(value: HandleValue) -> str:
    """Why a value cannot be stored; empty when it can."""
    if value.type.upper() == OPEN_TYPE:
        return f"value {value.index}: {OPEN_TYPE} is set by opening the name (enterprise node)"
    reader = templates_in if is_namespace(value.type) else _READERS.get(value.type.upper())
    if reader is not None:
        try:
            reader(value.data)
        except ProtocolError as error:
            return f"value {value.index}, {value.type}: {error.params.get('fault', error)}"
    return ""


def kept_secret(value: HandleValue) -> HandleValue:
    """The value as it is stored: a secret without the rights of the public."""
    if value.type.upper() != SECRET_KEY or not value.permissions & _PUBLIC:
        return value
    return replace(value, permissions=value.permissions & ~_PUBLIC)
