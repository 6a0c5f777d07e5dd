"""The day's quota of a tenant, from answered questions over the signed log to code 603 and back."""

import time

import httpx
import pytest

from mingwu.identity.client.handleclient import resolve
from mingwu.identity.secondlevel.model import HostedItem, Mode, Quota
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.server.process import ResolverServer, open_store, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.usage.dayquota import FEWEST, DayQuota
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import UsageSettings
from mingwu.lab.enterprises.trade import stranger
from mingwu.node.prefixuse import LogUse
from mingwu.store.settings import StoreSettings
from mingwu.wire.handle.codes import Rc

pytestmark = pytest.mark.anyio
LIMIT = 5
HELD = 300
NAME = "EDU.000001-1"


def registered():
    return {}


@pytest.fixture
async def running(tmp_path):
    """A resolver whose log a second-level node counts; loopback addresses count as clients."""
    settings = ResolverSettings(
        directory=str(tmp_path / "names"), port=0, http_port=0, durable=False,
        map_bytes=2**26, prefixes=("88.101",),
    )  # fmt: skip
    usage = UsageSettings(directory=str(tmp_path / "usage"), own_networks=(), flush_s=0.05)
    store = open_store(settings)
    quota = DayQuota(store, usage)
    log = UsageLog.open(usage, node="test", registered=registered, quota=quota)
    second = SecondLevelSettings(
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'node.db'}"),
        escrow_directory=str(tmp_path / "escrow"),
        secrets_directory=str(tmp_path / "secrets"),
    )
    async with ResolverServer(settings, store, usage=log) as server:
        node = SecondLevel.open(second, store, site_of(settings, server.port, server.http_port))
        node.day_source = LogUse(usage, registered).of_day
        yield server, node, quota
        node.close()
    log.close()
    store.close()


def tenant(node, limit=LIMIT):
    form = stranger(node.settings.prefix, 2, Mode.HOSTED)
    prefix = node.applications.accept(node.applications.submit(form, "a").id, "b").prefix
    made = node.hosted.register(prefix, [HostedItem(name=f"{prefix}/{NAME}")])
    assert [one.code for one in made] == [Rc.SUCCESS]
    node.tenants.set_quota(
        form.organisation.uscc, Quota(prefixes=1, identifiers=9, daily_requests=limit)
    )
    return prefix, form.organisation.uscc


async def test_a_tenant_over_its_daily_quota_is_refused_on_every_way(running):
    server, node, quota = running
    prefix, uscc = tenant(node)
    address = f"127.0.0.1:{server.port}"

    async def asked() -> int:
        return (await resolve(f"{prefix}/{NAME}", address)).rc

    def round_of_duties():
        time.sleep(0.3)  # the log writes behind
        node.count()
        quota.follow()

    assert [await asked() for _ in range(LIMIT)] == [Rc.SUCCESS] * LIMIT
    round_of_duties()
    assert await asked() == Rc.IDIS_DAILY_LIMIT
    async with httpx.AsyncClient() as client:
        for more in ("", "?type=URL"):
            url = f"http://127.0.0.1:{server.http_port}/api/handles/{prefix}/{NAME}{more}"
            reply = await client.get(url)
            assert (reply.status_code, reply.json()["responseCode"]) == (429, 603)
    assert (await resolve(f"0.NA/{prefix}", address)).ok
    (row,) = [one for one in node.usage.tenants() if one["uscc"] == uscc]
    assert row["requests"] == LIMIT  # the prefix record is another prefix's, refusals come later
    node.tenants.set_quota(uscc, Quota(prefixes=1, identifiers=9, daily_requests=1000))
    round_of_duties()
    assert await asked() == Rc.SUCCESS


async def test_it_is_held_between_two_rounds_of_duties(running):
    server, node, quota = running
    prefix, _ = tenant(node, HELD)
    node.count()
    quota.follow()
    address = f"127.0.0.1:{server.port}"
    codes = [
        (await resolve(f"{prefix}/{NAME}", address, transport="tcp")).rc
        for _ in range(HELD + FEWEST + 9)
    ]
    answered = codes.count(Rc.SUCCESS)
    assert HELD <= answered <= HELD + FEWEST
    assert codes == [Rc.SUCCESS] * answered + [Rc.IDIS_DAILY_LIMIT] * (len(codes) - answered)
