"""Registration: identifiers per second and CPU per identifier, durable, in batches of 2,000.

Each identifier is validated against a template, stored with its history in SQLite (synchronous
FULL), written as a resolvable record into LMDB (synced) and acknowledged. The rival in the same
run is the floor under it: the same rows into the same two stores without validation, history,
permissions or results. Published bulk load of the Handle.Net 9 server on such a machine: some 840
records per second.

    python bench/registration.py [--names 100000] [--batch 2000]
"""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

PREFIX = "88.888.900"


def machine() -> str:
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, load {load}, Python {platform.python_version()}"


def values(number: int) -> dict[str, str]:
    return {
        "name": f"电驱壳体{number}",
        "lot": f"{PREFIX}/LOT.{number // 200:06d}",
        "mass": f"{12 + number % 100 / 100:.2f}",
        "inspector": f"Q{number % 17:02d}",
    }


class Meter:
    def __init__(self) -> None:
        self.wall, self.cpu, self.slowest = 0.0, 0.0, 0.0

    def run(self, work: Callable[[], None]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took = time.perf_counter() - wall
        self.wall += took
        self.cpu += time.process_time() - cpu
        self.slowest = max(self.slowest, took)


def measure_node(root: Path, names: int, batch: int) -> Meter:
    from mingwu.identity.enterprise.model import (
        Actor,
        DataType,
        Industry,
        Item,
        Registration,
        TemplateDef,
        TemplateRef,
    )
    from mingwu.identity.enterprise.service import EnterpriseNode
    from mingwu.identity.enterprise.settings import EnterpriseSettings
    from mingwu.identity.records import RecordStore
    from mingwu.store.settings import StoreSettings

    store = RecordStore(root / "names", map_bytes=16 * 2**30)
    url = f"sqlite:///{root / 'enterprise.db'}"
    settings = EnterpriseSettings(
        store=StoreSettings(url=url, durable=True), prefixes=(PREFIX,), batch_items=batch
    )
    node = EnterpriseNode.open(settings, store)
    items = (
        Item(type="name", required=True),
        Item(type="lot", data_type=DataType.IDENTIFIER),
        Item(type="mass", data_type=DataType.NUMBER, low=0, high=100, decimals=2),
        Item(type="inspector", restricted=True),
    )
    industry = Industry(category="C", division="36", group="367", class_="3670")
    definition = TemplateDef(prefix=PREFIX, version="1", industry=industry, items=items)
    node.templates.create(definition, actor="bench", publish=True)
    ref, actor, meter = TemplateRef(PREFIX, "1"), Actor(name="bench", may_all=True), Meter()
    for start in range(0, names, batch):
        made = [
            Registration(name=f"{PREFIX}/B{number:08d}", template=ref, values=values(number))
            for number in range(start, min(start + batch, names))
        ]

        def work(made: list[Registration] = made) -> None:
            results = node.registrations.register(made, actor=actor)
            assert all(result.ok for result in results)

        meter.run(work)
    node.close()
    started = time.perf_counter()
    node = EnterpriseNode.open(settings, store)
    print(f"start with {store.count():,} names: {time.perf_counter() - started:.2f} s")
    assert store.get(f"{PREFIX}/B{names - 1:08d}")
    node.close()
    store.close()
    return meter


def measure_floor(root: Path, names: int, batch: int) -> Meter:
    import lmdb

    database = sqlite3.connect(root / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE name (key TEXT PRIMARY KEY, content TEXT)")
    env, meter = lmdb.open(str(root / "floor"), map_size=16 * 2**30), Meter()
    for start in range(0, names, batch):
        rows = [
            (f"{PREFIX}/B{number:08d}", "|".join(values(number).values()))
            for number in range(start, min(start + batch, names))
        ]

        def work(rows: list[tuple[str, str]] = rows) -> None:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO name VALUES (?, ?)", rows)
            database.execute("COMMIT")
            with env.begin(write=True) as txn, txn.cursor() as cursor:
                cursor.putmulti([(key.encode(), content.encode() * 6) for key, content in rows])

        meter.run(work)
    database.close()
    env.close()
    return meter


def show(label: str, meter: Meter, names: int) -> None:
    rate = names / meter.wall
    print(
        f"{label:28} {rate:>10,.0f}/s {meter.cpu / names * 1e6:>8.1f} us CPU "
        f"{names / meter.cpu:>10,.0f}/s per core {meter.slowest * 1e3:>8.0f} ms slowest batch"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=2000)
    chosen = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="registration-") as root:
        node = measure_node(Path(root), chosen.names, chosen.batch)
        floor = measure_floor(Path(root), chosen.names, chosen.batch)
    show("enterprise node", node, chosen.names)
    show("the two stores alone", floor, chosen.names)
    print(f"ratio of CPU {node.cpu / floor.cpu:.1f}; Handle.Net bulk load about 840/s (published)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
