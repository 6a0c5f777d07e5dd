"""What differs between two definitions of a template, and whether values may fail by it.

Pure: no store is asked. ``binding`` marks a change that can refuse values which were good before;
everything else (names, comments, wider limits, items that need not be filled in) cannot.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from mingwu.identity.enterprise.model import DataType, Item, TemplateDef

_KEPT = {"items", "prefix", "version", "handle"}


class FieldChange(msgspec.Struct, frozen=True):
    """One field of a template or an item, before and after (plain data)."""

    field: str
    before: Any
    after: Any


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was added, removed or changed."""

    what: str
    type: str
    index: int
    fields: tuple[FieldChange, ...] = ()
    binding: bool = False


class Difference(msgspec.Struct, frozen=True):
    """All that differs; falsy fields mean: nothing."""

    fields: tuple[FieldChange, ...]
    items: tuple[ItemChange, ...]

    @property
    def binding(self) -> bool:
        """Whether values that were good may be refused now."""
        return any(item.binding for item in self.items)


def difference(old: TemplateDef, new: TemplateDef) -> Difference:
    """From ``old`` to ``new``."""
    return Difference(tuple(_fields(old, new, _KEPT)), tuple(_items(old, new)))


def _items(old: TemplateDef, new: TemplateDef) -> Iterator[ItemChange]:
    before = {item.type: item for item in old.items}
    after = {item.type: item for item in new.items}
    for kind, item in after.items():
        was = before.get(kind)
        if was is None:
            binding = item.required and item.enabled
            yield ItemChange(what="added", type=kind, index=item.index, binding=binding)
            continue
        fields = tuple(_fields(was, item, set()))
        if fields:
            binding = _binds(was, item)
            yield ItemChange(
                what="changed", type=kind, index=item.index, fields=fields, binding=binding
            )
    for kind, item in before.items():
        if kind not in after:
            yield ItemChange(what="removed", type=kind, index=item.index, binding=item.enabled)


def _fields(old: msgspec.Struct, new: msgspec.Struct, without: set[str]) -> Iterator[FieldChange]:
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if name not in without and before != after:
            yield FieldChange(name, msgspec.to_builtins(before), msgspec.to_builtins(after))


def _binds(was: Item, now: Item) -> bool:
    if not now.enabled or not was.enabled:
        return was.enabled or now.enabled
    stricter = (
        now.data_type is not was.data_type,
        now.required and not was.required,
        now.unique and not was.unique,
        now.min_length > was.min_length,
        now.max_length < was.max_length,
        now.choices and not (was.choices and set(was.choices) <= set(now.choices)),
    )
    return any(stricter) or _type_binds(was, now)


def _type_binds(was: Item, now: Item) -> bool:
    """Limits that count only for one data type, and only where no choices rule."""
    if now.choices:
        return False
    if was.choices and now.data_type is not DataType.STRING:
        return True
    if now.data_type is DataType.DATE:
        return now.date_format != was.date_format
    if now.data_type is not DataType.NUMBER:
        return False
    return (
        _above(now.low, was.low)
        or _above(_negative(now.high), _negative(was.high))
        or (now.decimals is not None and (was.decimals is None or now.decimals < was.decimals))
    )


def _above(now: float | None, was: float | None) -> bool:
    return now is not None and (was is None or now > was)


def _negative(limit: float | None) -> float | None:
    return None if limit is None else -limit
