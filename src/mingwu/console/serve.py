"""The console role: the API's routes and the pages, on one port, in one process of its own."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI
from nicegui import ui

from mingwu.api.app import create_app
from mingwu.api.serve import run_hub, serve
from mingwu.api.services import Services
from mingwu.console import islands
from mingwu.console.pages import Pages
from mingwu.console.settings import ConsoleSettings
from mingwu.console.shell import SEAL

_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect x="1" y="1" width="30" height="30" rx="5" fill="#b5322b"/>'
    f'<path d="{SEAL}" fill="none" stroke="#fff" stroke-width="2.4"/></svg>'
)


def create_console(settings: ConsoleSettings, services: Services) -> FastAPI:
    """The API application with the console mounted on it. Once per process: NiceGUI is global."""
    app = create_app(services)
    islands.register()
    Pages(services, settings.public_url).register()
    ui.run_with(
        app,
        title="Mingwu",
        favicon=_FAVICON,
        dark=False,
        binding_refresh_interval=None,
        reconnect_timeout=settings.reconnect_s,
        message_history_length=50,
        tailwind=False,
        show_welcome_message=False,
    )
    return app


async def run_console(
    settings: ConsoleSettings,
    services: Services,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve pages, API and live socket until ``stop``."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_hub(services, stop), name="live-hub")
        await serve(create_console(settings, services), settings, stop, ready=ready)
        stop.set()
