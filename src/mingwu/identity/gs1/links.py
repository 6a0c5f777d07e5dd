"""Links of a GS1 entity, made from the values of the records that carry it as an alias.

============================  ==============================================================
value                         link
============================  ==============================================================
``URL``                       gs1:pip (product information), the default unless one is given
``MW.TD``                     gs1:masterData, application/td+json
``GS1.<type>``                gs1:<type>; data an address, or JSON with href, title, type,
                              hreflang, context
``GS1.defaultLink``           the default; ``GS1.defaultLinkMulti`` defaults by language
``DESC.*``                    titles and the item's description
============================  ==============================================================

Levels (Resolver 1.2 §2.5.9): an entity inherits the links of every less qualified one, up to the
primary key; the most specific level comes first. Only http and https targets are taken.
"""

import re
from itertools import combinations

import msgspec

from mingwu.identity.records import Record, RecordStore
from mingwu.wire.gs1.elements import Elements
from mingwu.wire.gs1.link import path_of

VOCABULARY = "https://ref.gs1.org/voc/"
_OTHER_SPELLINGS = (
    "gs1:",
    "https://gs1.org/voc/",
    "http://gs1.org/voc/",
    "https://www.gs1.org/voc/",
)
DEFAULT = VOCABULARY + "defaultLink"
DEFAULT_MULTI = VOCABULARY + "defaultLinkMulti"
_PRODUCT_PAGE = VOCABULARY + "pip"
_TYPE = "GS1."
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")
_TARGET = re.compile(r"(?i)https?://[!-~]+")
_SIMULATED = {"en": " (simulated)", "zh": "（仿真）"}
_MEDIA = re.compile(r"[a-z]+/[a-z0-9.+-]+")


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link: relation (a URI), target, and what helps to choose among several."""

    rel: str
    href: str
    title: str
    type: str = ""
    hreflang: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The links of one level; ``path`` is its Digital Link path. ``default`` is always set."""

    path: str
    description: str
    links: tuple[Link, ...]
    default: Link
    defaults: tuple[Link, ...] = ()


class _LinkData(msgspec.Struct):
    href: str
    title: str = ""
    type: str = ""
    hreflang: str | list[str] = ""
    context: str | list[str] = ""


_decode = msgspec.json.Decoder(_LinkData).decode


def relation(text: str) -> str:
    """A link type in its full form: ``gs1:pip`` and old spellings become the vocabulary's URI."""
    for spelling in _OTHER_SPELLINGS:
        if text.startswith(spelling):
            return VOCABULARY + text.removeprefix(spelling)
    return text


def levels(store: RecordStore, entity: Elements, lang: str = "en") -> list[Level]:
    """Levels at which something is known, the most specific first; reads the store.

    ``lang`` ("zh" or "en") is that of titles; what is simulated says so in them.
    """
    key, qualifiers = entity[0], entity[1:]
    found: list[Level] = []
    for count in range(len(qualifiers), -1, -1):
        for chosen in combinations(qualifiers, count):
            path = path_of((key, *chosen))
            records = [record for name in store.named(f"gs1:{path}") if (record := store.get(name))]
            level = _level(path, sorted(records, key=_name), lang)
            if level is not None:
                found.append(level)
    return found


def _name(record: Record) -> str:
    return record.name


def _level(path: str, records: list[Record], lang: str) -> Level | None:
    links = [link for record in records for link in _links(record, lang)]
    plain = [link for link in links if link.rel not in {DEFAULT, DEFAULT_MULTI}]
    chosen = next((link for link in links if link.rel == DEFAULT), None)
    page = next((link for link in plain if link.rel == _PRODUCT_PAGE), None)
    default = chosen or page or next(iter(links), None)
    if default is None:
        return None
    many = [link for link in links if link.rel == DEFAULT_MULTI]
    # every default also stands under a type that says what it is
    for link in (default, *many):
        if all(link.href != other.href for other in plain):
            plain.append(msgspec.structs.replace(link, rel=_PRODUCT_PAGE))
    return Level(
        path=path,
        description=_title(records[0], lang),
        links=tuple(plain),
        default=default,
        defaults=tuple(many),
    )


def _title(record: Record, lang: str) -> str:
    texts = {value.type: value.text() for value in record.values if value.is_public}
    other = "en" if lang == "zh" else "zh"
    title = texts.get(f"DESC.{lang}") or texts.get(f"DESC.{other}") or record.name
    return title + (_SIMULATED[lang] if texts.get("MW.SIMULATED") == "true" else "")


def _links(record: Record, lang: str) -> list[Link]:
    found: list[Link] = []
    title = _title(record, lang)
    for value in record.values:
        if not value.is_public:
            continue
        if value.type == "URL":
            link = _plain(_PRODUCT_PAGE, value.text(), title)
        elif value.type == "MW.TD":
            media = "application/td+json"
            link = _plain(VOCABULARY + "masterData", value.text(), title, media)
        elif value.type.startswith(_TYPE) and value.type != _TYPE:
            rel = VOCABULARY + value.type.removeprefix(_TYPE)
            link = _described(rel, value.data, title)
        else:
            continue
        if link is not None:
            found.append(link)
    return found


def _plain(rel: str, href: str, title: str, media: str = "") -> Link | None:
    return Link(rel=rel, href=href, title=title, type=media) if _TARGET.fullmatch(href) else None


def _described(rel: str, data: bytes, title: str) -> Link | None:
    if not data.lstrip().startswith(b"{"):
        return _plain(rel, data.decode(errors="replace").strip(), title)
    try:
        read = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None  # somebody's value that is no link; the record itself still shows it
    if not _TARGET.fullmatch(read.href):
        return None
    return Link(
        rel=rel,
        href=read.href,
        title=read.title or title,
        type=read.type if _MEDIA.fullmatch(read.type) else "",
        hreflang=tuple(tag for tag in _several(read.hreflang) if _LANGUAGE.fullmatch(tag)),
        context=_several(read.context),
    )


def _several(given: str | list[str]) -> tuple[str, ...]:
    return tuple(filter(None, [given] if isinstance(given, str) else given))
