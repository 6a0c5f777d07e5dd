"""What can go wrong around a second-level node, by command over the lab's control.

``cut-link``: the top-level node does not reach the second-level node any more; at the agreed share
of failed probes it answers from escrow. ``node-down``: an enterprise's own node stops listening.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.lab import errors as _texts  # noqa: F401 — registers the texts
from mingwu.lab.control import Request
from mingwu.lab.enterprises.load import Load
from mingwu.lab.enterprises.ownnodes import OwnNodes
from mingwu.lab.topnode.run import TopNode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Incident:
    """A kind of incident and what it can be put on; ``stop`` mends it."""

    name: str
    zh: str
    en: str
    targets: Callable[[], Sequence[str]]
    start: Callable[[str], Awaitable[None]]
    stop: Callable[[str], Awaitable[None]]


class Incidents:
    """The incidents of one node's surroundings, and the lab's status."""

    def __init__(self, top: TopNode, own: OwnNodes, load: Load) -> None:
        self._top, self._own, self._load = top, own, load
        self._active: dict[tuple[str, str], dict[str, object]] = {}
        prefixes = [node.prefix for node in top.settings.nodes]
        self._incidents = {
            one.name: one
            for one in (
                Incident("cut-link", "顶级节点与二级节点之间断链（接管演练）",
                         "the top-level node loses the node: takeover drill",
                         lambda: prefixes, self._cut, self._mend),
                Incident("node-down", "企业自建节点停机", "an enterprise's own node is down",
                         lambda: list(own.nodes), self._down, self._up),
            )
        }  # fmt: skip

    async def _cut(self, prefix: str) -> None:
        self._top.cut.add(prefix)

    async def _mend(self, prefix: str) -> None:
        self._top.cut.discard(prefix)

    async def _down(self, prefix: str) -> None:
        await self._own.nodes[prefix].stop()

    async def _up(self, prefix: str) -> None:
        await self._own.nodes[prefix].start()

    async def answer(self, request: Request) -> object:
        """The lab's control: start, stop, list, status."""
        match request.action:
            case "start":
                return await self.start(request.name, request.target, request.parameters)
            case "stop":
                return await self.stop(request.name, request.target)
            case "list":
                return {"active": list(self._active.values()), "known": self._known()}
            case "status":
                return self._status()
            case action:
                raise InvalidInput(
                    "lab.bad-request",
                    fault=Phrase(f"no action “{action}”", f"没有“{action}”这一操作"),
                )

    async def start(
        self, name: str, target: str, parameters: Mapping[str, float | str]
    ) -> dict[str, object]:
        """Let it happen. Raises NotFound ``lab.unknown-fault``, ``lab.unknown-target``,
        InvalidInput ``lab.bad-parameter``.
        """
        incident = self._find(name, target)
        for key in parameters:
            fault = Phrase(f"no parameter “{key}”", f"没有参数“{key}”")
            raise InvalidInput("lab.bad-parameter", name=name, fault=fault, known="–")
        await incident.start(target)
        told: dict[str, object] = {"name": name, "target": target}
        self._active[name, target] = told
        log.info("incident=%s target=%s", name, target)
        return told

    async def stop(self, name: str, target: str) -> dict[str, object]:
        """End it; without an incident there it does nothing."""
        await self._find(name, target).stop(target)
        stopped = self._active.pop((name, target), None) is not None
        return {"name": name, "target": target, "stopped": stopped}

    def _find(self, name: str, target: str) -> Incident:
        incident = self._incidents.get(name)
        if incident is None:
            raise NotFound("lab.unknown-fault", name=name, known=", ".join(self._incidents))
        if target not in incident.targets():
            known = ", ".join(incident.targets())
            raise NotFound("lab.unknown-target", name=name, target=target, known=known)
        return incident

    def _known(self) -> list[dict[str, Any]]:
        return [
            {"name": one.name, "zh": one.zh, "en": one.en, "parameters": {},
             "targets": list(one.targets())}
            for one in self._incidents.values()
        ]  # fmt: skip

    def _status(self) -> dict[str, object]:
        top = self._top
        return {
            "taken_over": sorted(top.taken_over),
            "failed_percent": {
                node.prefix: round(top.failed_percent(node.prefix)) for node in top.settings.nodes
            },
            "deposits": {prefix: len(ids) for prefix, ids in top.receiver.deposits.items()},
            "registered": len(top.registry.registered),
            "rows": dict(top.receiver.rows),
            "asked": dict(self._load.asked),
            "unanswered": self._load.failed,
            "own_nodes_down": [p for p, node in self._own.nodes.items() if not node.port],
            "faults": list(self._active.values()),
            "time_s": time.time(),
        }
