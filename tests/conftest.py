"""Shared by all suites: asyncio as the async backend, and marks by folder."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        suite = item.path.relative_to(HERE).parts[0]
        if suite in {"process", "browser"}:
            item.add_marker(getattr(pytest.mark, suite))
