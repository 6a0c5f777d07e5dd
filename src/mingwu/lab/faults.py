"""Fault injection: named faults put on targets of one or more replicas, listed, taken away.

A target is a device (``dcm01``), a server (``opcua1``), a mould (``M0187``), or the identifier of
a thing with or without prefix (``DEV.DCM2500.01``). A fault changes the physics or a gate; the
values and bytes that follow are made by the same code as healthy ones.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.lab import errors
from mingwu.lab.gate import Gate
from mingwu.lab.physics.diecasting import Mould
from mingwu.lab.site import Site

__all__ = ["FAULTS", "Faults", "errors"]

Parameters = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault; ``parameters`` name -> default."""

    name: str
    zh: str
    en: str
    parameters: Mapping[str, float | str]
    start: Callable[["Target", Parameters], None]
    stop: Callable[["Target"], None]
    applies: Callable[["Target"], bool]


@dataclass(slots=True)
class Target:
    """What a fault works on: a device or server of a site, or a mould."""

    name: str
    site: Site
    gates: Sequence[Gate]
    device: str = ""
    mould: Mould | None = None
    drop: Callable[[], None] | None = None


@dataclass(slots=True)
class Active:
    """A fault at work since ``since_s`` (wall clock)."""

    fault: Fault
    target: Target
    parameters: Parameters
    since_s: float

    def as_dict(self) -> dict[str, object]:
        """For the control's answer."""
        return {
            "name": self.fault.name,
            "target": self.target.name,
            "parameters": dict(self.parameters),
            "since_s": self.since_s,
        }


def _drift(target: Target, parameters: Parameters) -> None:
    if target.mould is not None:
        target.mould.drift_k_per_min = float(parameters["k_per_min"])


def _no_drift(target: Target) -> None:
    if target.mould is not None:
        target.mould.drift_k_per_min = 0.0


def _stick(target: Target, parameters: Parameters) -> None:
    readings = target.site.readings_of(target.device)
    chosen = str(parameters["property"])
    names = [chosen] if chosen else list(readings)
    if chosen and chosen not in readings:
        known = ", ".join(sorted(readings))
        raise InvalidInput(
            "lab.bad-parameter",
            name="stuck-value",
            fault=Phrase(f"no property “{chosen}”", f"没有属性“{chosen}”"),
            known=known,
        )
    for gate in target.gates:
        gate.stuck = {name: readings[name] for name in names}


def _unstick(target: Target) -> None:
    for gate in target.gates:
        gate.stuck = {}


def _set(field: str, parameter: str = "") -> Callable[[Target, Parameters], None]:
    """Start function that sets a gate's field, to a parameter or to True."""

    def start(target: Target, parameters: Parameters) -> None:
        for gate in target.gates:
            setattr(gate, field, float(parameters[parameter]) if parameter else True)
        if field == "dead" and target.drop is not None:
            target.drop()

    return start


def _clear(field: str) -> Callable[[Target], None]:
    def stop(target: Target) -> None:
        for gate in target.gates:
            setattr(gate, field, getattr(Gate(), field))

    return stop


def _has_gate(target: Target) -> bool:
    return bool(target.gates)


def _has_clock(target: Target) -> bool:
    """Modbus carries no time: there is no clock to jump."""
    site = target.site
    clocked = (*site.publishers, *site.world.machines, site.layout.mes.device)
    return target.device in clocked


def _speaks(target: Target) -> bool:
    """The MES table is a file; everything else has a server or a publisher."""
    return bool(target.gates) and target.device != target.site.layout.mes.device


def _answers(target: Target) -> bool:
    """A machining centre has no socket of its own: its server is what can be slow."""
    return _speaks(target) and target.device not in target.site.world.machines


def _has_readings(target: Target) -> bool:
    return bool(target.gates) and target.device in target.site.world.stations


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "die-temperature-drift",
            "模温漂移",
            "scale grows in a mould's cooling bores",
            {"k_per_min": 1.0},
            _drift,
            _no_drift,
            lambda target: target.mould is not None,
        ),
        Fault("dead-device", "设备失联", "a device loses its power", {},
              _set("dead"), _clear("dead"), _has_gate),
        Fault("garbage-frames", "乱码报文", "a device answers with noise", {},
              _set("garbage"), _clear("garbage"), _speaks),
        Fault("stuck-value", "数值卡死", "readings stop moving", {"property": ""},
              _stick, _unstick, _has_readings),
        Fault("clock-jump", "时钟跳变", "a device's clock is wrong", {"seconds": 3600.0},
              _set("skew_s", "seconds"), _clear("skew_s"), _has_clock),
        Fault("slow-server", "响应缓慢", "a server answers late", {"seconds": 3.0},
              _set("delay_s", "seconds"), _clear("delay_s"), _answers),
    )
}  # fmt: skip


