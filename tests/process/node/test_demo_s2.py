"""Scenario S2 as the command starts it: carriers by MQTT with TLS, incidents, kill -9."""

import asyncio
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import httpx
import msgspec
import pytest
from sqlalchemy import select

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.certificates import Anchors
from mingwu.identity.carriers.frames import Report, Sample, read
from mingwu.identity.carriers.model import Evidence
from mingwu.identity.carriers.platform import is_sound
from mingwu.identity.carriers.rows import evidence_of
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.client.handleclient import request, resolve
from mingwu.identity.server.exchange import TUNNEL
from mingwu.lab.carriers.moulds import MOULDERS
from mingwu.node.demo import s2
from mingwu.store.engine import open_engine, reading
from mingwu.trust.roles import Role
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op
from mingwu.wire.handle.message import decode, encode

from .running import RunningDemo, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
MOULDS = 3
QUICK = {
    "period_s = 5.0": "period_s = 0.5",
    "speed = 12.0": "speed = 120.0",
    "stray_after_s = 45.0": "stray_after_s = 2.0",
    "clone_after_s = 60.0": "clone_after_s = 3.0",
}


BASE = "/identity/carriers"


class Demo(RunningDemo):
    """The running scenario, small and quick."""

    def __init__(self, folder: Path) -> None:
        super().__init__("s2", s2.write(folder / "demo", moulds=MOULDS), QUICK, Role.ENGINEER)

    async def carrier(self, number: int) -> dict:
        return await self.get(f"{BASE}/MWC-{number:06d}")

    async def codes(self, number: int) -> set[str]:
        return {event["code"] for event in (await self.carrier(number))["events"]}

    async def samples(self, number: int) -> int:
        return (await self.carrier(number))["carrier"]["samples"]


@pytest.fixture(scope="module")
async def demo(tmp_path_factory):
    running = Demo(tmp_path_factory.mktemp("s2"))
    try:

        async def all_report() -> bool:
            return all([await running.samples(n) > 0 for n in range(1, MOULDS + 1)])

        await until(all_report, "the first report of every carrier")
        yield running
    finally:
        await running.stop()


async def test_carriers_are_registered_and_live_in_a_trusted_state(demo):
    for number in range(1, MOULDS + 1):
        carrier = (await demo.carrier(number))["carrier"]
        assert (carrier["bearer"], carrier["state"], carrier["simulated"]) == (
            "mqtt", "active", True,
        )  # fmt: skip
    name = "88.888.102/MLD.M0003"
    found = await resolve(name, f"127.0.0.1:{demo.config.resolver.port}")
    values = {value.type: value.text() for value in found.values if value.index != 100}
    assert values["MW.SIMULATED"] == "true"
    assert values["carrier.serial"] == "MWC-000003"
    assert "（模拟）" in values["OWNER"]
    live = (await demo.client.get(f"{BASE}/discover/{name}")).json()
    assert live["is_trusted"]
    assert live["readings"]["shots"] >= 20_000

    async def has_r12() -> bool:
        told = (await demo.client.get(f"{BASE}/discover/{name}")).json()
        return told["readings"]["parameter_set"] == "r12"

    await until(has_r12, "the parameter set")


def shown(demo, *words: str) -> str:
    """What ``mingwu resolve`` prints, asked of the running resolver."""
    server = f"127.0.0.1:{demo.config.resolver.port}"
    command = [sys.executable, "-m", "mingwu", "resolve", *words, "--server", server]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def readings(demo, name: str, transport: str = "") -> dict:
    found = await resolve(name, f"127.0.0.1:{demo.config.resolver.port}", transport=transport)
    assert found.ok
    return {
        value.type: msgspec.json.decode(value.data)
        for value in found.values
        if value.type.startswith("MW.LIVE")
    }


