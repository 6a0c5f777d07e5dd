"""Second-level node: durable registration of hosted names, escrow and restore, the recursive path.

Registration goes through relational rows (SQLite, fsync per commit) and the record store; the rival
of the same run is the bare record store fed with the same records, which keeps no tenants, no
change log and no index of values.

    python bench/secondlevel.py [--names 60000] [--questions 3000]
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mingwu.identity.secondlevel.model import HostedItem

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

BATCH = 2000


def machine() -> str:
    """Cores, processor and load of this machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return f"{os.cpu_count()} cores, {model}, load {os.getloadavg()[0]:.1f}"


def row(what: str, count: int, wall_s: float, cpu_s: float) -> None:
    """One line of the table."""
    print(f"{what:<44}{count:>9}{count / wall_s:>12,.0f}{1e6 * cpu_s / count:>12.1f}")


def measured(what: str, count: int, work: object) -> object:
    """Run ``work`` and print its line."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    row(what, count, time.perf_counter() - wall, time.process_time() - cpu)
    return result


def item(prefix: str, number: int) -> "HostedItem":
    """One identifier with five values."""
    from mingwu.identity.secondlevel.model import HostedItem

    values = {
        "product": "电驱动总成", "batch": f"L{number // 500:05d}", "simulated": "true",
        "t9.product": "电驱动总成", "t9.product_type": "EDU",
    }  # fmt: skip
    name = f"{prefix}/EDU.2026-{number:08d}"
    return HostedItem(name=name, template=f"{prefix}/T.1", values=values)


def relational(home: Path, names: int) -> None:
    """Registration, rival, escrow, restore, tables and query."""
    from mingwu.identity.records import RecordStore
    from mingwu.identity.secondlevel.hosted import hosted_record
    from mingwu.identity.secondlevel.model import Mode
    from mingwu.identity.secondlevel.prefixes import site_at
    from mingwu.identity.secondlevel.service import SecondLevel
    from mingwu.identity.secondlevel.settings import SecondLevelSettings
    from mingwu.identity.trusted.signing import RecordSigner, sign_due
    from mingwu.lab.enterprises.settings import EnterpriseLabSettings
    from mingwu.lab.enterprises.trade import enterprises, form
    from mingwu.lab.topnode.emergency import restore
    from mingwu.store.engine import sqlite_url
    from mingwu.store.settings import StoreSettings
    from mingwu.trust import sm2
    from mingwu.trust.keys import Algorithm, generate
    from mingwu.wire.handle.values import Reference

    settings = SecondLevelSettings(
        store=StoreSettings(url=sqlite_url(home / "node.db"), durable=True),
        escrow_directory=str(home / "escrow"),
        secrets_directory=str(home / "keys"),
    )
    records = RecordStore(home / "records", map_bytes=2**32)
    bare = RecordStore(home / "bare", map_bytes=2**32)
    other = RecordStore(home / "other", map_bytes=2**32)
    site = site_at("127.0.0.1", 2641)
    node = SecondLevel.open(settings, records, site)
    hosted = next(one for one in enterprises(EnterpriseLabSettings()) if one.mode is Mode.HOSTED)
    prefix = hosted.prefix
    node.applications.accept(node.applications.submit(form(hosted), "bench").id, "bench")
    made = [item(prefix, number) for number in range(names)]

    def register() -> None:
        for start in range(0, names, BATCH):
            done = node.hosted.register(prefix, made[start : start + BATCH])
            assert all(one.code == 1 for one in done)

    def rival() -> None:
        for start in range(0, names, BATCH):
            bare.put_many(
                hosted_record(one.name, prefix, one.template, one.values)
                for one in made[start : start + BATCH]
            )

    measured("register hosted, durable", names, register)
    measured("rival: bare record store, durable", names, rival)
    scalar = sm2.generate()
    signer = RecordSigner(Reference(f"0.NA/{prefix}", 301), generate(Algorithm.RSA))
    measured("sign them, RSA", names, lambda: sign_due(records, signer, prefix))
    deposit = measured(
        "FULL deposit (XML, zip, SM4, signed)", names,
        lambda: node.escrow.make("FULL", sm2.public_point(scalar)),
    )  # fmt: skip
    size = sum(piece.size for piece in deposit.pieces)
    print(f"{'its size':<44}{size / names:10.0f} bytes per name")
    measured(
        "DIFF deposit, nothing changed", names,
        lambda: node.escrow.make("DIFF", sm2.public_point(scalar)),
    )  # fmt: skip
    measured(
        "verify, decrypt and restore it", names,
        lambda: restore(other, home / "escrow", [deposit.id], scalar=scalar,
                        signer=node.public_key, site=site),
    )  # fmt: skip
    measured("sync tables (T9 of every name)", names, node.duties.make)
    value = made[0].values["batch"]
    found = measured(
        "query by template and value, 100 rows", 100,
        lambda: node.lookup.query("", made[0].template, {"batch": value}),
    )  # fmt: skip
    assert len(found) == min(100, names)
    node.close()
    for store in (records, bare, other):
        store.close()


async def path(home: Path, questions: int) -> None:
    """Questions through the recursive node, cold and from its cache."""
    from mingwu.identity.client.handleclient import connected, request
    from mingwu.identity.records import Record
    from mingwu.lab.topnode.run import TopNode
    from mingwu.lab.topnode.settings import TopNodeSettings
    from mingwu.wire.handle.bodies import Resolve
    from mingwu.wire.handle.codes import Op, OpFlag
    from mingwu.wire.handle.values import HandleValue

    settings = TopNodeSettings(
        directory=str(home / "top"), root_port=0, top_port=0, recursive_port=0,
        emergency_port=0, epp_port=0, http_port=0, cache_ttl_s=3600,
    )  # fmt: skip
    async with TopNode(settings) as top:
        value = HandleValue(1, "URL", b"https://example.org")
        top._top.put_many(Record(f"88/{at}", (value,)) for at in range(questions))  # noqa: SLF001
        async with connected("127.0.0.1", top.recursive.port) as client:
            for what in ("recursive, cold (root, top; new sockets)", "recursive, from cache"):
                wall, cpu = time.perf_counter(), time.process_time()
                for at in range(questions):
                    body = Resolve(f"88/{at}").encode()
                    reply = await client.ask(request(Op.RESOLVE, body, flags=OpFlag.PUBLIC_ONLY))
                    assert reply.rc == 1
                row(what, questions, time.perf_counter() - wall, time.process_time() - cpu)


def main() -> int:
    """Run all parts and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=int, default=60_000)
    parser.add_argument("--questions", type=int, default=1000)
    chosen = parser.parse_args()
    print(machine())
    print(f"{'':<44}{'count':>9}{'per s':>12}{'CPU us each':>12}")
    with tempfile.TemporaryDirectory() as folder:
        relational(Path(folder), chosen.names)
        asyncio.run(path(Path(folder), chosen.questions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
