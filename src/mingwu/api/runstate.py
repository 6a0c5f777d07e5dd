"""Which tags tell whether a machine runs.

The house's convention for plant files: an integer tag ``state`` counts 0 idle, 1 running, 2 fault,
3 set-up; a text tag ``state`` or ``execution`` says it in words; boolean tags ``running`` (or
``driving``) and ``alarm_active`` say it in parts. The console reads the rule once and then follows
the live values itself.
"""

from collections.abc import Sequence

import msgspec

from mingwu.api.ports import TagRow
from mingwu.kernel.plant import ValueType


class StateRule(msgspec.Struct, frozen=True, kw_only=True):
    """Tag numbers by their part in the state; null where the machine has none."""

    code: int | None = None
    word: int | None = None
    running: int | None = None
    alarm: int | None = None


def state_rule(tags: Sequence[TagRow]) -> StateRule | None:
    """The rule for a machine with these tags, or None if they do not tell."""
    by_name = {tag.name: tag for tag in tags}

    def first(kind: ValueType, *names: str) -> int | None:
        for name in names:
            tag = by_name.get(name)
            if tag is not None and tag.type is kind:
                return tag.number
        return None

    rule = StateRule(
        code=first(ValueType.INT, "state"),
        word=first(ValueType.TEXT, "state", "execution"),
        running=first(ValueType.BOOL, "running", "driving"),
        alarm=first(ValueType.BOOL, "alarm_active"),
    )
    return None if rule == StateRule() else rule
