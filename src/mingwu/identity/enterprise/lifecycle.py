"""The life cycle of an identifier: its states and the table of allowed transitions.

draft: written down, not resolvable; registered: resolvable; filed (备案): reported to the node
above and acknowledged; returned (退回): looked at and sent back with a reason, out of the filing
queue until it is changed; changed: filed or returned once, changed since, to be filed (again);
deregistered: no longer resolvable, its name and history stay. A returned name goes on resolving:
it was registered and acknowledged. A deregistered name can only come back as the same owner's;
everything else follows the table.
"""

from enum import StrEnum

from mingwu.kernel.catalogue import Phrase


class State(StrEnum):
    """States, in the order an identifier usually takes."""

    DRAFT = "draft"
    REGISTERED = "registered"
    FILED = "filed"
    CHANGED = "changed"
    RETURNED = "returned"
    DEREGISTERED = "deregistered"


class Action(StrEnum):
    """What can be done to an identifier."""

    DRAFT = "draft"
    REGISTER = "register"
    CHANGE = "change"
    FILE = "file"
    RETURN = "return"
    DEREGISTER = "deregister"


WORDS: dict[StrEnum, Phrase] = {
    State.DRAFT: Phrase("draft", "草稿"),
    State.REGISTERED: Phrase("registered", "已注册"),
    State.FILED: Phrase("filed", "已备案"),
    State.CHANGED: Phrase("changed", "已变更"),
    State.RETURNED: Phrase("returned", "已退回"),
    State.DEREGISTERED: Phrase("deregistered", "已注销"),
    Action.REGISTER: Phrase("register", "注册"),
    Action.CHANGE: Phrase("change", "变更"),
    Action.FILE: Phrase("file", "备案"),
    Action.RETURN: Phrase("return", "退回"),
    Action.DEREGISTER: Phrase("deregister", "注销"),
}
"""States and actions as sentences name them."""

TRANSITIONS: dict[tuple[State | None, Action], State] = {
    (None, Action.DRAFT): State.DRAFT,
    (None, Action.REGISTER): State.REGISTERED,
    (State.DRAFT, Action.DRAFT): State.DRAFT,
    (State.DRAFT, Action.CHANGE): State.DRAFT,
    (State.DRAFT, Action.REGISTER): State.REGISTERED,
    (State.DRAFT, Action.DEREGISTER): State.DEREGISTERED,
    (State.REGISTERED, Action.CHANGE): State.REGISTERED,
    (State.REGISTERED, Action.FILE): State.FILED,
    (State.REGISTERED, Action.RETURN): State.RETURNED,
    (State.REGISTERED, Action.DEREGISTER): State.DEREGISTERED,
    (State.FILED, Action.CHANGE): State.CHANGED,
    (State.FILED, Action.DEREGISTER): State.DEREGISTERED,
    (State.CHANGED, Action.CHANGE): State.CHANGED,
    (State.CHANGED, Action.FILE): State.FILED,
    (State.CHANGED, Action.RETURN): State.RETURNED,
    (State.CHANGED, Action.DEREGISTER): State.DEREGISTERED,
    (State.RETURNED, Action.CHANGE): State.CHANGED,
    (State.RETURNED, Action.FILE): State.FILED,
    (State.RETURNED, Action.DEREGISTER): State.DEREGISTERED,
    (State.DEREGISTERED, Action.REGISTER): State.REGISTERED,
}

RESOLVABLE = frozenset({State.REGISTERED, State.FILED, State.CHANGED, State.RETURNED})
AWAITING_FILING = (State.REGISTERED, State.CHANGED)


def after(state: State | None, action: Action) -> State | None:
    """The state that ``action`` leads to, or None where the table does not allow it."""
    return TRANSITIONS.get((state, action))


def possible(state: State | None) -> list[Action]:
    """What the table allows in ``state``."""
    return [action for (source, action) in TRANSITIONS if source == state]
