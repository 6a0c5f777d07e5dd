"""Names that a node keeps under a prefix for itself, and how many names others put there.

The rule of all totals of registered names (statistics of use, their seals, pages, reports): a name
counts when somebody registered it, so that a thing, a document, a template answers to it. What the
node put there to do its work, the anchor that its signatures end at, resolves and is listed like
any name but does not count. Records of prefixes stand under ``0.NA`` and are none of them.
"""

from mingwu.identity.records import RecordStore

ANCHOR_SUFFIX = "TRUST"


def anchor_name(prefix: str) -> str:
    """The name of the anchor that signatures under a prefix end at."""
    return f"{prefix}/{ANCHOR_SUFFIX}"


def count_registered(store: RecordStore, prefix: str) -> int:
    """How many names under ``prefix`` somebody registered."""
    own = 1 if store.get(anchor_name(prefix)) is not None else 0
    return store.count_names(prefix) - own
