"""What messages of the top node's queue mean for this node.

A message tells that a pending change of a prefix was decided, or that the top node answers for us
from escrow (and no longer does). Taking a message twice is the same as once: the queue delivers at
least once.
"""

from mingwu.identity.secondlevel.epp import NAMES
from mingwu.identity.secondlevel.monitoring import OTHER, Monitoring
from mingwu.identity.secondlevel.prefixes import Prefixes
from mingwu.identity.secondlevel.upstream import Notice

APPROVED = frozenset({"serverApproved", "clientApproved"})
TAKEOVER, HANDBACK = "takeover", "handback"


def take_notice(prefixes: Prefixes, monitoring: Monitoring, own: str, notice: Notice) -> None:
    """Act on one message; what is not understood stays in the log only."""
    decided = notice.fields.get(NAMES["transfer"], "")
    if decided and decided != "pending":
        state = "registered" if decided in APPROVED else "refused"
        prefixes.set_upstream(notice.prefix, state)
    event = notice.fields.get(NAMES["event"], "")
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