async def test_a_name_resolves_to_what_its_carrier_measured(demo):
    name = "88.888.102/MLD.M0003"
    for transport in ("udp", "tcp", ""):
        told = await readings(demo, name, transport)
        assert told["MW.LIVE"]["trusted"]
        shots = told["MW.LIVE.shots"]
        assert shots["value"] >= 20_000
        assert (shots["unit"], shots["quality"], shots["simulated"]) == ("1", "good", True)
        # the value names the signed report that brought it, and that proves itself
        proof = (await demo.client.get(f"{BASE}/reports/{shots['evidence']}")).content
        report = msgspec.json.decode(proof, type=Evidence)
        assert is_sound(report, Anchors(prepare(demo.config.data / "secrets").anchors))
        said = read(report.frame).body
        assert said.counter == shots["report"]
        assert shots["value"] in {sample.readings["shots"] for sample in said.samples}
    asked = request(Op.RESOLVE, Resolve(name, (), ("MW.LIVE.shots",)).encode(), request_id=7)
    async with httpx.AsyncClient(timeout=10) as client:
        tunnel = await client.post(
            f"http://127.0.0.1:{demo.config.resolver.http_port}/", content=encode(asked),
            headers={"Accept": TUNNEL, "Content-Type": TUNNEL},
        )  # fmt: skip
        (value,) = read_body(decode(tunnel.content)).values
        assert msgspec.json.decode(value.data)["tag"] == "shots"
        for door in (demo.config.resolver.http_port, demo.config.console.port):
            answer = await client.get(f"http://127.0.0.1:{door}/api/handles/{name}")
            kinds = {value["type"] for value in answer.json()["values"]}
            assert {"MW.LIVE", "MW.LIVE.shots", "carrier.serial"} <= kinds
    text = await asyncio.to_thread(shown, demo, name)
    line = next(line for line in text.splitlines() if "MW.LIVE.shots" in line)
    assert "good · simulated · report " in line
    before = shots["value"]

    async def goes_on() -> bool:
        return (await readings(demo, name))["MW.LIVE.shots"]["value"] > before

    await until(goes_on, "the next shot")


async def test_resolved_by_somebody_it_is_queried(demo):
    """The third fact, beside registered and reported; the page shows the three apart."""
    name = "88.888.102/MLD.M0001"
    before = (await demo.carrier(1))["carrier"]["queries"]
    await asyncio.to_thread(shown, demo, name)

    async def queried() -> bool:
        return (await demo.carrier(1))["carrier"]["queries"] > before

    await until(queried, "the log's count")
    carrier = (await demo.carrier(1))["carrier"]
    assert (carrier["registered"], carrier["reported"], carrier["queried"]) == (True, True, True)
    assert carrier["queried_by"] == "127.0.0.0/24"
    page = (await demo.client.get(f"{BASE}/desk/units")).json()
    row = next(row for row in page["rows"] if row["identifier"] == name)
    assert min(row["registered_ms"], row["reported_ms"], row["queried_ms"]) > 0
    assert page["counts"]["queried"] >= 1


async def test_suspended_it_tells_nothing_until_it_is_resumed(demo):
    name = "88.888.102/MLD.M0003"

    async def command(action: str) -> None:
        done = await demo.client.post(f"{BASE}/MWC-000003/commands", json={"action": action})
        assert done.status_code == 200, done.text

    await command("suspend")
    told = await readings(demo, name)  # at once, and however often one asks
    assert set(told) == {"MW.LIVE"}
    assert (told["MW.LIVE"]["state"], told["MW.LIVE"]["reason"]) == (
        "suspended", "carriers.suspended",
    )  # fmt: skip
    text = await asyncio.to_thread(shown, demo, name)
    assert "Carrier MWC-000003 is suspended" in text
    assert "suspended · not trusted" in text
    demo.kill("console")  # the platform decides nothing now, and nobody is told readings
    for _ in range(5):
        assert set(await readings(demo, name)) == {"MW.LIVE"}
        await asyncio.sleep(0.3)

    async def answers() -> bool:
        return (await demo.carrier(3))["carrier"]["blocked"] == "suspended"

    await until(answers, "the console's restart", 60)
    assert set(await readings(demo, name)) == {"MW.LIVE"}
    await command("resume")

    async def told_again() -> bool:
        now = await readings(demo, name)
        return now["MW.LIVE"]["trusted"] and "MW.LIVE.shots" in now

    await until(told_again, "readings after the resumption")


async def test_the_story_happens_by_itself(demo):
    async def left() -> bool:
        return "carriers.left-fence" in await demo.codes(1)

    async def cloned() -> bool:
        return "carriers.cloned" in await demo.codes(2)

    await until(left, "the warning")
    await until(cloned, "the copied carrier")
    event = next(
        one for one in (await demo.carrier(1))["events"] if one["code"] == "carriers.left-fence"
    )
    assert event["severity"] == "warning"
    proof = (await demo.client.get(f"{BASE}/events/{event['number']}/evidence")).content
    anchors = Anchors(prepare(demo.config.data / "secrets").anchors)
    assert is_sound(msgspec.json.decode(proof, type=Evidence), anchors)


