"""Names made by templates: evaluating HS_NAMESPACE at the moment of resolving.

A name of a served prefix that has no record is asked of the templates in ``0.NA/<prefix>``: split
at the template's delimiter (first one behind the slash) into base and extension, its values are
made from the base's public and live values; restricted ones never go in. Names are made of names
that are registered, so templates do not call templates. Regular expressions are RE2's (linear in
time; look-around and back-references are refused) and must match the whole text; steps, values and
bytes made are bounded, and whoever exceeds a bound has no such name.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import MAX_MESSAGE_BYTES, MAX_VALUES
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import small_int
from mingwu.wire.handle.namespace import Node, read_namespace
from mingwu.wire.handle.values import MAX_INDEX, HandleValue

log = logging.getLogger(__name__)

_TYPE = "HS_NAMESPACE"
_MOST_STEPS = 10_000
_MOST_BYTES = MAX_MESSAGE_BYTES // 2
_MOST_TESTED_CHARS = 1024
_REGEX_BYTES = 1 << 18
_REGEX_CHARS = 1000
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,31})(?:\[(\d{1,3})\])?\}")
_PERMISSION_BITS = 4

Scope = dict[str, list[str]]


class _NotFoundHere(Exception):  # noqa: N818 - control flow of one evaluation
    """The template says that there is no such name, or a bound was reached."""


def is_namespace(kind: str) -> bool:
    """Whether a value of this type holds templates."""
    return fold(kind) == _TYPE


@lru_cache(256)
def _regex(expression: str) -> Any:
    """A compiled RE2 expression; raises ProtocolError."""
    import re2  # here, since few prefixes have templates

    if len(expression) > _REGEX_CHARS:
        raise ProtocolError(f"expression of {len(expression)} characters")
    options = re2.Options()
    options.max_mem = _REGEX_BYTES
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise ProtocolError(f"expression {expression[:60]!r}: {error}") from error


@lru_cache(256)
def templates_in(data: bytes) -> tuple[Node, ...]:
    """The templates of HS_NAMESPACE data, every expression checked; raises ProtocolError."""
    found = tuple(read_namespace(data))
    waiting = list(found)
    while waiting:
        node = waiting.pop()
        if node.kind == "if" and node.attributes["test"] == "matches":
            _regex(node.attributes.get("expression", ""))
        waiting += node.children
    return found


def parts(template: Node, name: str) -> tuple[str, str] | None:
    """(base, extension) of a name; None when the template does not speak of it."""
    delimiter = template.attributes.get("delimiter", "")
    prefix, slash, suffix = name.partition("/")
    if not delimiter:
        return name, suffix
    head, mark, extension = suffix.partition(delimiter)
    return (prefix + slash + head, extension) if mark and head else None


def applicable(namespaces: Sequence[bytes], name: str) -> Iterator[tuple[Node, str, str]]:
    """(template, base, extension) of the templates that speak of ``name``; broken ones are none."""
    for data in namespaces:
        try:
            found = templates_in(data)
        except ProtocolError as error:
            log.debug("namespace of %s fault=%s", name, error)
            continue
        for template in found:
            split = parts(template, name)
            if split:
                yield template, *split


def evaluate(
    template: Node, name: str, base: str, extension: str, values: Sequence[HandleValue]
) -> tuple[HandleValue, ...]:
    """The values of ``name``; empty when there is no such name."""
    scope: Scope = {"handle": [name], "base": [base], "extension": [extension]}
    run = _Run(values)
    try:
        run.all(template.children, scope, None)
    except _NotFoundHere:
        return ()
    return tuple(run.made.values())


@dataclass(slots=True)
class _Run:
    """One evaluation."""

    values: Sequence[HandleValue]
    made: dict[int, HandleValue] = field(default_factory=dict)
    steps: int = 0
    size: int = 0

    def all(self, nodes: Sequence[Node], scope: Scope, current: HandleValue | None) -> None:
        passed = False
        for node in nodes:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise _NotFoundHere
            if node.kind == "if":
                passed = self._holds(node, scope)
                if passed:
                    self.all(node.children, dict(scope), current)
            elif node.kind == "else":
                if not passed:
                    self.all(node.children, dict(scope), current)
            elif node.kind == "foreach":
                for value in self.values:
                    self.all(node.children, scope | _fields(value), value)
            elif node.kind == "def":
                text = node.attributes.get("expression", node.text.strip())
                scope[node.attributes["parameter"]] = [filled(text, scope)]
            elif node.kind == "value":
                self._make(node, scope, current)
            else:
                raise _NotFoundHere

    def _holds(self, node: Node, scope: Scope) -> bool:
        tested = scope.get(node.attributes["value"], [""])[0]
        expression = node.attributes.get("expression", "")
        groups = [tested]
        if node.attributes["test"] == "equals":
            is_type = node.attributes["value"] == "type"
            holds = fold(tested) == fold(expression) if is_type else tested == expression
        else:
            if len(tested) > _MOST_TESTED_CHARS:
                raise _NotFoundHere
            match = _regex(expression).fullmatch(tested)
            holds = match is not None
            if match is not None:
                groups += [group or "" for group in match.groups()]
        parameter = node.attributes.get("parameter")
        if parameter:
            scope[parameter] = groups
        return holds

    def _make(self, node: Node, scope: Scope, current: HandleValue | None) -> None:
        given = {name: filled(text, scope) for name, text in node.attributes.items()}
        if "data" not in given and node.text.strip():
            given["data"] = filled(node.text.strip(), scope)
        if current is None and not {"index", "type", "data"} <= given.keys():
            raise _NotFoundHere
        start = current or HandleValue(0, "", b"")
        index = small_int(given["index"]) if "index" in given else start.index
        ttl = small_int(given["ttl"]) if "ttl" in given else start.ttl
        if index is None or not 0 < index <= MAX_INDEX or ttl is None:
            raise _NotFoundHere
        value = replace(
            start,
            index=index,
            type=given.get("type", start.type),
            data=given["data"].encode() if "data" in given else start.data,
            ttl=ttl,
            permissions=_permissions(given.get("permissions"), start.permissions),
            references=(),
        )
        self.size += len(value.data)
        if self.size > _MOST_BYTES or len(self.made) >= MAX_VALUES:
            raise _NotFoundHere
        self.made.setdefault(value.index, value)  # of two values at one index the first counts


def _permissions(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if len(text) != _PERMISSION_BITS or set(text) - {"0", "1"}:
        raise _NotFoundHere
    return int(text, 2)


def _fields(value: HandleValue) -> Scope:
    return {
        "index": [str(value.index)],
        "type": [value.type],
        "data": [value.text()],
        "ttl": [str(value.ttl)],
    }


def filled(text: str, scope: Scope) -> str:
    """Text with ``${name}`` and ``${name[number]}`` put in; unknown ones are empty."""

    def put(match: re.Match[str]) -> str:
        known = scope.get(match[1], [])
        number = int(match[2] or 0)
        return known[number] if number < len(known) else ""

    made = _VARIABLE.sub(put, text)
    if len(made) > _MOST_BYTES:
        raise _NotFoundHere
    return made
