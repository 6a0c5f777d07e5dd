"""What a symbol says about a name, chosen by one small rule.

``name``: the identifier as registered. ``url``: the address of its page, so that any phone opens
it. ``vaa``: the identifier behind its issuing agency code (ISO/IEC 15459 form ``VAA88.…``).
``gs1``: the element string of its GS1 alias. ``gs1-link``: the Digital Link URI of that alias.
``auto``: a GS1 symbol says ``gs1``; a QR code says ``url`` where the console has a public address,
because people scan it with phones; everything else says ``name``, which is shortest.
"""

from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

from mingwu.identity.codes.recognition import recognise
from mingwu.identity.marking import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.marking.symbols import Symbology
from mingwu.identity.records import ALIAS_TYPE, Record
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.elements import written


class Content(StrEnum):
    """What the symbol says."""

    AUTO = "auto"
    NAME = "name"
    URL = "url"
    VAA = "vaa"
    GS1 = "gs1"
    GS1_LINK = "gs1-link"


AGENCY = "VAA"
THING_PATH = "/things/"


def thing_url(base_url: str, name: str) -> str:
    """Address of a thing's page under ``base_url``."""
    return base_url.rstrip("/") + THING_PATH + quote(name, safe="/")


def name_in_url(url: str) -> str:
    """The name that the address of a thing's page carries, on whatever host; empty if none."""
    try:
        split = urlsplit(url)
    except ValueError:
        return ""
    if split.scheme.lower() not in {"http", "https"}:
        return ""
    _, found, rest = split.path.partition(THING_PATH)
    return unquote(rest, errors="replace") if found else ""


def text_for(
    record: Record,
    content: Content,
    symbology: Symbology,
    *,
    base_url: str = "",
    gs1_root: str = "",
) -> str:
    """What ``symbology`` shall carry about the record.

    ``base_url`` is the console's public address, ``gs1_root`` where Digital Links resolve.
    Raises InvalidInput ``marking.no-contents``.
    """
    chosen = _chosen(content, symbology, base_url)
    if symbology.gs1 and chosen is not Content.GS1:
        fault = Phrase(f"{symbology} carries an element string", f"{symbology} 只承载单元数据串")
        raise _nothing(record.name, chosen, fault)
    if chosen is Content.URL:
        if not base_url:
            fault = Phrase("console.public_url is empty", "未设置 console.public_url")
            raise _nothing(record.name, chosen, fault)
        return thing_url(base_url, record.name)
    if chosen is Content.VAA:
        if not record.name.startswith(("86.", "88.")):
            fault = Phrase("not under 86. or 88.", "前缀不属于 86. 或 88.")
            raise _nothing(record.name, chosen, fault)
        return AGENCY + record.name
    if chosen in {Content.GS1, Content.GS1_LINK}:
        path = gs1_alias(value.text() for value in record.values
                         if value.is_public and value.type.startswith(ALIAS_TYPE))  # fmt: skip
        if not path:
            fault = Phrase("no GS1 alias", "该标识没有 GS1 别名")
            raise _nothing(record.name, chosen, fault)
        if chosen is Content.GS1:
            return written(link.parse_path("/" + path)[1])
        return f"{gs1_root.rstrip('/') or link.CANONICAL_ROOT}/{path}"
    return record.name


def gs1_alias(texts: Iterable[str]) -> str:
    """The Digital Link path of the first sound GS1 code among aliases; empty if none."""
    codes = (recognise(text) for text in texts)
    return next((one.canonical for one in codes if one and one.ok and one.system == "gs1"), "")


def _chosen(content: Content, symbology: Symbology, base_url: str) -> Content:
    if content is not Content.AUTO:
        return content
    if symbology.gs1:
        return Content.GS1
    return Content.URL if symbology is Symbology.QR and base_url else Content.NAME


def _nothing(name: str, content: Content, fault: str) -> InvalidInput:
    return InvalidInput("marking.no-contents", name=name, content=str(content), fault=fault)
