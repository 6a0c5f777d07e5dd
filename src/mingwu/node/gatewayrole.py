"""The gateway role: takes its specification from the registry and follows its changes.

The last specification is kept in the data directory, so a gateway starts and acquires while the
registry is away.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from mingwu.edge.gateway import run_gateway
from mingwu.kernel.errors import MingwuError, NotFound
from mingwu.kernel.plant import GatewaySpec
from mingwu.node.config import Config
from mingwu.node.live import open_bus, pause
from mingwu.registry.service import Registry

log = logging.getLogger(__name__)


async def run(config: Config, name: str, stop: asyncio.Event) -> None:
    """Run gateway ``name`` until ``stop``, anew with each changed specification."""
    registry = Registry.open(config.registry)
    kept = config.data / f"gateway-{name}.json"
    bus = await open_bus(config.bus, f"{config.node.name}-gateway-{name}", stop)
    if bus is None:
        return
    try:
        while not stop.is_set():
            spec = await asyncio.to_thread(_specification, registry, name, kept)
            changed = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(
                    _watch(registry, name, spec, config.node.registry_watch_s, changed, stop)
                )
                await run_gateway(spec, bus, config.gateway, changed)
                watching.cancel()
    finally:
        await bus.close()
        registry.close()


def _specification(registry: Registry, name: str, kept: Path) -> GatewaySpec:
    try:
        spec = registry.gateway(name)
    except NotFound:
        raise
    except MingwuError as error:
        if not kept.exists():
            raise
        log.warning("registry=missing using=%s fault=%s", kept.name, error)
        return msgspec.json.decode(kept.read_bytes(), type=GatewaySpec)
    draft = kept.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(spec))
    draft.chmod(0o600)  # device settings may hold passwords
    draft.replace(kept)
    return spec


async def _watch(
    registry: Registry,
    name: str,
    spec: GatewaySpec,
    period_s: float,
    changed: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Set ``changed`` when the specification differs or the process is to stop."""
    generation = -1
    while not stop.is_set():
        try:
            now = await asyncio.to_thread(registry.generation)
            if now != generation:
                generation = now
                if await asyncio.to_thread(registry.gateway, name) != spec:
                    log.info("gateway=%s specification=changed generation=%d", name, now)
                    break
        except MingwuError as error:
            log.debug("registry fault=%s", error)
        await pause(stop, period_s)
    changed.set()