async def test_attacks_by_command_are_refused_and_seen(demo, capsys):
    for name, code in (
        ("clone", "carriers.cloned"),
        ("replay", "carriers.replayed"),
        ("tamper", "carriers.wrong-identifier"),
    ):
        await asyncio.to_thread(demo.fault, "start", name, "M0003")
        assert f"answer={code}" in capsys.readouterr().out
        assert code in await demo.codes(3)
    before = await demo.samples(3)

    async def goes_on() -> bool:
        return await demo.samples(3) > before

    await until(goes_on, "the real carrier's next report")


def delivered(demo, serial: str) -> list[tuple[Sample, ...]]:
    """The samples of each signed report that the platform took over, by the report's counter."""
    engine = open_engine(demo.config.carriers.store)
    table = schema.report
    try:
        with reading(engine) as connection:
            query = select(table).where(table.c.serial == serial).order_by(table.c.counter)
            frames = [evidence_of(row).frame for row in connection.execute(query)]
    finally:
        engine.dispose()
    return [body.samples for frame in frames if isinstance(body := read(frame).body, Report)]


async def test_a_cut_link_loses_nothing_and_all_comes_in_order(demo, capsys):
    serial, name = "MWC-000002", "88.888.102/MLD.M0002"
    cut_ns = time.time_ns()
    await asyncio.to_thread(demo.fault, "start", "cut-link", name)
    await asyncio.sleep(1.5)
    before = await demo.samples(2)
    told = (await readings(demo, name))["MW.LIVE.shots"]
    await asyncio.sleep(2.0)
    assert await demo.samples(2) == before
    assert (await readings(demo, name))["MW.LIVE.shots"] == told  # with the time it had
    capsys.readouterr()
    await asyncio.to_thread(demo.fault, "list")
    assert serial in capsys.readouterr().out
    mended_ns = time.time_ns()
    await asyncio.to_thread(demo.fault, "stop", "cut-link", serial)

    async def delivered_all() -> bool:
        return await demo.samples(2) >= before + 4

    await until(delivered_all, "what the carrier kept")
    reports = await asyncio.to_thread(delivered, demo, serial)
    samples = [sample for report in reports for sample in report]
    assert [sample.sequence for sample in samples] == list(range(1, len(samples) + 1))
    assert max(map(len, reports)) >= 3  # what waited came together
    times = [sample.time_ns for sample in samples]
    shots = [sample.readings["shots"] for sample in samples]
    assert times == sorted(times)
    assert shots == sorted(shots)
    while_cut = [at for at in times if cut_ns < at < mended_ns]
    assert len(while_cut) >= 4
    gaps = [after - before for before, after in pairwise(while_cut)]
    assert max(gaps) < 1_500_000_000  # it measured on
    carrier = (await demo.carrier(2))["carrier"]
    assert (carrier["samples"], carrier["dropped"]) == (carrier["sequence"], 0)
    assert (await readings(demo, name))["MW.LIVE.shots"]["value"] >= max(shots)


@pytest.mark.parametrize("role", ["console", "lab", "resolver"])
async def test_killed_it_goes_on(demo, role):
    name = "88.888.102/MLD.M0003"

    async def as_the_story_has_it() -> bool:
        kept = (await readings(demo, name))["MW.LIVE.parameter_set"]["value"]
        away = (await readings(demo, "88.888.102/MLD.M0001"))["MW.LIVE.latitude"]["value"]
        return kept == "r12" and away > MOULDERS[1].latitude + 0.01

    await until(as_the_story_has_it, "the parameter set, and a mould that is carried away")
    before, was = await demo.samples(3), await readings(demo, name)
    demo.kill(role)

    async def goes_on() -> bool:
        told = (await readings(demo, name))["MW.LIVE.shots"]["report"]
        held = was["MW.LIVE.shots"]["report"]
        return await demo.samples(3) >= before + 3 and told > held

    await until(goes_on, "reports after kill -9", 60)
    now = await readings(demo, name)
    assert now["MW.LIVE.shots"]["value"] > was["MW.LIVE.shots"]["value"]  # moulds remember
    assert now["MW.LIVE.shots"]["report"] > was["MW.LIVE.shots"]["report"]
    assert await as_the_story_has_it()
    carrier = (await demo.carrier(3))["carrier"]
    assert (carrier["samples"], carrier["dropped"]) == (carrier["sequence"], 0)
