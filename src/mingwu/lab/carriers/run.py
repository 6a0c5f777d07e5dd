"""The lent moulds as a role: ``run_carriers`` powers all carriers on and lets them report.

The platform must know their serial numbers first: ``units.json`` in the directory holds what to
provision (the bodies of ``POST /api/identity/carriers``), written by :func:`write_units`. A lost
platform is told once; samples wait in the carriers.
"""

import asyncio
import logging
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.bearers import Bearer
from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.connecting import OpenBearer, Ways
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.personalising import TokenKeys
from mingwu.identity.carriers.settings import BearerKind
from mingwu.identity.carriers.setup import prepare
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import MingwuError
from mingwu.lab.carriers.moulds import Mould, moulds
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.trust.keys import Algorithm, generate
from mingwu.trust.secrets import load_or_create

log = logging.getLogger(__name__)

STRAY_M = 2500.0
_SELF_MADE_S = 3600


def factory_of(settings: CarrierLabSettings) -> Factory:
    """The lab's carrier factory, with the authority of the platform's identity."""
    authority = prepare(Path(settings.authority)).authority
    made = Factory(
        authority, _address(settings), settings.prefix, int(time.time()),
        bearer=settings.bearer.value,
    )  # fmt: skip
    if not settings.token_module:
        return made
    pin_file = Path(settings.token_pin_file).absolute()
    return replace(made, keys=TokenKeys(settings.token_module, settings.token, pin_file))


def write_units(settings: CarrierLabSettings) -> list[NewUnit]:
    """Personalise all carriers; what the platform must be told, also in ``units.json``."""
    factory = factory_of(settings)
    base = Path(settings.directory)
    units = [
        factory.open(base / serial_of(mould), mould)[1]
        for mould in moulds(settings.moulds, settings.seed)
    ]
    listing = base / "units.json"
    listing.touch(mode=0o600)  # it holds what carriers on CoAP share with the platform
    listing.write_bytes(msgspec.json.encode(units))
    return units


def _address(settings: CarrierLabSettings) -> str:
    if settings.bearer is BearerKind.MQTT:
        return f"mqtt://{settings.mqtt.host}:{settings.mqtt.port}"
    if settings.bearer is BearerKind.COAP:
        return f"coap://{settings.coap.host}:{settings.coap.port}"
    return settings.platform


class _Bearers:
    """One connection for all carriers by HTTPS, one for each by MQTT and CoAP."""

    def __init__(self, settings: CarrierLabSettings, stack: AsyncExitStack) -> None:
        self._ways = Ways(
            settings.bearer, https=settings.platform, tls_ca=settings.tls_ca,
            mqtt=settings.mqtt, coap=settings.coap,
        )  # fmt: skip
        self._stack = stack
        self._shared: OpenBearer | None = None

    def open(self, serial: str, directory: Path) -> Bearer:
        """The bearer of a carrier whose profile lies in ``directory``."""
        if self._shared is not None:
            return self._shared
        made = self._ways.open(serial, directory, load_or_create(directory, "seal.bin"))
        self._stack.push_async_callback(made.close)
        if self._ways.kind is BearerKind.HTTPS:
            self._shared = made
        return made


async def run_carriers(
    settings: CarrierLabSettings, stop: asyncio.Event, started: asyncio.Event | None = None
) -> None:
    """Run all carriers until ``stop``; ``started`` is set when each has tried once."""
    await asyncio.to_thread(write_units, settings)
    factory = await asyncio.to_thread(factory_of, settings)
    fleet = moulds(settings.moulds, settings.seed)
    async with AsyncExitStack() as stack:
        bearers = _Bearers(settings, stack)
        carriers = []
        for mould in fleet:
            directory = Path(settings.directory) / serial_of(mould)
            key, _ = await asyncio.to_thread(factory.open, directory, mould)
            bearer = await asyncio.to_thread(bearers.open, serial_of(mould), directory)
            agent = CarrierAgent(directory, key, bearer, accept=mould.apply)
            stack.callback(agent.close)
            carriers.append(SimulatedCarrier(mould, agent))
        incidents = _Incidents(settings, carriers)
        while not stop.is_set():
            for carrier in carriers:
                await carrier.turn(settings.period_s * settings.speed)
                if stop.is_set():
                    break
            if started is not None:
                started.set()
            await incidents.turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.period_s):
                    await stop.wait()


class SimulatedCarrier:
    """A mould with its agent; tells a lost platform once and its return once."""

    def __init__(self, mould: Mould, agent: CarrierAgent) -> None:
        self.mould, self.agent, self._told = mould, agent, ""

    async def turn(self, seconds: float) -> None:
        """Let time pass, measure, and upload what waits."""
        self.mould.step(seconds)
        try:
            if not self.agent.profile.identifier:
                await self.agent.power_on()
            self.agent.measure(self.mould.readings())
            await self.agent.report()
        except MingwuError as error:
            if error.code != self._told:
                log.warning("carrier waits serial=%s: %s", self.agent.profile.serial, error)
            self._told = error.code
            return
        if self._told:
            log.info("carrier reports again serial=%s", self.agent.profile.serial)
            self._told = ""


class _Incidents:
    """The scenario's two incidents, each once when its time has come."""

    def __init__(self, settings: CarrierLabSettings, carriers: list[SimulatedCarrier]) -> None:
        self._settings, self._carriers = settings, carriers
        self._begun = time.monotonic()
        self._cloned = False

    async def turn(self) -> None:
        """See whether something is due."""
        age_s = time.monotonic() - self._begun
        stray_s, clone_s = self._settings.stray_after_s, self._settings.clone_after_s
        first = self._carriers[0].mould
        if stray_s and age_s >= stray_s and not first.north_m:
            first.carry_away(STRAY_M)
            log.info("mould carried away serial=%s", serial_of(first))
        if clone_s and age_s >= clone_s and not self._cloned:
            victim = self._carriers[1 % len(self._carriers)]
            directory = Path(self._settings.directory) / "clone"
            code = await try_clone(directory, victim, victim.agent.bearer)
            log.info("copy tried serial=%s answer=%s", serial_of(victim.mould), code)
            self._cloned = code != "carriers.unreachable"


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
    except MingwuError as error:
        return str(error.params.get("reason", error.code))
    finally:
        copy.close()
    return ""
