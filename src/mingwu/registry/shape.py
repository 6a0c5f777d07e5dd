"""Plain data to declarations, collecting every fault of shape instead of the first.

msgspec stops at the first fault. Each fault is therefore taken out of a copy of the data and the
conversion tried again; what a removal causes (a now missing key) is not reported a second time.
A list item that cannot be built is left out of the result; paths always count as the file does.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from mingwu.registry.errors import Fault

T = TypeVar("T")

MAX_FAULTS = 500
_MESSAGE = re.compile(r"(?P<fault>.*?)(?: - at `(?P<where>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")


def mend(cls: type[T], data: Any, *, stand_ins: Mapping[str, object]) -> "Mended[T]":
    """``data`` as ``cls`` with its faults taken out and listed.

    ``stand_ins`` are used for missing keys of the outermost object, so that the rest can still
    be judged. ``value`` of the result is None only if nothing at all could be built.
    """
    mended: Mended[T] = Mended(data, stand_ins)
    for _ in range(MAX_FAULTS):
        try:
            mended.value = msgspec.convert(mended.data, cls)
        except msgspec.ValidationError as error:
            if mended.take_out(str(error)):
                continue
        break
    return mended


class Mended(Generic[T]):
    """The outcome: ``value``, ``faults``, and the way back to the file's own indexes."""

    def __init__(self, data: Any, stand_ins: Mapping[str, object]) -> None:
        self.value: T | None = None
        self.faults: list[Fault] = []
        self.data = copy.deepcopy(data)
        self._stand_ins = stand_ins
        # Original indexes of the items of lists that lost some, by identity of the list.
        self._origin: dict[int, list[int]] = {}
        self._removed: set[tuple[int, str]] = set()

    def where(self, path: str) -> str:
        """A path counted in ``value`` as a path counted in the file."""
        text, value = "$", self.data
        for step in _steps(path):
            if isinstance(step, int):
                origin = self._origin.get(id(value))
                text += f"[{origin[step] if origin else step}]"
                value = value[step]
            else:
                text += f".{step}"
                value = value.get(step) if isinstance(value, dict) else None
        return text

    def take_out(self, message: str) -> bool:
        """Record the fault and take its cause out; False when nothing is left to take out."""
        match = _MESSAGE.fullmatch(message)
        if match is None:
            raise ValueError(f"not a validation message: {message!r}")
        steps = _steps(match["where"] or "$")
        where = self.where(match["where"] or "$")
        fault = match["fault"]
        if missing := _MISSING.fullmatch(fault):
            key = missing["key"]
            if (id(self._at(steps)), key) not in self._removed:
                self.faults.append(Fault(where, "registry.missing-key", {"key": key}))
            if not steps and key in self._stand_ins:
                self.data[key] = self._stand_ins[key]
                return True
            return self._remove(steps)
        if unknown := _UNKNOWN.fullmatch(fault):
            self.faults.append(Fault(where, "registry.unknown-key", {"key": unknown["key"]}))
            return self._remove([*steps, unknown["key"]])
        self.faults.append(Fault(where, "registry.shape", {"fault": fault}))
        return self._remove(steps)

    def _at(self, steps: list[str | int]) -> Any:
        value = self.data
        for step in steps:
            value = value[step]
        return value

    def _remove(self, steps: list[str | int]) -> bool:
        if not steps:
            return False
        holder, last = self._at(steps[:-1]), steps[-1]
        if isinstance(last, int):
            self._origin.setdefault(id(holder), list(range(len(holder)))).pop(last)
        else:
            self._removed.add((id(holder), last))
        del holder[last]
        return True


def _steps(where: str) -> list[str | int]:
    steps: list[str | int] = []
    for step in _STEP.finditer(where):
        if step["index"] == "...":
            break  # inside a dict msgspec does not say which key: the dict as a whole is at fault
        steps.append(step["key"] if step["key"] is not None else int(step["index"]))
    return steps
