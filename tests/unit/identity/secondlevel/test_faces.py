"""The monthly report and the HTTP handlers."""

import json
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse

from mingwu.identity.secondlevel import report
from mingwu.identity.secondlevel.monitoring import NETWORK, Probe
from mingwu.identity.secondlevel.routes import hostednames
from mingwu.identity.secondlevel.routes import queries as queryhttp
from mingwu.identity.secondlevel.routes.node import routes
from mingwu.kernel.errors import MingwuError

HOUR = 3_600_000


def test_report_of_a_month_in_four_groups(node, clock, accepted):
    accepted(1)
    good, bad = (Probe("88.101.2", ok=True, latency_us=2000),
                 Probe("88.101.2", ok=False, cause=NETWORK, detail="<b>x</b>"))  # fmt: skip
    node.monitoring.note([good] * 7)
    node.monitoring.note([bad] * 3)
    clock.ms += 2 * HOUR
    node.monitoring.note([good])
    own = Probe("88.101", ok=True, latency_us=3000)
    node.monitoring.note([own] * 3 + [Probe("88.101", ok=False, cause=NETWORK)])
    node.monitoring.set_peak("88.101", "2026-09-21", 41, clock.ms)
    node.monitoring.report_event("88.101", "maintenance", 4, zh="升级", en="upgrade")
    clock.ms += 1
    made = node.report()
    assert made["month"] == "2026-09"
    assert made["due"] == "2026-10-14"
    times = {row["node"]: row["down_hours"] for row in made["operating_time"]}
    assert times == {"88.101": 0.0, "88.101.2": 2.0}
    sla = made["sla"]
    # the node's own probes: an enterprise's node that is down breaks no promise of this one
    assert (sla["probes"], sla["percent"], sla["resolve_rtt_ms"]) == (4, 75.0, 3.0)
    assert (sla["met"], sla["peak_qps"]) == (False, 41)
    assert sla["register_rtt_ms"] is None
    assert sla["activated"] == 1
    assert [row["zh"] for row in made["maintenance"]] == ["升级"]
    assert made["emergencies"][0]["cause"] == NETWORK
    for lang, word in (("zh", "无数据"), ("en", "no data")):
        page = report.printable(made, lang)
        assert word in page
        assert "<b>x</b>" not in page
        mark = {"zh": "仿真数据", "en": "Simulated data"}[lang]
        assert mark in page
        assert mark not in report.printable(made | {"simulated": False}, lang)
    assert "<td>中断</td><td>网络</td>" in report.printable(made, "zh")
    empty = node.report("2026-08")
    assert empty["sla"]["percent"] is None


def test_nothing_is_claimed_of_the_hours_before_the_first_probe(node, clock):
    clock.ms += 20 * HOUR
    for _ in range(60):
        node.monitoring.note([Probe("88.101", ok=True, latency_us=2000)])
        clock.ms += 60_000
    rows = {row["node"]: row["hours"] for row in node.report()["operating_time"]}
    assert rows == {"88.101": 1.0}


def test_hours_in_which_the_node_was_off_are_neither_up_nor_down(node, clock, accepted):
    accepted(2)
    bad = Probe("88.101.2", ok=False, cause=NETWORK)
    own = Probe("88.101", ok=True, latency_us=2000)

    def probed(minutes, *more):
        for _ in range(minutes):
            node.monitoring.note([*more, own])
            clock.ms += 60_000

    probed(60)
    probed(60, bad)  # down when the node goes down itself
    clock.ms += 3 * HOUR - 60_000
    off = node.report()  # just started, not probed yet
    probed(60, bad)
    clock.ms -= 60_000
    for made in (off, node.report()):
        times = {row["node"]: row for row in made["operating_time"]}
        assert times["88.101"]["unmeasured_hours"] == pytest.approx(3.0, abs=0.02)
        assert (
            times["88.101"]["down_hours"] == times["88.101"]["up_hours"] - times["88.101"]["hours"]
        )
        assert made["emergencies"] == [
            row for row in made["emergencies"] if row["kind"] == "outage"
        ]
    assert times["88.101"]["hours"] == pytest.approx(3.0, abs=0.04)
    assert times["88.101.2"]["down_hours"] == pytest.approx(2.0, abs=0.08)
    node.duties.make()
    told = [row for entry in node.outbox.entries() if entry.subject == "M2"
            for row in entry.body["rows"]]  # fmt: skip
    assert {row["kind"] for row in told} == {"outage"}
    shown, _ = node.monitoring.latest()
    assert {row["kind"] for row in shown} == {"outage", "unmeasured"}


def faulted(request, error):
    return JSONResponse(error.as_dict("en"), error.status)


@pytest.fixture
def client(node):
    mounted = [*routes(node), *hostednames.routes(node), *queryhttp.routes(node)]
    app = Starlette(routes=mounted, exception_handlers={MingwuError: faulted})

    async def door(scope, receive, send):
        role = dict(scope["headers"]).get(b"x-role", b"").decode()
        if role:
            scope.setdefault("state", {})["principal"] = SimpleNamespace(account="u", role=role)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(door)
    return httpx.AsyncClient(transport=transport, base_url="http://node")


def plain(form):
    import msgspec

    return json.loads(msgspec.json.encode(form))


@pytest.mark.anyio
async def test_the_queue_over_http(client, make_form):
    root, engineer, admin = "/api/secondlevel", {"x-role": "engineer"}, {"x-role": "admin"}
    async with client:
        assert (await client.post(root + "/applications", json={})).status_code == 401
        reply = await client.post(root + "/applications", json={}, headers=engineer)
        assert reply.status_code == 400
        form = plain(make_form())
        made = await client.post(root + "/applications", json=form, headers=engineer)
        assert made.status_code == 201
        where = f"{root}/applications/{made.json()['id']}"
        decision = {"action": "accept"}
        denied = await client.post(where + "/decision", json=decision, headers=engineer)
        assert denied.status_code == 403
        done = await client.post(where + "/decision", json=decision, headers=admin)
        assert done.json()["prefix"] == "88.101.1"
        listed = await client.get(root + "/applications?state=accepted", headers=engineer)
        assert listed.json()["total"] == 1
        assert len((await client.get(where, headers=engineer)).json()["steps"]) == 2
        items = [{"name": "88.101.1/PRT.0001", "template": "T", "values": {"A": "b"}}]
        kept = await client.post(
            root + "/prefixes/88.101.1/identifiers", json=items, headers=engineer
        )
        assert kept.json()[0]["code"] == 1
        asked = {"template": "T", "conditions": {"A": "b"}}
        denied = await client.post(root + "/query", json=asked, headers=engineer)
        assert denied.status_code == 403
        found = await client.post(root + "/query", json=asked, headers=admin)
        assert found.json()["rows"][0]["name"] == "88.101.1/PRT.0001"
        for path in ("prefixes", "tenants", "statistics", "nodes", "duties", "report"):
            reply = await client.get(f"{root}/{path}", headers=engineer)
            assert reply.status_code == 200, path
        page = await client.get(root + "/report?form=html&lang=zh", headers=engineer)
        assert "运行时间" in page.text
        bad = await client.get(root + "/report?month=soon", headers=engineer)
        assert bad.status_code == 400
        uscc = form["organisation"]["uscc"]
        change = {"group": "reader", "quota": {"prefixes": 1, "identifiers": 2,
                                               "daily_requests": 3}}  # fmt: skip
        reply = await client.patch(f"{root}/tenants/{uscc}", json=change, headers=admin)
        assert reply.json()["quota"]["identifiers"] == 2
