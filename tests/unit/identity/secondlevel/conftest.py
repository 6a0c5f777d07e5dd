"""A second-level node over temporary stores, with a clock that the test owns."""

import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    Kind,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

START_MS = 1_790_000_000_000  # 2026-09-21 21:33 in Beijing


class ManualClock:
    def __init__(self):
        self.ms = START_MS

    def time_ns(self):
        return self.ms * 1_000_000

    def monotonic_ns(self):
        return self.ms * 1_000_000


def uscc(number):
    first = f"91330000MA{number:07d}"
    return first + check_digit(first)


def form(number=1, *, kind=Kind.APPLY, mode=Mode.HOSTED, prefix="", industry="C3670", **more):
    return ApplicationForm(
        kind=kind,
        prefix=prefix or f"88.101.{number}",
        organisation=Organisation(
            uscc=more.pop("uscc", uscc(number)), name=f"企业{number}", industry=industry
        ),
        legal_person=Person(name="张三", number=more.pop("citizen", "")),
        contact=Person(name="李四", phone=more.pop("phone", "13800000000")),
        mode=mode,
        site=more.pop("site", SiteForm(host="127.0.0.1", port=2641) if mode == Mode.OWN else None),
    )


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def records(tmp_path):
    store = RecordStore(tmp_path / "records", map_bytes=2**28, durable=False)
    yield store
    store.close()


@pytest.fixture
def settings(tmp_path):
    return SecondLevelSettings(
        store=StoreSettings(url=sqlite_url(tmp_path / "node.db")),
        escrow_directory=str(tmp_path / "escrow"),
        secrets_directory=str(tmp_path / "secrets"),
        retry_s=1.0,
        simulated=True,
    )


@pytest.fixture
def node(records, settings, clock):
    made = SecondLevel.open(settings, records, site_at("127.0.0.1", 2641), clock)
    yield made
    made.close()


@pytest.fixture
def accepted(node):
    def accept(number=1, **more):
        return node.applications.accept(node.applications.submit(form(number, **more), "a").id, "r")

    return accept


@pytest.fixture
def make_form():
    return form
