"""Keys of the record store: one byte of space and the folded name (``kernel.names.fold``).

Spellings of one name meet in one key. LMDB ends keys at 511 bytes; longer names keep their head
(for listing) and get a hash.
"""

import hashlib

from mingwu.kernel.names import fold

RECORD = b"r"
PREFIX = b"p"
CARD = b"c"
ALIAS = b"a"
REFUSED = b"q"
LIMIT = b"l"
OWNERS = b"o"
PLAIN_KEY_BYTES = 440


def key_of(name: str, space: bytes = RECORD) -> bytes:
    """The store's key of a name (or prefix)."""
    # A lone surrogate is in no stored name (``_check``), so such a question simply finds nothing.
    return folded_key(fold(name).encode(errors="surrogatepass"), space)


def folded_key(folded: bytes, space: bytes = RECORD) -> bytes:
    """The store's key of an already folded name in UTF-8."""
    if len(folded) > PLAIN_KEY_BYTES:
        folded = folded[:PLAIN_KEY_BYTES] + b"\0" + hashlib.sha256(folded).digest()
    return space + folded


def alias_key(code_key: str, name: str = "") -> bytes:
    """The store's key of an alias (``Code.key``): its row for ``name``, or the head of all rows."""
    mark = hashlib.blake2b(code_key.encode(errors="surrogatepass"), digest_size=16).digest()
    return ALIAS + mark + (hashlib.blake2b(key_of(name), digest_size=16).digest() if name else b"")
