"""OPC UA: client CPU of polling and of subscriptions, ours against asyncua's own, in one run.

The server is an asyncua server in a child process, so that its CPU (about 28 µs per value) is not
counted; what is printed is the CPU of this process. Target: poll of 10,000 tags ≤ 50 ms.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

import asyncua
from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.x509.oid import ExtendedKeyUsageOID

from mingwu.field.opcua.driver import KIND, OpcuaDriver
from mingwu.kernel.batch import Columns
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.settings import build

TAGS = 10_000
MIXED = ("Double", "Int32", "Boolean", "Float", "Double", "UInt16", "Double", "Double", "Int64")
NAMESPACE = "urn:mingwu:bench"
CHANGES_S = 6.0


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "?",
    )  # fmt: skip
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, load {load}, Python {sys.version.split()[0]}"


async def serve(keys: Path) -> None:
    """The child: 10,000 doubles and 10,000 mixed scalars; "w" on stdin starts changes."""
    server = asyncua.Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/bench")
    server.set_security_policy(
        [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    )
    await server.load_certificate(keys / "server.der")
    await server.load_private_key(keys / "server.pem")
    index = await server.register_namespace(NAMESPACE)
    nodes = []
    for kind in ("plain", "mixed"):
        for n in range(TAGS):
            if n % 100 == 0:  # asyncua's cost of adding a node grows with its siblings
                folder = await server.nodes.objects.add_folder(index, f"{kind}-{n // 100}")
            name = MIXED[n % len(MIXED)] if kind == "mixed" else "Double"
            variant = getattr(ua.VariantType, name)
            start = n % 2 == 0 if name == "Boolean" else float(n) if "o" in name else n
            node = await folder.add_variable(
                ua.NodeId(f"{kind}{n}", index), f"{kind}{n}", start, variant
            )
            if kind == "plain" and n < 1000:
                nodes.append(node.nodeid)
    async with server:
        print(server.bserver._server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        go = asyncio.Event()

        def told() -> None:
            (go if os.read(0, 1) else stop).set()

        loop.add_reader(0, told)
        writer = asyncio.create_task(change(server, nodes, go))
        await stop.wait()
        writer.cancel()


async def change(server: asyncua.Server, nodes: list[ua.NodeId], go: asyncio.Event) -> None:
    await go.wait()
    value = 0.0
    while True:
        value += 1.0
        now = asyncio.get_running_loop().time()
        for nodeid in nodes:
            await server.write_attribute_value(nodeid, ua.DataValue(ua.Variant(value)))
        await asyncio.sleep(max(0.5 - (asyncio.get_running_loop().time() - now), 0.05))


def tags(kind: str, count: int) -> list[TagSpec]:
    return [
        TagSpec(
            number=n, thing="bench", name=f"{kind}{n}", address=f"nsu={NAMESPACE};s={kind}{n}",
            type=ValueType.FLOAT, period_ms=500,
        )
        for n in range(count)
    ]  # fmt: skip


async def cost(work: Callable[[], Awaitable[object]], rounds: int) -> tuple[float, float]:
    """(CPU ms, wall ms) of one call, the first not counted."""
    await work()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        await work()
    return (
        (time.process_time() - cpu) / rounds * 1000,
        (time.perf_counter() - wall) / rounds * 1000,
    )


@contextlib.asynccontextmanager
async def ours(port: int, **settings: object) -> AsyncIterator[OpcuaDriver]:
    endpoint = f"opc.tcp://127.0.0.1:{port}/bench"
    given = build(KIND.settings, {"endpoint": endpoint, "timeout_ms": 30_000, **settings})
    driver = OpcuaDriver(given, simulated=True)
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()


@contextlib.asynccontextmanager
async def theirs(port: int) -> AsyncIterator[asyncua.Client]:
    client = asyncua.Client(f"opc.tcp://127.0.0.1:{port}/bench", timeout=30)
    async with client:
        yield client


def row(name: str, cpu_ms: float, wall_ms: float, count: int, rival_ms: float | None) -> None:
    ratio = f"{rival_ms / cpu_ms:7.1f} x" if rival_ms else f"{'1':>7}"
    print(
        f"{name:<44}{cpu_ms:9.2f}{cpu_ms * 1000 / count:10.3f}"
        f"{wall_ms:10.0f}{count / wall_ms * 1000:12,.0f}{ratio}"
    )


async def make_keys(folder: Path) -> None:
    for name, usage in (
        ("server", ExtendedKeyUsageOID.SERVER_AUTH),
        ("client", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key, certificate = folder / f"{name}.pem", folder / f"{name}.der"
        await setup_self_signed_certificate(
            key, certificate, "urn:freeopcua:python:server", "127.0.0.1", [usage], {}
        )


async def poll_encrypted(port: int, keys: Path, count: int, rounds: int) -> None:
    """The same poll over Basic256Sha256, signed and encrypted, on both sides."""
    own = keys / "client.der", keys / "client.pem"
    client = asyncua.Client(f"opc.tcp://127.0.0.1:{port}/bench", timeout=30)
    await client.set_security(SecurityPolicyBasic256Sha256, *own)
    async with client:
        index = await client.get_namespace_index(NAMESPACE)
        ids = [ua.NodeId(f"plain{n}", index) for n in range(count)]

        async def low() -> None:
            for first in range(0, count, 1000):
                await client.uaclient.read_attributes(
                    ids[first : first + 1000], ua.AttributeIds.Value
                )

        rival = await cost(low, rounds)
    row(f"asyncua read_attributes, encrypted, {count}", *rival, count, None)
    secure = {"policy": "Basic256Sha256", "certificate": str(own[0]), "private_key": str(own[1])}
    async with ours(port, mode="poll", **secure) as driver:
        plan = driver.compile(tags("plain", count))
        row(f"mingwu, plain, encrypted, {count}", *await cost(lambda: driver.read(plan), rounds),
            count, rival[0])  # fmt: skip


async def poll(port: int, count: int, rounds: int) -> None:
    async with theirs(port) as client:
        index = await client.get_namespace_index(NAMESPACE)
        ids = [ua.NodeId(f"plain{n}", index) for n in range(count)]
        nodes = [client.get_node(found) for found in ids]

        async def low() -> None:
            for first in range(0, count, 1000):
                await client.uaclient.read_attributes(
                    ids[first : first + 1000], ua.AttributeIds.Value
                )

        async def high() -> None:
            for first in range(0, count, 1000):
                await client.read_values(nodes[first : first + 1000])

        rival = await cost(low, rounds)
        public = await cost(high, rounds)
    row(f"asyncua uaclient.read_attributes, {count}", *rival, count, None)
    row(f"asyncua read_values (values only), {count}", *public, count, rival[0])
    async with ours(port, mode="poll") as driver:
        for kind in ("plain", "mixed"):
            plan = driver.compile(tags(kind, count))
            row(f"mingwu, {kind}, {count}", *await cost(lambda p=plan: driver.read(p), rounds),
                count, rival[0])  # fmt: skip


class Count:
    """Handler for asyncua's subscription, and sink for ours."""

    def __init__(self) -> None:
        self.points = 0

    def datachange_notification(self, *_: object) -> None:
        self.points += 1

    def sink(self, columns: Columns) -> None:
        self.points += len(columns)


