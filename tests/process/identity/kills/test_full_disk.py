"""A disk that is full, or read-only: a coded refusal, nothing acknowledged lost, back by itself."""

import os
import resource
import subprocess

import msgspec
import pytest

from mingwu.identity.records import Record
from mingwu.identity.secondlevel.model import Mode
from mingwu.lab.enterprises.trade import stranger
from mingwu.wire.handle.values import HandleValue

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX, HOSTED, ITEMS = "88.888.101", "88.101.1002", 40
REF = {"prefix": PREFIX, "version": "1"}
TEMPLATE = {
    **REF,
    "industry": {"category": "C", "division": "36"},
    "items": [{"type": "name", "required": True, "max_length": 4000}],
}
QUEUE = "/api/secondlevel/applications"
LONG = "长" * 1200


class Limited:
    """Files of the running process cannot grow (RLIMIT_FSIZE): anybody may do that to his own."""

    def __init__(self, node):
        self.node = node

    def fill(self):
        sizes = [file.stat().st_size for file in self.node.data.rglob("*") if file.is_file()]
        self._set(max(sizes) + 8192)

    def release(self):
        self._set(resource.RLIM_INFINITY)

    def _set(self, size):
        resource.prlimit(self.node.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def remove(self):
        """Nothing to undo: the limit dies with the process."""


class LimitedRecords(Limited):
    """The same, with a record store that is larger than the databases and so fails first."""

    def __init__(self, node):
        super().__init__(node)
        with node.records() as records:
            big = HandleValue(1, "NOTE", b"x" * 60_000)
            for number in range(400):
                records.put(Record(f"88.7/{number}", (big,)))


class Small:
    """The data folder on a small file system that a ballast fills to the last block."""

    def __init__(self, node):
        self.node = node
        self.ballast = node.data / "ballast"
        kept = node.data.with_name("kept")
        node.data.rename(kept)
        node.data.mkdir(mode=0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs", str(node.data)],
            check=False, capture_output=True,
        )  # fmt: skip
        if done.returncode:
            pytest.skip("mounting a small file system needs the rights of root")
        subprocess.run(["cp", "-a", f"{kept}/.", str(node.data)], check=True)

    def fill(self):
        with self.ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        os.write(file.fileno(), bytes(size))
                except OSError:
                    continue

    def release(self):
        self.ballast.unlink()

    def remount(self, mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.node.data)], check=True)

    def remove(self):
        self.node.kill()
        subprocess.run(["umount", str(self.node.data)], check=True)


@pytest.fixture(params=[Limited, LimitedRecords, Small])
def disk(land, request):
    made = request.param(land.node)
    yield made
    made.remove()


def coded(reply):
    """The code of a refusal in the API's form."""
    assert reply is not None, "the process lives on"
    assert reply.status_code in {429, 503}, reply.text
    body = reply.json()
    assert body["code"].startswith("store.")
    assert body["next"]
    return body["code"]


async def register(node, batch):
    items = [{"name": f"{PREFIX}/D{batch}.{n}", "template": REF, "values": {"name": LONG}}
             for n in range(ITEMS)]  # fmt: skip
    return await node.call("POST", "/api/identity/names/register", {"items": items})


async def host(node, batch):
    items = [{"name": f"{HOSTED}/EDU.{batch}-{n:04d}", "values": {"text": LONG}}
             for n in range(ITEMS)]  # fmt: skip
    return await node.call("POST", f"/api/secondlevel/prefixes/{HOSTED}/identifiers", items)


async def prepared(node):
    assert (
        await node.call("POST", "/api/identity/templates?publish=1", TEMPLATE)
    ).status_code == 200
    form = msgspec.to_builtins(stranger("88.101", 2, Mode.HOSTED, None))
    made = await node.call("POST", QUEUE, form)
    done = await node.call("POST", f"{QUEUE}/{made.json()['id']}/decision", {"action": "accept"})
    assert done.status_code == 200


