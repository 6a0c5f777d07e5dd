"""Texts of the error codes, zh and en: (what happened, next step).

A code is ``area.what``; it never changes its meaning. ``tests/unit/test_house.py`` checks that
every code raised in the tree stands here and that both languages use the same placeholders.
Packages register their own codes with :func:`add` beside the errors they raise.
"""

from collections.abc import Iterable, Mapping
from typing import Self

Text = tuple[str, str]


class Phrase(str):
    """A placeholder's value that is words itself: rendered in the language of its sentence.

    A text of its own in English (so it stands wherever a plain one may), with the Chinese beside.
    """

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        """Both languages of one phrase."""
        made = super().__new__(cls, en)
        made.zh = zh
        return made

    @property
    def en(self) -> str:
        """The English words."""
        return str(self)

    @classmethod
    def joined(cls, parts: Iterable[str]) -> Self:
        """Several phrases as one, with the marks of each language between them."""
        parts = list(parts)
        return cls("; ".join(parts), "；".join(zh_of(part) for part in parts))


def zh_of(text: str) -> str:
    """The Chinese of a phrase; a plain text as it is."""
    return text.zh if isinstance(text, Phrase) else text


_TEXTS: dict[str, dict[str, Text]] = {}


def add(code: str, *, en: Text, zh: Text) -> None:
    """Register the texts of ``code``; a second registration with other texts is a bug."""
    new = {"en": en, "zh": zh}
    if _TEXTS.setdefault(code, new) != new:
        raise ValueError(f"error code registered twice: {code}")


def codes() -> Mapping[str, Mapping[str, Text]]:
    """All registered codes (for the reference page and the house test)."""
    return _TEXTS


def render(code: str, lang: str, params: Mapping[str, object]) -> Text:
    """Fill the texts of ``code``; an unknown code or missing placeholder never raises."""
    texts = _TEXTS.get(code)
    if texts is None:
        return f"{code} {dict(params)}" if params else code, ""
    filled = _Missing(
        (name, value.zh if isinstance(value, Phrase) and lang == "zh" else value)
        for name, value in params.items()
    )
    what, step = texts.get(lang, texts["en"])
    return what.format_map(filled), step.format_map(filled)


class _Missing(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


add(
    "config.invalid",
    en=("{path}: {fault}", "Correct the value and run `mingwu check FILE` again."),
    zh=("{path}：{fault}", "改正该值后重新运行 `mingwu check FILE`。"),
)
add(
    "name.malformed",
    en=(
        "“{name}” is not an identifier: {fault}",
        "Write it as PREFIX/SUFFIX, e.g. 88.888.101/DEV.1.",
    ),
    zh=("“{name}”不是合法标识：{fault}", "请写成 前缀/后缀，例如 88.888.101/DEV.1。"),
)
add(
    "name.unknown",
    en=("No thing is registered as {name}", "Check the spelling, or search in the console."),
    zh=("没有以 {name} 注册的对象", "请核对拼写，或在控制台中搜索。"),
)
add(
    "input.invalid",
    en=("{path}: {fault}", "Correct the request and send it again."),
    zh=("{path}：{fault}", "请改正请求后重新发送。"),
)