class Faults:
    """The faults of the sites of one process."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = sites
        self._active: dict[tuple[str, str], Active] = {}

    def start(self, name: str, target: str, parameters: Parameters) -> dict[str, object]:
        """Put a fault on a target; again with other parameters changes it.

        Raises NotFound ``lab.unknown-fault``/``lab.unknown-target``, InvalidInput
        ``lab.bad-parameter``.
        """
        fault, where = self._find(name, target)
        merged = {**fault.parameters, **self._checked(fault, parameters)}
        fault.start(where, merged)
        active = Active(fault, where, merged, time.time())
        self._active[name, where.name] = active
        return active.as_dict()

    def stop(self, name: str, target: str) -> dict[str, object]:
        """Take a fault away; without a fault there it does nothing."""
        fault, where = self._find(name, target)
        fault.stop(where)
        active = self._active.pop((name, where.name), None)
        return {"name": name, "target": where.name, "stopped": active is not None}

    def listing(self) -> list[dict[str, object]]:
        """Faults at work, oldest first."""
        return [active.as_dict() for active in self._active.values()]

    def known(self) -> list[dict[str, object]]:
        """Every kind of fault with its parameters and what it works on here."""
        candidates = [found for site in self._sites for found in targets(site)]
        return [
            {
                "name": fault.name,
                "zh": fault.zh,
                "en": fault.en,
                "parameters": dict(fault.parameters),
                "targets": [one.name for one in candidates if fault.applies(one)],
            }
            for fault in FAULTS.values()
        ]

    def _find(self, name: str, target: str) -> tuple[Fault, Target]:
        fault = FAULTS.get(name)
        if fault is None:
            raise NotFound("lab.unknown-fault", name=name, known=", ".join(FAULTS))
        candidates = [found for site in self._sites for found in targets(site)]
        wanted = target.rpartition("/")[2].casefold()
        for candidate in candidates:
            if wanted in aliases(candidate) and fault.applies(candidate):
                return fault, candidate
        known = ", ".join(candidate.name for candidate in candidates if fault.applies(candidate))
        raise NotFound("lab.unknown-target", name=name, target=target, known=known)

    @staticmethod
    def _checked(fault: Fault, parameters: Parameters) -> dict[str, float | str]:
        known = ", ".join(f"{key}={value}" for key, value in fault.parameters.items()) or "–"
        checked: dict[str, float | str] = {}
        for key, value in parameters.items():
            default = fault.parameters.get(key)
            if default is None:
                raise InvalidInput(
                    "lab.bad-parameter",
                    name=fault.name,
                    fault=Phrase(f"no parameter “{key}”", f"没有参数“{key}”"),
                    known=known,
                )
            try:
                checked[key] = type(default)(value)
            except ValueError as error:
                raise InvalidInput(
                    "lab.bad-parameter", name=fault.name, fault=f"{key}: {error}", known=known
                ) from error
        return checked


def aliases(target: Target) -> set[str]:
    """Names a target answers to, case folded: device, mould, identifier without prefix."""
    names = {target.name}
    if target.mould is not None:
        names |= {f"MLD.{target.name}", target.device}
    elif target.device:
        names.add(target.site.suffixes[target.device])
    return {name.casefold() for name in names}


def targets(site: Site) -> list[Target]:
    """Everything a fault can be put on at one site.

    Moulds come last: a cell's device name means the cell where a fault fits both.
    """
    found: list[Target] = []
    for device, gate in site.gates.items():
        gates, drop = [gate], site.drop_of(device)
        found.append(Target(device, site, gates, device=device, drop=drop))
    for name, server in site.opcua.items():
        found.append(Target(name, site, [server.gate], drop=server.drop_connections))
    for device, cell in site.world.cells.items():
        found.append(Target(f"M{cell.mould.number:04d}", site, [], device, cell.mould))
    return found
