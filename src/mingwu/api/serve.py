"""Serving an ASGI application with uvicorn, without its signal handling, until told to stop.

permessage-deflate stays off: it doubles the CPU of the live fan-out and saves little on a LAN.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from mingwu.api.app import create_app
from mingwu.api.services import Services
from mingwu.api.settings import ApiSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)

STATUS_PERIOD_S = 5.0


class _Server(uvicorn.Server):
    """uvicorn leaves signals to the process that composes the node."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: ASGIApp,
    settings: ApiSettings,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Listen until ``stop``; ``ready`` gets the port. Raises Unavailable ``api.port-taken``."""
    listener = _listen(settings)
    port = int(listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_per_message_deflate=False,
        ws_max_size=1 << 20,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=30,
        proxy_headers=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="http-stop")
    log.info("http host=%s port=%d state=listening", settings.host, port)
    if ready is not None:
        ready(port)
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        listener.close()


def _listen(settings: ApiSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise Unavailable(
            "api.port-taken", host=settings.host, port=settings.port, fault=told(error)
        ) from error
    listener.setblocking(False)
    return listener


async def run_hub(services: Services, stop: asyncio.Event) -> None:
    """The hub's ticks and the board's summary, beside whatever serves the routes."""

    async def summaries() -> None:
        while not stop.is_set():
            services.status.publish_summary()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STATUS_PERIOD_S)

    await asyncio.gather(services.hub.run(stop), summaries())


async def run_api(
    settings: ApiSettings,
    services: Services,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """The API role: routes and live socket without a console."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_hub(services, stop), name="live-hub")
        await serve(create_app(services), settings, stop, ready=ready)
        stop.set()
