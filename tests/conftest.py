"""Shared by all suites: asyncio as the async backend, marks by folder, an end in good order."""

import signal
import threading
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent

# A machine busy with other tests is slow, not wrong; examples are the same in every run.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_configure() -> None:
    """A run that is told to end takes the servers it started with it, as one does on Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        suite = item.path.relative_to(HERE).parts[0]
        if suite in {"process", "browser"}:
            item.add_marker(getattr(pytest.mark, suite))
