"""Resolver: requests per second and CPU per request over UDP, TCP keep-alive and HTTP JSON.

A closed-loop C generator (bench/loadgen.c, 32 clients) asks a store of named things with three
public values, an administrator and a restricted value; a share of the requests filters by type.
The rivals in the same run are minimal asyncio responders over a dict, which do none of the work
(no permissions, no filtering, no durable store). Published figures of the Handle.Net 9 server on
such a machine: UDP 46-60, TCP 104 (one connection per request), HTTP JSON 140 us of CPU.

    python bench/resolver.py [--names 100000] [--seconds 4] [--filtered 20] [--clients 32]
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

PREFIX = "88.888.900"
HANDLE_NET_US = {"udp": "46-60", "tcp": "104", "http": "140"}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def records(count: int) -> Iterator[object]:
    """Names with the values of a registered part: URL, DESC, batch, admin, one restricted."""
    from mingwu.identity.cards import prefix_admin
    from mingwu.identity.records import Record
    from mingwu.wire.handle.values import HandleValue

    admin = prefix_admin(PREFIX)
    secret = HandleValue(300, "HS_SECKEY", b"not-for-the-public", permissions=0x0C)
    for number in range(count):
        yield Record(
            f"{PREFIX}/B{number:07d}",
            (
                HandleValue(1, "URL", f"https://example.org/parts/{number}".encode()),
                HandleValue(2, "DESC.zh", "电驱壳体".encode()),
                HandleValue(3, "MW.BATCH", f"EAH3.{number // 200:06d}".encode()),
                admin,
                secret,
            ),
        )


def fill(directory: Path, count: int) -> float:
    """Write the store in durable batches; returns names per second."""
    from mingwu.identity.records import Record, RecordStore
    from mingwu.wire.handle.admin import Admin, encode_admin
    from mingwu.wire.handle.values import HandleValue

    store = RecordStore(directory, map_bytes=64 * 2**30)
    started, batch = time.perf_counter(), []
    for record in records(count):
        batch.append(record)
        if len(batch) == 2000:
            store.put_many(batch)
            batch.clear()
    store.put_many(batch)
    store.home(PREFIX)
    took = time.perf_counter() - started
    owner = encode_admin(Admin(f"0.NA/{PREFIX}", 301))
    secret = HandleValue(301, "HS_SECKEY", b"bench", permissions=0x0C)
    store.put(Record(f"0.NA/{PREFIX}", (HandleValue(100, "HS_ADMIN", owner), secret)))
    store.close()
    return count / took


def serve(directory: str, noted: str = "") -> None:
    """Child process: the resolver on uvloop; prints its ports, stops when stdin closes.

    With ``noted`` every answer is noted in a usage log beside the store, as nodes do; with
    ``limits`` it holds the daily limits of a thousand tenants, too, and with ``near`` another one
    has so little left that the log is written for every few answers.
    """
    import uvloop

    from mingwu.identity.server.process import ResolverServer, open_store
    from mingwu.identity.settings import ResolverSettings
    from mingwu.identity.usage.dayquota import DayQuota
    from mingwu.identity.usage.log import UsageLog
    from mingwu.identity.usage.settings import UsageSettings

    async def run() -> None:
        started = time.perf_counter()
        settings = ResolverSettings(
            directory=directory, port=0, http_port=0, prefixes=(PREFIX,),
            udp_source_bytes_per_s=2**40,
        )  # fmt: skip
        store = open_store(settings)
        logged = UsageSettings(directory=directory + "-usage", own_networks=())
        quota = None
        if noted in {"limits", "near"}:
            limits = {f"{PREFIX}.{number}": (f"T{number}", 2**40) for number in range(999)}
            limits |= {PREFIX: ("T", 2**40)} | ({"1": ("near", 100)} if noted == "near" else {})
            store.limit(limits)
            quota = DayQuota(store, logged)
        usage = UsageLog.open(logged, quota=quota) if noted else None
        async with ResolverServer(settings, store, usage=usage) as server:
            took = time.perf_counter() - started
            print(json.dumps({"port": server.port, "http": server.http_port, "start_s": took}),
                  flush=True)  # fmt: skip
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        if usage:
            usage.close()
        store.close()

    uvloop.run(run())


def serve_rival(count: str) -> None:
    """Child process: plain asyncio over a dict of ready replies, nothing checked."""
    names = {f"{PREFIX}/B{number:07d}".encode(): b"x" * 242 for number in range(int(count))}

    def reply(data: bytes) -> bytes:
        size = int.from_bytes(data[44:48])
        body = data[44 : 48 + size] + b"\0\0\0\3" + names[data[48 : 48 + size]]
        head = data[:16] + (28 + len(body)).to_bytes(4) + data[20:24] + b"\0\0\0\1" + data[28:40]
        return head + len(body).to_bytes(4) + body + bytes(4)

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            self.transport.sendto(reply(data), addr)

    async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(20)
                rest = await reader.readexactly(int.from_bytes(head[16:20]))
                writer.write(reply(head + rest))

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                name = head.split(b" ", 2)[1].partition(b"?")[0].removeprefix(b"/api/handles/")
                body = b'{"responseCode":1,"values":"' + names[name] + b'"}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # clients that leave are no news
        streams = [await asyncio.start_server(face, "127.0.0.1", 0) for face in (tcp, http)]
        port, web = (server.sockets[0].getsockname()[1] for server in streams)
        await loop.create_datagram_endpoint(Udp, local_addr=("127.0.0.1", port))
        print(json.dumps({"port": port, "http": web, "start_s": 0}), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


@contextlib.contextmanager
def child(role: str, *arguments: str) -> Iterator[tuple[int, dict]]:
    """A serving child process with its ports."""
    process = subprocess.Popen(
        [sys.executable, __file__, role, *arguments], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process.pid, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def write_names(port: str, seconds: str, per_second: str) -> None:
    """Child process: registers names over one TCP connection in a login session, paced."""
    from mingwu.identity.client.credentials import SecretCredentials
    from mingwu.identity.client.handleclient import connected, request
    from mingwu.wire.handle.bodies import ChallengeAnswer, Login, Record, read_body
    from mingwu.wire.handle.codes import Op
    from mingwu.wire.handle.message import split_digest
    from mingwu.wire.handle.values import HandleValue, Reference

    who = SecretCredentials(Reference(f"0.NA/{PREFIX}", 301), b"bench")

    async def run() -> None:
        rate, took, failed = float(per_second), [], 0
        async with connected("127.0.0.1", int(port)) as client:
            body = Login(who.who.handle, who.who.index).encode()
            challenge = await client.ask(request(Op.IDIS_LOGIN_KEY, body))
            digest, _ = split_digest(challenge)
            kind, proof = who.prove(read_body(challenge).nonce + digest[1:])
            answer = ChallengeAnswer(kind, who.who.handle, who.who.index, proof).encode()
            session = challenge.session_id
            await client.ask(request(Op.CHALLENGE_ANSWER, answer, session_id=session))
            start = time.perf_counter()
            number = 0
            while (now := time.perf_counter() - start) < float(seconds):
                if number > now * rate:
                    await asyncio.sleep(0.001)
                    continue
                number += 1
                value = HandleValue(1, "URL", b"https://example.org/new")
                record = Record(f"{PREFIX}/W{os.getpid()}.{number}", (value,)).encode()
                began = time.perf_counter()
                reply = await client.ask(request(Op.CREATE, record, session_id=session))
                took.append(time.perf_counter() - began)
                failed += reply.rc != 1
        took.sort()
        print(json.dumps({"writes": number, "failed": failed,
                          "p50_ms": took[len(took) // 2] * 1000,
                          "p99_ms": took[len(took) * 99 // 100] * 1000}))  # fmt: skip

    asyncio.run(run())


def mixed(generator: Path, pid: int, port: int, options: argparse.Namespace) -> None:
    """10,000 questions a second by UDP while 100 names a second are registered durably."""
    writer = subprocess.Popen(
        [sys.executable, __file__, "write", str(port), str(options.seconds), "100"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    reads = measure(generator, pid, "udp", port, options, rate=10_000)
    writes = json.loads(writer.communicate(timeout=60)[0])
    print(f"mixed: {reads['rate']:,.0f} UDP questions/s p50 {reads['p50_us']} us "
          f"p99 {reads['p99_us']} us, {writes['writes'] / options.seconds:.0f} registrations/s "
          f"p50 {writes['p50_ms']:.1f} ms p99 {writes['p99_ms']:.1f} ms, "
          f"{writes['failed']} failed, {reads['lost']} lost")  # fmt: skip


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure(
    generator: Path, pid: int, mode: str, port: int, options: argparse.Namespace, rate: int = 0
) -> dict:
    before = cpu_s(pid)
    output = subprocess.run(
        [generator, mode, "127.0.0.1", str(port), str(options.clients), str(options.seconds),
         str(options.names), str(options.filtered), PREFIX, str(rate)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    result = json.loads(output)
    result["rate"] = result["requests"] / result["seconds"]
    result["cpu_us"] = (cpu_s(pid) - before) / max(1, result["requests"]) * 1e6
    return result


def machine() -> str:
    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor(),
    )  # fmt: skip
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, load {load}, Python {platform.python_version()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--filtered", type=int, default=20, help="percent of filtered requests")
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        print("resolver bench needs a C compiler for its load generator (apt install gcc)")
        return 1
    with tempfile.TemporaryDirectory(prefix="mingwu-bench-") as scratch:
        generator = Path(scratch) / "loadgen"
        subprocess.run([compiler, "-O2", "-o", generator, HERE / "loadgen.c"], check=True)
        print(machine())
        directory = Path(scratch) / "names"
        rate = fill(directory, options.names)
        size = sum(item.stat().st_blocks for item in directory.rglob("*")) * 512
        print(f"store: {options.names} names, {rate:,.0f} registered/s durable in batches of 2000, "
              f"{size / options.names:.0f} bytes per name on disk")  # fmt: skip
        rows = {}
        for role, argument in (("rival", str(options.names)), ("serve", str(directory))):
            with child(role, argument) as (pid, ports):
                if role == "serve":
                    print(f"start: {ports['start_s']:.3f} s")
                for mode in ("udp", "tcp", "http"):
                    port = ports["http" if mode == "http" else "port"]
                    rows[role, mode] = measure(generator, pid, mode, port, options)
                if role == "serve":
                    mixed(generator, pid, ports["port"], options)
                    print(f"memory: {memory_mib(pid):.0f} MiB RSS (with pages of the map)")
        for noted in ("noted", "limits", "near"):
            with child("serve", str(directory), noted) as (pid, ports):
                for mode in ("udp", "tcp", "http"):
                    port = ports["http" if mode == "http" else "port"]
                    row = measure(generator, pid, mode, port, options)
                    more = row["cpu_us"] - rows["serve", mode]["cpu_us"]
                    print(f"with usage log, {noted}: {mode} {row['cpu_us']:.1f} us CPU "
                          f"({more:+.1f}), {row['rate']:,.0f} req/s")  # fmt: skip
        print(f"{options.clients} clients, {options.filtered} % of requests filter by type")
        print(f"{'':6}{'req/s':>9}{'p50 us':>8}{'p99 us':>8}{'CPU us':>8}{'wrong':>6}{'lost':>5}"
              f"  {'rival CPU us':>12}{'ratio':>7}  {'Handle.Net CPU us':>17}")  # fmt: skip
        for mode in ("udp", "tcp", "http"):
            ours, rival = rows["serve", mode], rows["rival", mode]
            ratio = ours["cpu_us"] / rival["cpu_us"]
            print(f"{mode:6}{ours['rate']:9,.0f}{ours['p50_us']:8}{ours['p99_us']:8}"
                  f"{ours['cpu_us']:8.1f}{ours['wrong']:6}{ours['lost']:5}  {rival['cpu_us']:12.1f}"
                  f"{ratio:7.2f}  {HANDLE_NET_US[mode]:>17}")  # fmt: skip
        return int(any(row["wrong"] for key, row in rows.items() if key[0] == "serve"))


if __name__ == "__main__":
    roles = {"serve": serve, "rival": serve_rival, "write": write_names}
    if len(sys.argv) > 1 and sys.argv[1] in roles:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
