"""All words of the console, zh and en, by key. Terms are those of the house glossary.

Pages and islands share the table: the page's head carries it in one language. A module per area
holds the words; each key has its English and its Chinese words, in this order.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mingwu.console.texts import names, nodes, plant

_TEXTS: dict[str, tuple[str, str]] = {**plant.TEXTS, **names.TEXTS, **nodes.TEXTS}


def languages() -> tuple[str, str]:
    """The languages of the console."""
    return ("en", "zh")


def table(lang: str) -> Mapping[str, str]:
    """All texts in one language."""
    return _TABLES.get(lang, _TABLES["en"])


def pairs() -> Mapping[str, tuple[str, str]]:
    """Every key with its (en, zh) pair, for tests and for translators."""
    return MappingProxyType(_TEXTS)


_TABLES: dict[str, Mapping[str, str]] = {
    "en": MappingProxyType({key: pair[0] for key, pair in _TEXTS.items()}),
    "zh": MappingProxyType({key: pair[1] for key, pair in _TEXTS.items()}),
}
