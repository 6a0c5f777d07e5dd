"""A real nats-server per test that asks for one."""

import pytest

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings


@pytest.fixture
def server(tmp_path):
    with NatsServer(ServerSettings(directory=str(tmp_path / "bus"), port=0, password="pw")) as it:
        yield it
