"""What a record offers to a label: the words for its lines, and whether it is simulated.

Only public values are printed. Characters that no printer prints (controls, surrogates) are left
out, so a value cannot break out of the drawing it is put into.
"""

from mingwu.identity.marking.contents import gs1_alias, thing_url
from mingwu.identity.records import ALIAS_TYPE, Record
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.elements import written

SIMULATED_TYPE = "MW.SIMULATED"
_NAMES = {
    "name_zh": "DESC.zh",
    "name_en": "DESC.en",
    "kind": "MW.KIND",
    "type": "MW.TYPE",
    "place": "LOCATION",
}
_MOST_CHARS = 200


def is_simulated(record: Record) -> bool:
    """Whether what stands behind the name is simulated."""
    marked = any(value.type == SIMULATED_TYPE and value.text() == "true" for value in record.values)
    return marked or any(source.simulated for source in record.live)


def words_of(record: Record, base_url: str = "") -> dict[str, str]:
    """Placeholder (folded) to text."""
    found: dict[str, str] = {}
    for value in record.values:
        if value.is_public and value.type.isprintable():
            key = value.type.casefold().removeprefix("mw.")
            found.setdefault(key, printable(value.text()))
    prefix, _, suffix = record.name.partition("/")
    found.update(name=record.name, prefix=prefix, suffix=suffix)
    for word, kind in _NAMES.items():
        found[word] = found.get(kind.casefold().removeprefix("mw."), "")
    found["url"] = thing_url(base_url, record.name) if base_url else ""
    path = gs1_alias(
        value.text()
        for value in record.values
        if value.is_public and value.type.startswith(ALIAS_TYPE)
    )
    found["gs1"] = written(link.parse_path("/" + path)[1]) if path else ""
    return {key: printable(text) for key, text in found.items()}


def printable(text: str) -> str:
    """The text without what cannot be printed, at most 200 characters."""
    return "".join(char for char in text[:_MOST_CHARS] if char.isprintable())