async def until_full(node, work):
    """Batches that were acknowledged before the disk was full, and the code of the refusal."""
    for batch in range(400):
        reply = await work(node, batch)
        if reply is None or reply.status_code != 200:
            return batch, coded(reply)
    raise AssertionError("never full")


@pytest.mark.parametrize("land", [(51, "")], indirect=True)
async def test_registering_on_a_full_disk(land, disk):
    node = land.node
    await node.start()
    await prepared(node)
    disk.fill()
    done, code = await until_full(node, register)
    assert code in {"store.unavailable", "store.projection-unwritable"}
    hosted, _ = await until_full(node, host)
    for more in range(500, 503):  # it stays refused, and what is there can be read
        coded(await register(node, more))
        coded(await host(node, more))
    found = await node.call("GET", f"/api/identity/names?prefix={PREFIX}&limit=1")
    assert found.status_code == 200
    assert found.json()["total"] >= done * ITEMS
    disk.release()
    assert (await register(node, 900)).json()["done"] == ITEMS, "goes on without a restart"
    assert {one["code"] for one in (await host(node, 900)).json()} == {1}
    check(node, done, hosted)
    await node.start()
    node.kill()
    check(node, done, hosted)


def check(node, done, hosted):
    """What was acknowledged is in rows and records alike, in whole batches."""
    node.kill()
    rows = {name for (name,) in node.rows("SELECT name FROM enterprise_identifier",
                                          database="enterprise")}  # fmt: skip
    below = {name for (name,) in node.rows("SELECT name FROM secondlevel_identifier")}
    told = {f"{PREFIX}/D{batch}.{n}" for batch in (*range(done), 900) for n in range(ITEMS)}
    assert told <= rows
    assert {f"{HOSTED}/EDU.{batch}-{n:04d}" for batch in (*range(hosted), 900)
            for n in range(ITEMS)} <= below  # fmt: skip
    assert len(rows) % ITEMS == 0
    assert len(below) % ITEMS == 0
    with node.records() as records:
        kept = {name for name in records.names(PREFIX, limit=10**6) if "/D" in name}
        assert kept == rows
        assert set(records.names(HOSTED, limit=10**6)) == below


@pytest.mark.parametrize("land", [(52, "")], indirect=True)
async def test_applications_on_a_full_disk(land, disk):
    node = land.node
    await node.start()
    await prepared(node)
    forms = [msgspec.to_builtins(stranger("88.101", n, Mode.HOSTED, None))
             for n in range(10, 130)]  # fmt: skip
    for form in forms:
        form["purpose"] = LONG
    waiting = (await node.call("POST", QUEUE, forms[0])).json()["id"]
    disk.fill()
    accepted = {}
    for form in forms[1:]:
        reply = await node.call("POST", QUEUE, form)
        if reply is None or reply.status_code != 201:
            coded(reply)
            break
        accepted[form["prefix"]] = reply.json()["id"]
    decision = await node.call("POST", f"{QUEUE}/{waiting}/decision", {"action": "accept"})
    if decision.status_code != 200:
        coded(decision)
    disk.release()
    queue = {
        row["form"]["prefix"]: row["id"]
        for row in (await node.call("GET", QUEUE + "?limit=1000")).json()["rows"]
    }
    assert accepted.items() <= queue.items()
    again = await node.call("POST", f"{QUEUE}/{waiting}/decision", {"action": "accept"})
    assert again.status_code == (409 if decision.status_code == 200 else 200), again.text
    await node.until(node.settled, "everything delivered")
    assert forms[0]["prefix"] in land.top.epp.registered


@pytest.mark.parametrize("land", [(53, "")], indirect=True)
@pytest.mark.parametrize("disk", [Small], indirect=True)
async def test_a_read_only_disk_is_named_at_the_start(land, disk):
    node = land.node
    await node.start()
    await prepared(node)
    assert (await register(node, 1)).json()["done"] == ITEMS
    node.kill()
    disk.remount("ro")
    ended = await node.ended()
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout, ended.stdout[-1500:]
    assert "read" in ended.stdout.lower()
    disk.remount("rw")
    await node.start()
    assert (await register(node, 2)).json()["done"] == ITEMS
