"""What a data template must be to be stored: all faults of a definition, item by item.

Invariants: indexes are unique in a template and never move to another type; a type that was ever
stored stays in the template (it can be disabled), so stored values never lose their meaning; types
that administer names (``HS_…``) or that the resolver makes itself (``MW.…``) are refused, otherwise
a value could hand out rights over its name.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import (
    FIRST_INDEX,
    LAST_INDEX,
    DataType,
    Item,
    Template,
    TemplateDef,
)
from mingwu.identity.enterprise.validation import date_pattern, value_fault
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold, parse

MOST_CHOICES = 500
_FORBIDDEN_TYPES = ("HS_", "MW.")


def completed(definition: TemplateDef, old: Template | None) -> TemplateDef:
    """The definition with a handle and all indexes; raises ``enterprise.template-bad``."""
    definition, faults = judged(definition, old.definition if old else None)
    if faults:
        raise InvalidInput(faults[0].code, **faults[0].params)
    return definition


def judged(definition: TemplateDef, old: TemplateDef | None) -> tuple[TemplateDef, list[Fault]]:
    """The definition with a handle and all indexes, and everything that is wrong with it.

    ``old`` is what it replaces. A fault has the parameter ``item`` when it is about one item.
    """
    handle = definition.handle or f"{definition.prefix}/META_{definition.version}"
    items = _numbered(definition.items, old.items if old else ())
    definition = msgspec.structs.replace(definition, handle=handle, items=items)
    label = f"{definition.prefix} {definition.version}"
    found = [
        Fault("enterprise.template-bad", {"template": label, "item": item, "fault": phrase})
        for item, phrase in _faults(definition, old)
    ]
    return definition, found


def _faults(definition: TemplateDef, old: TemplateDef | None) -> Iterator[tuple[str, Phrase]]:
    fault = _handle_fault(definition)
    if fault:
        yield "", fault
    items = definition.items
    if not items:
        yield "", Phrase("it has no items", "没有属性")
    for kind, times in Counter(item.type for item in items).items():
        if times > 1:
            yield kind, _at(kind, "stands twice", "重复")
    holders: dict[int, str] = {}
    for item in items:
        other = holders.setdefault(item.index, item.type)
        if other != item.type:
            yield (
                item.type,
                _at(
                    item.type,
                    f"has the index {item.index} of {other}",
                    f"与 {other} 索引相同（{item.index}）",
                ),
            )
        fault = _item_fault(item)
        if fault:
            yield item.type, fault
    if old is not None:
        yield from _lost(old.items, items)


def _handle_fault(definition: TemplateDef) -> Phrase | None:
    try:
        name = parse(definition.handle)
    except InvalidInput as error:
        return Phrase(error.text("en"), error.text("zh"))
    if fold(name.prefix) != fold(definition.prefix):
        handle = definition.handle
        return Phrase(
            f"its handle {handle} lies under another prefix", f"其标识 {handle} 不在该前缀下"
        )
    return None


def _numbered(items: Sequence[Item], old: Sequence[Item]) -> tuple[Item, ...]:
    known = {item.type: item.index for item in old}
    used = {item.index for item in items if item.index} | set(known.values())
    following = max(used, default=FIRST_INDEX - 1)
    found = []
    for item in items:
        index = item.index or known.get(item.type, 0)
        if not index:
            following = index = following + 1
        found.append(msgspec.structs.replace(item, index=index))
    return tuple(sorted(found, key=lambda item: item.index))


def _item_fault(item: Item) -> Phrase | None:
    kind = item.type
    if not FIRST_INDEX <= item.index <= LAST_INDEX:
        span = f"{FIRST_INDEX}–{LAST_INDEX}"
        return _at(kind, f"indexes go from {span}", f"索引范围为 {span}")
    if kind.upper().startswith(_FORBIDDEN_TYPES) or kind.endswith("."):
        return _at(kind, "this type is kept for the name service", "该类型为解析系统保留")
    if item.min_length > item.max_length:
        return _at(kind, "the least length is above the greatest", "最小长度大于最大长度")
    if item.low is not None and item.high is not None and item.low > item.high:
        return _at(kind, "the low limit is above the high one", "下限大于上限")
    if item.data_type is DataType.DATE:
        try:
            date_pattern(item.date_format)
        except InvalidInput:
            form = item.date_format
            return _at(kind, f"“{form}” has no YYYY", f"日期格式“{form}”缺少 YYYY")
    return _choices_fault(item) or _default_fault(item)


def _choices_fault(item: Item) -> Phrase | None:
    if len(item.choices) > MOST_CHOICES:
        return _at(item.type, f"more than {MOST_CHOICES} choices", f"枚举值超过 {MOST_CHOICES} 个")
    if len(set(item.choices)) != len(item.choices):
        return _at(item.type, "a choice stands twice", "枚举值重复")
    if any(not one or len(one) > item.max_length for one in item.choices):
        return _at(item.type, "a choice is empty or too long", "枚举值为空或过长")
    return None


def _default_fault(item: Item) -> Phrase | None:
    if not item.default:
        return None
    if item.unique:
        return _at(item.type, "a unique item has no default", "唯一属性不能有默认值")
    fault = value_fault(item, item.default)
    if fault is None:
        return None
    return _at(item.type, f"its default: {fault.en}", f"默认值：{fault.zh}")


def _lost(old: Sequence[Item], new: Sequence[Item]) -> Iterator[tuple[str, Phrase]]:
    by_type = {item.type: item for item in new}
    for item in old:
        now = by_type.get(item.type)
        if now is None:
            yield (
                item.type,
                _at(item.type, "cannot be removed, only disabled", "只能停用，不能删除"),
            )
        elif now.index != item.index:
            yield (
                item.type,
                _at(item.type, f"has index {item.index} for good", f"索引固定为 {item.index}"),
            )


def _at(kind: str, en: str, zh: str) -> Phrase:
    return Phrase(f"item {kind}: {en}", f"属性 {kind}：{zh}")
