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
from mingwu.identity.carriers.connecting import OpenBearer, Ways
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.personalising import TokenKeys
from mingwu.identity.carriers.settings import BearerKind
from mingwu.identity.carriers.setup import prepare
from mingwu.lab.carriers.carrier import SimulatedCarrier
from mingwu.lab.carriers.incidents import Incidents
from mingwu.lab.carriers.memory import MouldMemory
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.lab.control import Control
from mingwu.trust.secrets import load_or_create

log = logging.getLogger(__name__)

_GRACE_S = 1.0


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
    settings: CarrierLabSettings,
    stop: asyncio.Event,
    started: asyncio.Event | None = None,
    control: tuple[str, int] | None = None,
) -> None:
    """Run all carriers until ``stop``; ``started`` is set when each has tried once.

    ``control``: host and port where incidents are ordered (``mingwu lab fault``).
    """
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
            memory = MouldMemory(directory, mould)
            await asyncio.to_thread(memory.recall)
            agent = CarrierAgent(directory, key, bearer, accept=memory.apply)
            stack.callback(agent.close)
            carriers.append(SimulatedCarrier(mould, agent, memory))
        incidents = Incidents(settings, carriers)
        if control:
            door = Control(incidents.answer)
            stack.push_async_callback(door.stop)
            await door.start(*control)
        async with asyncio.TaskGroup() as tasks:
            uploads: dict[str, asyncio.Task[None]] = {}
            looking: asyncio.Task[None] | None = None
            while not stop.is_set():
                for carrier in carriers:  # each measures on while its upload waits for the link
                    carrier.measure(settings.period_s * settings.speed)
                    serial = carrier.agent.profile.serial
                    if serial not in uploads or uploads[serial].done():
                        uploads[serial] = tasks.create_task(carrier.upload())
                if started is not None and not started.is_set():
                    await asyncio.wait(uploads.values())
                    started.set()
                if looking is None or looking.done():
                    looking = tasks.create_task(incidents.turn())
                with suppress(TimeoutError):
                    async with asyncio.timeout(settings.period_s):
                        await stop.wait()
            if uploads:  # whoever waits for a platform that is gone goes on at the next start
                _, waiting = await asyncio.wait(uploads.values(), timeout=_GRACE_S)
                for upload in waiting:
                    upload.cancel()
            if looking is not None:
                looking.cancel()
