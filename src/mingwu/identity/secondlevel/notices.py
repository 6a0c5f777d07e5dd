"""What messages of the top node's queue mean for this node.

A message tells that a pending change of a prefix was decided, or that the top node answers for us
from escrow (and no longer does).
"""

from typing import Protocol

from mingwu.identity.secondlevel.applications import Applications
from mingwu.identity.secondlevel.epp.messages import NAMES
from mingwu.identity.secondlevel.monitoring import OTHER, Monitoring
from mingwu.identity.secondlevel.prefixes import Prefixes
from mingwu.identity.secondlevel.upstream import Notice

APPROVED = frozenset({"serverApproved", "clientApproved"})
TAKEOVER, HANDBACK = "takeover", "handback"


class Node(Protocol):
    """What a message can change."""

    applications: Applications
    prefixes: Prefixes
    monitoring: Monitoring

    def hand_back(self, prefix: str, reason: str) -> bool:
        """Undo a transfer that the top node refused; whether there was one."""
        ...


def take_notice(node: Node, own: str, notice: Notice) -> None:
    """Act on one message; what is not understood stays in the log only."""
    decided = notice.fields.get(NAMES["transfer"], "")
    if decided in APPROVED:
        node.applications.passed_on(notice.prefix)
        node.prefixes.set_upstream(notice.prefix, "registered")
    elif decided not in {"", "pending"} and not node.hand_back(
        notice.prefix, notice.text or decided
    ):
        node.prefixes.set_upstream(notice.prefix, "refused")
    event, monitoring = notice.fields.get(NAMES["event"], ""), node.monitoring
    if event == TAKEOVER and not _is_open(monitoring, own):
        monitoring.report_event(
            own, TAKEOVER, OTHER, zh="国家顶级节点已启用应急接管，由托管数据提供解析",
            en="The top-level node answers for this node from escrow",
        )  # fmt: skip
    elif event == HANDBACK:
        monitoring.close_event(own, TAKEOVER)


def _is_open(monitoring: Monitoring, own: str) -> bool:
    return any(
        row["kind"] == TAKEOVER and row["node"] == own and not row["ended_ms"]
        for row in monitoring.events(since_ms=2**62)
    )
