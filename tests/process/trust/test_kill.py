"""A process killed while it writes: what was acknowledged is there, the rest is whole or absent."""

import subprocess
import sys

from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.engine import sqlite_url
from mingwu.store.projection import Projection
from mingwu.store.settings import StoreSettings
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings

JOURNAL = """
import sys
from mingwu.store.settings import StoreSettings
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings
trust = Trust.open(TrustSettings(store=StoreSettings(url=sys.argv[1], durable=True)))
while True:
    print(trust.journal.append("t", "a.b", "c").number, flush=True)
"""

PROJECTION = """
import sys
from pathlib import Path
from mingwu.store.projection import Projection
store = Projection(Path(sys.argv[1]))
n = store.generation
while True:
    n += 1
    batch = [(b"%d/%d" % (n, k), b"x" * 50) for k in range(200)]
    print(store.write(batch, mark=b"%d" % n), flush=True)
"""

REGISTRY = """
import sys
from mingwu.registry.model import PlantFile, ThingDef
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.settings import StoreSettings
registry = Registry.open(RegistrySettings(store=StoreSettings(url=sys.argv[1])))
size = 0
while True:
    size += 1
    things = tuple(ThingDef(id=f"DOC.{n}", kind="document") for n in range(size))
    print(registry.import_plant(PlantFile(name="p", prefix="88.1", thing=things)).generation,
          flush=True)
"""


def kill_while_writing(program, argument, acknowledged):
    """Run the program, kill it -9 after so many lines; returns the last complete line."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, argument], stdout=subprocess.PIPE, text=True
    )
    try:
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.kill()
        rest = child.stdout.read().splitlines(keepends=True)
    finally:
        child.kill()
        child.wait(timeout=30)
        child.stdout.close()
    return int([line for line in lines + rest if line.endswith("\n")][-1])


def test_the_journal_keeps_every_acknowledged_entry(tmp_path):
    store = StoreSettings(url=sqlite_url(tmp_path / "t.db"), durable=True)
    last = kill_while_writing(JOURNAL, store.url, 40)
    trust = Trust.open(TrustSettings(store=store))
    verdict = trust.journal.verify()
    assert verdict.sound
    assert last <= verdict.entries <= last + 1
    assert trust.journal.append("t", "a.b", "c").number == verdict.entries + 1
    assert trust.journal.verify().sound
    trust.close()


def test_a_projection_holds_whole_batches_only(tmp_path):
    last = kill_while_writing(PROJECTION, str(tmp_path / "p"), 30)
    with Projection(tmp_path / "p") as store:
        assert last <= store.generation <= last + 1
        assert len(store) == 200 * store.generation
        assert store.mark == b"%d" % store.generation


def test_an_import_is_whole_or_not_there(tmp_path):
    settings = RegistrySettings(store=StoreSettings(url=sqlite_url(tmp_path / "r.db")))
    last = kill_while_writing(REGISTRY, settings.store.url, 20)
    registry = Registry.open(settings)
    generation = registry.generation()
    assert last <= generation <= last + 1
    assert registry.things()[1] == generation
    registry.close()
