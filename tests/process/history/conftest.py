"""A historian shared by the tests of a session; each test has its own database in it."""

import itertools
import selectors
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mingwu.history.client import History
from mingwu.history.settings import HistorianSettings, HistorySettings

HERE = Path(__file__).parent
START_S = 60.0
PASSWORD = "pw"
_databases = itertools.count(1)


class HistorianProcess:
    """A historian process; ``kill`` and ``start`` again on the same directory and port."""

    def __init__(self, settings: HistorianSettings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "historian_main.py"), msgspec.json.encode(self.settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(START_S), "the historian did not start in time"
        port = self.process.stdout.readline()
        assert port, self.process.communicate()[1]
        self.settings = msgspec.structs.replace(self.settings, port=int(port))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode

    def client(self, database: str = "") -> HistorySettings:
        return HistorySettings(
            url=f"http://127.0.0.1:{self.settings.port}",
            password=PASSWORD,
            database=database or f"test{next(_databases)}",
        )


@pytest.fixture(scope="session")
def historian(tmp_path_factory):
    directory = tmp_path_factory.mktemp("historian")
    process = HistorianProcess(
        HistorianSettings(
            directory=str(directory),
            port=0,
            password=PASSWORD,
            max_waiting=16,
            max_query_mib=256,
            max_result_mib=16,
        )
    )
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def history(historian):
    """A history with its tables, empty."""
    client = await History.open(historian.client())
    await client.ensure_schema()
    yield client
    await client.close()


@pytest.fixture
def own_historian(tmp_path):
    """A historian that the test may kill."""
    process = HistorianProcess(
        HistorianSettings(directory=str(tmp_path / "historian"), port=0, password=PASSWORD)
    )
    process.start()
    yield process
    process.stop()
