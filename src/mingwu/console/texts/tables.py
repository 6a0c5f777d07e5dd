"""All words of the console, zh and en, by key. Terms are those of the house glossary.

Pages and islands share the table: the page's head carries what it needs in one language. A module
per area holds the words; each key has its English and its Chinese words, in this order.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mingwu.console.texts import (
    applications,
    carriers,
    dataquery,
    duties,
    enterprises,
    filing,
    granting,
    importing,
    namepages,
    names,
    nodes,
    plant,
    registering,
    templates,
    usage,
)

_AREAS = {
    "plant": plant.TEXTS,
    "login": plant.LOGIN_TEXTS,
    "frame": plant.FRAME_TEXTS,
    "names": names.TEXTS,
    "nodes": (
        nodes.TEXTS
        | applications.TEXTS
        | enterprises.TEXTS
        | usage.TEXTS
        | duties.TEXTS
        | dataquery.TEXTS
    ),
    "carriers": carriers.TEXTS,
    "register": namepages.TEXTS | registering.TEXTS | filing.TEXTS | importing.TEXTS,
    "templates": templates.TEXTS,
    "access": granting.TEXTS,
}
_TEXTS: dict[str, tuple[str, str]] = {
    key: pair for area in _AREAS.values() for key, pair in area.items()
}


def languages() -> tuple[str, str]:
    """The languages of the console."""
    return ("en", "zh")


def table(lang: str) -> Mapping[str, str]:
    """All texts in one language."""
    return _TABLES.get(lang, _TABLES["en"])


def page_words(lang: str, areas: Iterable[str]) -> dict[str, str]:
    """What a page's islands need: the words of the shell, the plant, and the page's ``areas``."""
    words = table(lang)
    return {key: words[key] for area in ("plant", *areas) for key in _AREAS[area]}


def pairs() -> Mapping[str, tuple[str, str]]:
    """Every key with its (en, zh) pair, for tests and for translators."""
    return MappingProxyType(_TEXTS)


_TABLES: dict[str, Mapping[str, str]] = {
    "en": MappingProxyType({key: pair[0] for key, pair in _TEXTS.items()}),
    "zh": MappingProxyType({key: pair[1] for key, pair in _TEXTS.items()}),
}
