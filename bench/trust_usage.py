"""Cost of trust and of honest counting: per record, per reply with the trust flag, per note.

Signing and verifying are compared with the bare signature arithmetic of the same key in the same
run; the usage note with what stands in its place otherwise, a counter under a lock. CPU time of the
process is the robust figure; "hot" is what the answering thread pays, "all" includes the writer.

    python bench/trust_usage.py [--notes 200000] [--records 300]
"""

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mingwu.trust.keys import Algorithm

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


def cpu_us(work: Callable[[], object], times: int) -> float:
    started = time.process_time_ns()
    for _ in range(times):
        work()
    return (time.process_time_ns() - started) / times / 1000


def trust(algorithm: "Algorithm", records: int, root: Path) -> list[tuple[str, float, str]]:
    from mingwu.identity.records import Record, RecordStore
    from mingwu.identity.trusted.anchors import StoreVerifier, read_anchors
    from mingwu.identity.trusted.setup import found
    from mingwu.identity.trusted.signing import RecordSigner
    from mingwu.trust import keys
    from mingwu.wire.handle.values import HandleValue, Reference

    store = RecordStore(root / algorithm, map_bytes=2**28, durable=False)
    store.put(Record(f"0.NA/{PREFIX}", (HandleValue(1, "DESC", b"plant"),)))
    key, anchor_key = keys.generate(algorithm), keys.generate(algorithm)
    anchors = read_anchors([found(store, PREFIX, anchor_key, key)])
    signer = RecordSigner(Reference(f"0.NA/{PREFIX}", 301), key)
    text = b"some 40 bytes of a description, as usual"
    record = Record(f"{PREFIX}/DEV.1", tuple(HandleValue(i, "DESC", text) for i in (1, 2, 3)))
    signed = signer.presign(record)
    verifier = StoreVerifier(store, anchors)
    data = bytes(400)
    signature, public = key.sign(data), key.public()
    works: tuple[tuple[str, Callable[[], object], int], ...] = (
        ("presign a record", lambda: signer.presign(record), 1),
        ("bare signature (rival)", lambda: key.sign(data), 1),
        ("verify record (2 signatures)", lambda: verifier.report(signed), 1),
        ("bare verification (rival)", lambda: public.verify(data, signature), 1),
        ("trust flag, remembered", lambda: verifier.answer_verified(signed, (1, 2, 3)), 20),
    )
    rows = [
        (f"{algorithm}: {what}", cpu_us(work, times * records), "µs CPU")
        for what, work, times in works
    ]
    store.close()
    return rows


def usage(notes: int, root: Path) -> list[tuple[str, float, str]]:
    from mingwu.identity.client.handleclient import request
    from mingwu.identity.usage.log import UsageLog
    from mingwu.identity.usage.reaggregate import reaggregate
    from mingwu.identity.usage.segment import files
    from mingwu.identity.usage.settings import UsageSettings
    from mingwu.wire.handle.bodies import Resolve
    from mingwu.wire.handle.message import encode

    settings = UsageSettings(directory=str(root / "usage"))
    log = UsageLog.open(settings)
    messages = [
        encode(request(1, Resolve(f"{PREFIX}/DEV.{i}").encode(), request_id=i)) for i in range(5000)
    ]
    sources = [f"198.51.{i % 100}.{i % 250}" for i in range(997)]
    reply = bytes(24) + (1).to_bytes(4) + bytes(300)

    def loop(work: Callable[[bytes, str, int], object]) -> float:
        started = time.thread_time_ns()
        for i in range(notes):
            work(messages[i % 5000], sources[i % 997], time.perf_counter_ns())
        return (time.thread_time_ns() - started) / notes

    lock, count = threading.Lock(), [0]

    def nothing(message: bytes, source: str, started: int) -> None:
        del message, source, started

    def counter(message: bytes, source: str, started: int) -> None:
        del message, source, started
        with lock:
            count[0] += 1

    note = log.note
    empty = loop(nothing)
    rival = loop(counter) - empty
    before = time.process_time_ns()
    hot = loop(lambda message, source, started: note(message, reply, source, 1, started)) - empty
    log.flush()
    whole = (time.process_time_ns() - before) / notes - empty
    log.close()
    paths = files(Path(settings.directory))
    size = sum(path.stat().st_size for path in paths) / notes
    started = time.process_time()
    result = reaggregate(paths, log.public_key)
    took = time.process_time() - started
    assert result.report is not None
    assert result.report.entries == notes
    return [
        ("usage note, hot path", hot, "ns CPU"),
        ("a counter under a lock (rival)", rival, "ns CPU"),
        ("usage note, all (writer thread too)", whole, "ns CPU"),
        ("log on disk per answer", size, "bytes"),
        ("check and count again per answer", took / notes * 1e9, "ns CPU"),
    ]


def main() -> int:
    from mingwu.trust.keys import Algorithm

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--notes", type=int, default=200_000)
    parser.add_argument("--records", type=int, default=300)
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rows = trust(Algorithm.RSA, args.records, root)
        rows += trust(Algorithm.SM2, args.records, root)
        rows += usage(args.notes, root)
    for what, value, unit in rows:
        print(f"{what:40} {value:12.1f} {unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
