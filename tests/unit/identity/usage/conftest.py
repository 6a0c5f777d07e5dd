"""A log whose time the test owns, and messages to feed it."""

from pathlib import Path

import pytest

from mingwu.identity.client.handleclient import request
from mingwu.identity.server.usagenote import Via
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.segment import SALT_FILE
from mingwu.identity.usage.settings import OwnerSettings, UsageSettings
from mingwu.trust import keys, secrets
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.message import encode

# 2026-11-23 10:00:00 in Beijing
START_MS = 1_795_399_200_000
OWNER_NETWORK = "203.0.113.0/24"


class ManualClock:
    def __init__(self, ms=START_MS):
        self.ms = ms

    def time_ns(self):
        return self.ms * 1_000_000

    def monotonic_ns(self):
        return self.ms * 1_000_000


class Feeder:
    """Sends questions as the resolver would; ``rows`` keeps what was sent for naive counting."""

    def __init__(self, log, clock):
        self.log, self.clock, self.rows = log, clock, []

    def ask(self, name, source="198.51.100.7", *, rc=1, op=1, console=False, latency_us=50):
        started = self.clock.time_ns() - latency_us * 1000
        if console:
            self.log.note_named(op, rc, name, source, started, console=True)
        else:
            message = encode(request(op, Resolve(name).encode(), request_id=7))
            reply = bytes(24) + rc.to_bytes(4) + bytes(16)
            self.log.note(message, reply, source, Via.UDP, started)
        self.rows.append((self.clock.ms, name, source, rc, op, console))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def settings(tmp_path):
    return UsageSettings(
        directory=str(tmp_path / "usage"),
        flush_s=10,
        health_networks=("192.0.2.0/28",),
        health_names=("88.888.101/PROBE",),
        owners=(OwnerSettings(prefix="88.888.101", networks=(OWNER_NETWORK,)),),
        algorithm="ed25519",
    )


KEY = keys.generate(Algorithm.ED25519)
REGISTERED = {"88.888.101": 4, "88.888.102": 10}


def started(settings, clock):
    salt = secrets.load_or_create(Path(settings.directory), SALT_FILE)
    log = UsageLog(
        settings, KEY, salt, node="n1", registered=lambda: REGISTERED, clock=clock,
        ticks=clock.time_ns,
    )  # fmt: skip
    log.start()
    return log


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr("mingwu.identity.usage.log.os.fsync", bool)


@pytest.fixture
def log(settings, clock):
    log = started(settings, clock)
    yield log
    log.close()


@pytest.fixture
def feeder(log, clock):
    return Feeder(log, clock)


@pytest.fixture(scope="session")
def make_log():
    """Logs in directories of their own, for tests that need many."""

    def make(directory):
        settings = UsageSettings(
            directory=str(directory),
            flush_s=10,
            health_networks=("192.0.2.0/28",),
            health_names=("88.888.101/PROBE",),
            owners=(OwnerSettings(prefix="88.888.101", networks=(OWNER_NETWORK,)),),
            algorithm="ed25519",
        )
        clock = ManualClock()
        log = started(settings, clock)
        return log, Feeder(log, clock), clock

    return make
