"""Digital Link URIs (GS1 Digital Link: URI Syntax 1.x): a primary key, its qualifiers, attributes.

``https://host/stem/01/09506000134352/10/ABC/21/12?17=271231``: the path names the entity, the
query carries attributes and words that are no AIs (extensions). A path may end in "/"; GTINs of
8, 12 or 13 digits are accepted and padded. A compressed path (``gs1.compression``) is written out
before it is read. The canonical path (sorted as the syntax wants, percent-encoded) is
what two spellings of the same name have in common; AI data keep their case.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1.ai import AIS, PRIMARY_KEYS, validate
from mingwu.wire.gs1.compression import Words, compress, unpacked
from mingwu.wire.gs1.elements import GTIN_DIGITS, Elements

CANONICAL_ROOT = "https://id.gs1.org"
_MOST_CHARS = 2000
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class DigitalLink(NamedTuple):
    """``entity``: primary key first, then its qualifiers; ``attributes`` are AIs of the query."""

    entity: Elements
    attributes: Elements = ()
    extensions: tuple[tuple[str, str], ...] = ()
    stem: str = CANONICAL_ROOT

    @property
    def path(self) -> str:
        """Canonical path without a leading slash."""
        return path_of(self.entity)

    @property
    def uri(self) -> str:
        """The URI under its stem, attributes in the query."""
        query = "&".join(f"{ai}={quote(value, safe='')}" for ai, value in sorted(self.attributes))
        return f"{self.stem}/{self.path}" + (f"?{query}" if query else "")

    @property
    def compressed(self) -> str:
        """The URI with all AIs compressed, words that are no AIs in the query."""
        words = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in self.extensions)
        packed = compress((*self.entity, *self.attributes))
        return f"{self.stem}/{packed}" + (f"?{words}" if words else "")


def path_of(entity: Elements) -> str:
    """Percent-encoded path of an entity."""
    return "/".join(f"{ai}/{quote(value, safe='')}" for ai, value in entity)


def from_elements(elements: Elements, stem: str = CANONICAL_ROOT) -> DigitalLink:
    """Sort elements into entity and attributes; raises InvalidInput ``gs1.structure``."""
    parts = dict(elements)
    key = next((ai for ai in parts if ai in PRIMARY_KEYS), "")
    if not key:
        shown = "".join(f"({ai})" for ai in parts)
        raise _fault(shown, Phrase("none of its parts is a primary key", "其中没有主标识符"))
    ways = [[ai for ai in way if ai in parts] for way in PRIMARY_KEYS[key]]
    names = (key, *max(ways, key=len))
    entity = tuple((ai, parts[ai]) for ai in names)
    attributes = tuple((ai, value) for ai, value in elements if ai not in names)
    return DigitalLink(entity, attributes, (), stem)


def parse_uri(uri: str) -> DigitalLink:
    """Read a Digital Link URI; raises InvalidInput ``gs1.…``."""
    try:
        split = urlsplit(uri)
    except ValueError as error:
        raise _fault(uri, told(error)) from error
    if split.scheme.lower() not in {"http", "https"} or not split.netloc:
        raise _fault(uri, Phrase("no http or https address", "不是 http 或 https 网址"))
    path, packed, words = expanded(split.path)
    stem, entity = parse_path(path)
    attributes, extensions = parse_query(split.query)
    return DigitalLink(
        entity,
        (*packed, *attributes),
        (*words, *extensions),
        f"{split.scheme}://{split.netloc}{stem}",
    )


def expanded(path: str) -> tuple[str, Elements, Words]:
    """(path, attributes, words): a compressed path written out, any other as it is."""
    segments = path[:_MOST_CHARS].removesuffix("/").split("/")
    found = unpacked(segments) if _start(segments) is None else None
    if found is None:
        return path, (), ()
    stem, contents = found
    link = from_elements(contents.elements)
    return "/".join([*stem, link.path]), link.attributes, contents.words


def parse_path(path: str) -> tuple[str, Elements]:
    """(stem, entity) of a raw, still encoded path; raises InvalidInput ``gs1.…``."""
    if len(path) > _MOST_CHARS or _BAD_ESCAPE.search(path):
        raise _fault(path, Phrase("too long, or a broken percent escape", "过长，或百分号转义有误"))
    segments = path.removesuffix("/").split("/")
    start = _start(segments)
    if start is None:
        raise _fault(path, Phrase("no primary key in the path", "路径中没有主标识符"))
    named = zip(segments[start::2], segments[start + 1 :: 2], strict=True)
    entity = tuple((ai, _plain(ai, unquote(value, errors="replace"))) for ai, value in named)
    for ai, value in entity:
        validate(ai, value)
    _check_order([ai for ai, _ in entity])
    return "/".join(segments[:start]), entity


def parse_query(query: str) -> tuple[Elements, tuple[tuple[str, str], ...]]:
    """(attributes, extensions) of a query; numeric keys must be AIs."""
    attributes: list[tuple[str, str]] = []
    extensions: list[tuple[str, str]] = []
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise _fault(query, told(error)) from error
    for key, value in pairs:
        if key.isascii() and key.isdigit():
            validate(key, _plain(key, value))
            attributes.append((key, _plain(key, value)))
        else:
            extensions.append((key, value))
    return tuple(attributes), tuple(extensions)


def looks_like_path(segments: list[str]) -> bool:
    """Whether path segments contain a primary key at a place where one may stand."""
    return _start(segments) is not None


def _start(segments: list[str]) -> int | None:
    """The first place from which the rest is AI, data, AI, data … led by a primary key."""
    count = len(segments)
    for start in range(count % 2, count, 2):
        if segments[start] in PRIMARY_KEYS and all(ai in AIS for ai in segments[start::2]):
            return start
    return None


def _plain(ai: str, value: str) -> str:
    return value.zfill(GTIN_DIGITS) if ai == "01" and len(value) in {8, 12, 13} else value


def _check_order(names: list[str]) -> None:
    key, rest = names[0], names[1:]
    ways = PRIMARY_KEYS[key]
    if any(rest == [ai for ai in way if ai in rest] for way in ways):
        return
    known = {ai for way in ways for ai in way}
    stranger = next((ai for ai in rest if ai not in known), rest[-1])
    allowed = " | ".join(" ".join(f"({ai})" for ai in way) for way in ways)
    raise InvalidInput("gs1.order", ai=stranger, key=key, allowed=allowed.strip() or "–")


def _fault(text: str, detail: str) -> InvalidInput:
    return InvalidInput("gs1.structure", text=text[:100], detail=detail)
