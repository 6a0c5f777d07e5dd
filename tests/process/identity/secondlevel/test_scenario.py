"""Scenario S3 in small: 60 enterprises, real own nodes, and the tenant that nobody asks."""

import pytest

from mingwu.identity.client.handleclient import resolve
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.lab.topnode.scenario import S3Settings, Scenario
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings


@pytest.mark.anyio
async def test_sixty_enterprises_and_one_that_registers_much(tmp_path):
    records = RecordStore(tmp_path / "records", map_bytes=2**28, durable=False)
    resolver = ResolverServer(
        ResolverSettings(
            directory=str(tmp_path / "records"), port=0, http_port=0, prefixes=("88.101",),
            durable=False,
        ),
        records,
    )  # fmt: skip
    settings = SecondLevelSettings(
        store=StoreSettings(url=sqlite_url(tmp_path / "node.db")),
        escrow_directory=str(tmp_path / "escrow"), secrets_directory=str(tmp_path / "keys"),
    )  # fmt: skip
    async with resolver:
        node = SecondLevel.open(settings, records, site_at("127.0.0.1", resolver.port))
        small = S3Settings(identifiers=3000, resolutions=400, real_nodes=2)
        address = "127.0.0.1", resolver.port
        try:
            async with Scenario(node, address, tmp_path, small) as scenario:
                made = await scenario.fill()
                assert (made.enterprises, made.own, made.hosted) == (60, 12, 48)
                assert (made.identifiers, made.resolved) == (3000, 400)
                name = "88.101.1005/MTR.000007"
                assert (await resolve(name, f"127.0.0.1:{resolver.port}")).ok
                await node.probe()
                states = {row["state"] for row in node.monitoring.states()}
                assert (len(node.monitoring.states()), states) == (13, {"up"})
            rows = {row["prefixes"][0]: row for row in node.usage.tenants()}
            much = rows[made.registers_much]
            assert (much["identifiers"], much["requests"]) == (500, 1)
            assert much["foreign_share"] == pytest.approx(0.002)
            others = [r for r in rows.values() if r["identifiers"] and r is not much]
            assert len(others) == 47
            assert sum(r["foreign_30d"] for r in others) > 300
        finally:
            node.close()
            records.close()
