"""What goes wrong with lent moulds: by command over the lab's control, or when its time has come.

Each incident is done with means that somebody outside the platform has: a mould is carried away, a
link is cut, a frame that was heard is sent again, a carrier's file is changed, a copy is built with
the serial number of another. What the platform answers to the last three is the result.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.bearers import Bearer
from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import InvalidInput, MingwuError, NotFound, Unavailable
from mingwu.lab import errors as _texts  # noqa: F401 — registers the texts
from mingwu.lab.carriers.carrier import SimulatedCarrier, Stranger
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.lab.control import Request
from mingwu.trust.keys import Algorithm, generate

log = logging.getLogger(__name__)

STRAY_M = 2500.0
AWAY = "carried-away"
_SELF_MADE_S = 3600
Parameters = Mapping[str, float | str]


async def try_clone(
    directory: Path, victim: SimulatedCarrier, bearer: Bearer, clock: Clock | None = None
) -> str:
    """Somebody builds a carrier with the serial number of another; the code of the refusal.

    The copy knows all that can be read from outside, but not the key.
    """
    clock = clock or SystemClock()
    now = clock.time_ns() // 1_000_000_000
    forger = Authority.create(
        generate(Algorithm.P256), "Somebody", start_s=now - _SELF_MADE_S, end_s=now + _SELF_MADE_S
    )
    profile = victim.agent.profile
    factory = Factory(forger, profile.address, profile.prefix, now)
    key, _ = await asyncio.to_thread(factory.open, directory, victim.mould)
    copy = CarrierAgent(directory, key, bearer, clock=clock)
    try:
        await copy.power_on()
    except Unavailable:
        raise
    except MingwuError as error:
        return _reason(error)
    finally:
        copy.close()
    return ""


async def try_tampered(directory: Path, victim: SimulatedCarrier, bearer: Bearer) -> str:
    """A carrier whose file and software were changed reports under another identifier."""
    await asyncio.to_thread(_copy_profile, directory, victim)
    changed = CarrierAgent(directory, victim.agent.key, bearer)
    try:
        name = changed.profile.identifier
        changed.profile = msgspec.structs.replace(changed.profile, identifier=f"{name}-X")
        changed.measure(victim.mould.readings())
        await changed.report()
    except Unavailable:
        raise
    except MingwuError as error:
        return _reason(error)
    finally:
        changed.close()
    return ""


def _copy_profile(directory: Path, victim: SimulatedCarrier) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    ProfileFile(directory / "profile.mwp").save(victim.agent.profile)


def _reason(error: MingwuError) -> str:
    """What the platform said, else what went wrong on the way."""
    return str(error.params.get("reason", error.code))


@dataclass(frozen=True, slots=True)
class Incident:
    """A kind of incident; those with ``stop`` last, the others are done once."""

    name: str
    zh: str
    en: str
    start: Callable[["Incidents", SimulatedCarrier, Parameters], Awaitable[str]]
    stop: Callable[[SimulatedCarrier], None] | None = None
    parameters: Mapping[str, float | str] = field(default_factory=dict)


async def _carry_away(_: "Incidents", carrier: SimulatedCarrier, parameters: Parameters) -> str:
    carrier.mould.north_m = float(parameters["metres"])
    return ""


def _bring_back(carrier: SimulatedCarrier) -> None:
    carrier.mould.north_m = 0.0


async def _cut(_: "Incidents", carrier: SimulatedCarrier, _parameters: Parameters) -> str:
    carrier.line.is_cut = True
    return ""


def _mend(carrier: SimulatedCarrier) -> None:
    carrier.line.is_cut = False


async def _clone(all_: "Incidents", carrier: SimulatedCarrier, _parameters: Parameters) -> str:
    stranger = Stranger(carrier.line)
    return await try_clone(all_.room("clone", carrier), carrier, stranger) and stranger.answer


async def _replay(_: "Incidents", carrier: SimulatedCarrier, _parameters: Parameters) -> str:
    if not carrier.line.report:
        return ""
    stranger = Stranger(carrier.line)
    await stranger.exchange(carrier.line.report)
    return stranger.answer


async def _tamper(all_: "Incidents", carrier: SimulatedCarrier, _parameters: Parameters) -> str:
    return await try_tampered(all_.room("tampered", carrier), carrier, Stranger(carrier.line))


INCIDENTS = {
    one.name: one
    for one in (
        Incident(AWAY, "模具被运离围栏", "a mould leaves its fence and works on",
                 _carry_away, _bring_back, {"metres": STRAY_M}),
        Incident("cut-link", "断网，离线缓存", "a carrier loses its link and buffers",
                 _cut, _mend),
        Incident("clone", "克隆载体（相同序列号）", "somebody copies a carrier's serial number",
                 _clone),
        Incident("replay", "重放上报报文", "somebody sends a report that was heard again", _replay),
        Incident("tamper", "篡改标识", "a carrier shows another identifier", _tamper),
    )
}  # fmt: skip


class Incidents:
    """The incidents of one fleet: those that the settings name, and those asked for."""

    def __init__(self, settings: CarrierLabSettings, carriers: Sequence[SimulatedCarrier]) -> None:
        self._settings, self._carriers = settings, carriers
        self._begun = time.monotonic()
        self._done: set[str] = set()
        self._active: dict[tuple[str, str], dict[str, object]] = {}
        for carrier in carriers:  # what a mould remembers goes on after a restart
            if metres := carrier.mould.north_m:
                serial = serial_of(carrier.mould)
                told: dict[str, object] = {"name": AWAY, "target": serial, "metres": metres}
                self._active[AWAY, serial] = told

    def room(self, kind: str, carrier: SimulatedCarrier) -> Path:
        """Where somebody builds what he tries."""
        return Path(self._settings.directory) / kind / serial_of(carrier.mould)

    async def turn(self) -> None:
        """See whether something is due."""
        age_s = time.monotonic() - self._begun
        await self._due(AWAY, self._settings.stray_after_s, age_s, 0)
        await self._due("clone", self._settings.clone_after_s, age_s, 1)

    async def _due(self, name: str, after_s: float, age_s: float, which: int) -> None:
        if not after_s or age_s < after_s or name in self._done:
            return
        serial = serial_of(self._carriers[which % len(self._carriers)].mould)
        try:
            await self.start(name, serial, {})
        except MingwuError as error:
            log.debug("incident=%s put off code=%s", name, error.code)
        else:
            self._done.add(name)

    async def answer(self, request: Request) -> object:
        """The lab's control: start, stop, list, status."""
        match request.action:
            case "start":
                return await self.start(request.name, request.target, request.parameters)
            case "stop":
                return self.stop(request.name, request.target)
            case "list":
                return {"active": list(self._active.values()), "known": self._known()}
            case "status":
                return self._status()
            case action:
                raise InvalidInput(
                    "lab.bad-request",
                    fault=Phrase(f"no action “{action}”", f"没有“{action}”这一操作"),
                )

    async def start(self, name: str, target: str, parameters: Parameters) -> dict[str, object]:
        """Let an incident happen; ``answer`` is the platform's, where it is asked.

        Raises NotFound ``lab.unknown-fault``, ``lab.unknown-target``, InvalidInput
        ``lab.bad-parameter``.
        """
        incident, carrier = self._find(name, target)
        given = {**incident.parameters, **_checked(incident, parameters)}
        serial = serial_of(carrier.mould)
        answer = await incident.start(self, carrier, given)
        told: dict[str, object] = {"name": name, "target": serial, **given}
        if incident.stop is not None:
            self._active[name, serial] = told
        else:
            told["answer"] = answer or "nothing to send yet"
        log.info("incident=%s serial=%s answer=%s", name, serial, answer or "-")
        return told

    def stop(self, name: str, target: str) -> dict[str, object]:
        """End an incident that lasts."""
        incident, carrier = self._find(name, target)
        if incident.stop is not None:
            incident.stop(carrier)
        serial = serial_of(carrier.mould)
        return {
            "name": name,
            "target": serial,
            "stopped": bool(self._active.pop((name, serial), 0)),
        }

    def _find(self, name: str, target: str) -> tuple[Incident, SimulatedCarrier]:
        incident = INCIDENTS.get(name)
        if incident is None:
            raise NotFound("lab.unknown-fault", name=name, known=", ".join(INCIDENTS))
        wanted = target.casefold()
        for carrier in self._carriers:
            profile = carrier.agent.profile
            short = f"M{carrier.mould.number:04d}"
            names = (profile.serial, profile.identifier, short, f"MLD.{short}")
            if wanted in {one.casefold() for one in names if one}:
                return incident, carrier
        known = ", ".join(serial_of(carrier.mould) for carrier in self._carriers[:8])
        raise NotFound("lab.unknown-target", name=name, target=target, known=known)

    def _known(self) -> list[dict[str, object]]:
        serials = [serial_of(carrier.mould) for carrier in self._carriers]
        return [
            {
                "name": one.name, "zh": one.zh, "en": one.en,
                "parameters": dict(one.parameters), "targets": serials,
            }
            for one in INCIDENTS.values()
        ]  # fmt: skip

    def _status(self) -> dict[str, object]:
        return {
            "carriers": len(self._carriers),
            "registered": sum(bool(one.agent.profile.identifier) for one in self._carriers),
            "waiting": {
                serial_of(one.mould): waiting
                for one in self._carriers
                if (waiting := len(one.agent.buffer))
            },
            "faults": list(self._active.values()),
            "time_s": time.time(),
        }


def _checked(incident: Incident, parameters: Parameters) -> dict[str, float | str]:
    known = ", ".join(f"{key}={value}" for key, value in incident.parameters.items()) or "–"
    for key, value in parameters.items():
        if key not in incident.parameters:
            fault = Phrase(f"no parameter “{key}”", f"没有参数“{key}”")
        elif not isinstance(value, int | float):
            fault = Phrase(f"{key}: “{value}” is no number", f"{key}：“{value}”不是数")
        else:
            continue
        raise InvalidInput("lab.bad-parameter", name=incident.name, fault=fault, known=known)
    return dict(parameters)