async def changes(count: Count) -> tuple[float, int]:
    """(CPU ms, points) over the measuring time."""
    await asyncio.sleep(1.5)
    before, cpu = count.points, time.process_time()
    await asyncio.sleep(CHANGES_S)
    return (time.process_time() - cpu) * 1000, count.points - before


async def subscribe(port: int) -> None:
    async with theirs(port) as client:
        index = await client.get_namespace_index(NAMESPACE)
        count = Count()
        subscription = await client.create_subscription(500, count)
        nodes = [client.get_node(ua.NodeId(f"plain{n}", index)) for n in range(1000)]
        await subscription.subscribe_data_change(nodes)
        rival, theirs_n = await changes(count)
    async with ours(port) as driver:
        count = Count()
        await driver.subscribe(driver.compile(tags("plain", 1000)), count.sink)
        mine, ours_n = await changes(count)
    per = rival / theirs_n
    row("asyncua subscription, 1000 tags at 2 Hz", rival, CHANGES_S * 1000, theirs_n, None)
    row("mingwu subscription, 1000 tags at 2 Hz", mine, CHANGES_S * 1000, ours_n, per * ours_n)


async def measure(port: int, keys: Path, server: "subprocess.Popen[bytes]") -> None:
    print(f"{'':<44}{'CPU ms':>9}{'µs/value':>10}{'wall ms':>10}{'values/s':>12}{'less CPU':>9}")
    await poll(port, 1000, 8)
    await poll(port, TAGS, 4)
    await poll_encrypted(port, keys, TAGS, 4)
    assert server.stdin is not None
    server.stdin.write(b"w")
    server.stdin.flush()
    await subscribe(port)


def main() -> int:
    logging.disable(logging.WARNING)
    if "--serve" in sys.argv:
        asyncio.run(serve(Path(sys.argv[-1])))
        return 0
    print(f"OPC UA client, rival asyncua {version('asyncua')}")
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(make_keys(Path(folder)))
        with subprocess.Popen(
            [sys.executable, __file__, "--serve", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            port = int(server.stdout.readline())
            asyncio.run(measure(port, Path(folder), server))
            server.stdin.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
