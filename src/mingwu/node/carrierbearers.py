"""The carriers' platform in a web process: over this node's registrars, and what runs beside.

The HTTPS bearer is a route of every web process; what only one may do runs in the leading one:
the MQTT and CoAP bearers, and letting the records catch up with the platform's decisions.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mingwu.identity.carriers.mqtt import serve_mqtt
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.registrars import NodeRegistrar
from mingwu.identity.carriers.settings import BearerKind
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import ConfigError
from mingwu.node.config import Config
from mingwu.node.live import pause

log = logging.getLogger(__name__)

CATCH_UP_S = 30.0
Beside = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def open_platform(
    config: Config,
    store: RecordStore,
    enterprise: EnterpriseNode | None,
    secondlevel: SecondLevel | None,
) -> CarrierPlatform:
    """The platform; carriers are registered by whichever node answers for their prefix."""
    own = prepare(config.data / "secrets")
    return CarrierPlatform.open(
        config.carriers,
        NodeRegistrar(
            records=RecordRegistrar(store), enterprise=enterprise, secondlevel=secondlevel
        ),
        key=own.key,
        certificate=own.certificate,
        anchors=own.anchors,
        store_key=own.store_key,
        table=store.carriers(),
    )


def beside(config: Config, platform: CarrierPlatform) -> list[Beside]:
    """What runs beside the routes of the leading web process.

    Raises ConfigError ``carriers.no-coap``.
    """

    async def catch_up(stop: asyncio.Event) -> None:
        log.info("resolvers told carriers=%d", await asyncio.to_thread(platform.tell_all))
        while not stop.is_set():
            told = await asyncio.to_thread(platform.catch_up)
            if told:
                log.info("records caught up carriers=%d", told)
            await pause(stop, CATCH_UP_S)

    found: list[Beside] = [catch_up]
    if BearerKind.MQTT in config.carriers.bearers:
        found.append(lambda stop: serve_mqtt(platform, config.carriers_mqtt, stop))
    if BearerKind.COAP in config.carriers.bearers:
        found.append(_coap(config, platform))
    return found


def _coap(config: Config, platform: CarrierPlatform) -> Beside:
    try:
        from mingwu.identity.carriers.coap import serve_coap
    except ImportError as error:
        raise ConfigError("carriers.no-coap") from error
    return lambda stop: serve_coap(platform, config.carriers_coap, stop)
