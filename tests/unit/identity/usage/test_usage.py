"""From notes to figures: causes, sealing, recovery, and counting again from outside."""

import os
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mingwu.identity.usage.causes import Classifier, network_of
from mingwu.identity.usage.columns import columns_of
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.reaggregate import head_of, reaggregate
from mingwu.identity.usage.report import by_network, report
from mingwu.identity.usage.segment import Broken, files, read_segment
from mingwu.identity.usage.settings import UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.identity.usage.wording import format_reaggregation
from mingwu.kernel.errors import ConfigError, InvalidInput, Unavailable
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm

CLIENTS = ("198.51.100.7", "198.51.101.7", "203.0.113.9", "192.0.2.3", "127.0.0.1", "2001:db8::1")
NAMES = ("88.888.101/A", "88.888.101/a", "88.888.101/B", "88.888.102/X", "88.888.101/PROBE")
KEY = keys.generate(Algorithm.ED25519)


def segments(log):
    return files(Path(log._settings.directory))


def recount(log, paths=None, **more):
    return reaggregate(paths or segments(log), log.public_key, **more)


def expected_cause(name, source, console):
    if console:
        return "console"
    if name.upper() == "88.888.101/PROBE" or source == "192.0.2.3":
        return "health"
    if source == "127.0.0.1":
        return "own"
    owned = source.startswith("203.0.113.") and name.upper().startswith("88.888.101/")
    return "owner" if owned else "client"


def test_a_replaced_key_leaves_what_the_old_one_sealed_good(settings, clock):
    directory = Path(settings.directory)
    bundle = directory / "public-key.pem"

    def work(*, cut=False):
        log = UsageLog.open(settings, node="n1", clock=clock)
        log.note_named(1, 1, "88.888.101/A", "198.51.100.7", time.perf_counter_ns())
        log.flush()
        if cut:  # left open: sealed at the next start, by whatever key is there then
            log._stop.set()
            log._thread.join()
            os.close(log._handle)
            os.close(log._lock_handle)
        else:
            log.close()
        clock.ms += 1000
        return keys.load_public(log.public_key).key_id

    old = work()
    work(cut=True)
    outside = bundle.read_bytes()  # what an outsider noted
    (directory / "log-key.pem").unlink()
    new = work()
    work()
    assert old != new
    paths = files(directory)
    found = reaggregate(paths, bundle.read_bytes())
    assert (found.sound, found.key_ids) == (True, (old, new))
    assert found.report.total.resolutions == 4
    assert bundle.read_bytes().startswith(keys.load_private(
        (directory / "log-key.pem").read_bytes()).public().pem())  # fmt: skip
    assert bundle.read_bytes().count(b"BEGIN") == 2
    statistics = UsageStatistics.beside(settings, dict)
    assert statistics.check().sound
    # the new key proves nothing to who knows the old one only, the old segments still stand
    assert {one.file for one in reaggregate(paths, outside).findings} == {
        path.name for path in paths[1:]
    }
    assert reaggregate(paths[:1], outside).sound
    with pytest.raises(InvalidInput):
        reaggregate(paths, b"no key")


def test_owners_that_are_told_count_from_then_on(log, feeder, clock):
    feeder.ask("88.888.102/X", "198.51.100.7")
    log.flush()
    log.follow_owners({"88.888.102": ("198.51.100.0/24",), "88.888.101": ("2001:db8::/32",)})
    feeder.ask("88.888.102/X", "198.51.100.7")
    feeder.ask("88.888.102/X", "198.51.101.7")
    feeder.ask("88.888.101/A", "2001:db8::1")
    feeder.ask("88.888.101/A", "203.0.113.9")  # the settings hold, too
    log.flush()
    log.follow_owners({})
    feeder.ask("88.888.102/X", "198.51.100.7")
    feeder.ask("88.888.101/A", "203.0.113.9")
    log.close()
    causes = recount(log).report.total.by_cause
    assert (causes["client"], causes["owner"]) == (3, 4)


def test_figures_of_a_day(log, feeder, clock):
    feeder.ask("88.888.101/A")
    feeder.ask("88.888.101/a", "2001:db8::1", latency_us=900)  # the same name
    feeder.ask("88.888.101/NONE", rc=100)
    feeder.ask("88.888.101/B", "203.0.113.9")  # its owner
    feeder.ask("88.888.101/A", "192.0.2.3")  # a probe
    feeder.ask("88.888.101/PROBE", "198.51.100.7")  # a probe by name
    feeder.ask("88.888.101/A", "127.0.0.1")
    feeder.ask("88.888.101/A", "127.0.0.1", console=True)
    feeder.ask("88.888.101/N", op=100)
    log.close()
    result = recount(log)
    assert result.sound, result.findings
    total = result.report.total
    assert total.by_cause == {"client": 3, "owner": 1, "health": 2, "own": 1, "console": 1}
    assert (total.resolutions, total.succeeded, total.clients) == (4, 3, 3)
    assert (total.identifiers, total.failures) == (2, {"not-found": 1})
    assert (total.peak_qps, total.peak_at) == (4, "2026-11-23T02:00:00Z")
    assert total.latency_us.max >= 900
    assert 50 <= total.latency_us.p50 < 900
    assert total.other_operations == 1
    assert [day.day for day in result.report.days] == ["2026-11-23"]
    window = result.report.window
    assert (window.registered, window.resolved_by_others) == (14, 1)
    assert [(use.prefix, use.share) for use in window.prefixes] == [
        ("88.888.101", 0.25),
        ("88.888.102", 0.0),
    ]


def test_a_tenant_that_registers_but_is_never_resolved_shows(log, feeder):
    feeder.ask("88.888.101/A")
    log.close()
    uses = {use.prefix: use for use in recount(log).report.window.prefixes}
    assert (uses["88.888.102"].registered, uses["88.888.102"].resolutions) == (10, 0)


def test_what_is_older_than_the_window_does_not_count(log, feeder, clock):
    feeder.ask("88.888.101/A")
    log.flush()
    clock.ms += 31 * 86_400_000
    log.seal()
    feeder.ask("88.888.101/B")
    log.close()
    result = recount(log).report
    assert result.window.resolved_by_others == 1
    assert result.total.resolutions == 2
    assert [day.day for day in result.days] == ["2026-11-23", "2026-12-24"]


def test_day_begins_in_beijing(log, feeder, clock):
    clock.ms += 14 * 3_600_000 - 1  # one millisecond to midnight
    log.seal()
    feeder.ask("88.888.101/A")
    log.flush()
    clock.ms += 1
    feeder.ask("88.888.101/A")
    log.close()
    assert [day.day for day in recount(log).report.days] == ["2026-11-23", "2026-11-24"]


def test_clients_and_names_do_not_stand_in_the_log(log, feeder):
    feeder.ask("88.888.101/Secret-Name", "198.51.100.77")
    log.close()
    data = b"".join(path.read_bytes() for path in segments(log))
    assert b"198.51.100.0/24" in data
    assert b"198.51.100.77" not in data
    assert b"ECRET" not in data.upper().replace(b"SHA", b"")


def test_top_clients(log, feeder):
    for _ in range(3):
        feeder.ask("88.888.101/A", "198.51.101.7")
    feeder.ask("88.888.101/A", "203.0.113.9")
    log.close()
    top = recount(log).report.top_clients
    assert [(one.network, one.cause, one.resolutions) for one in top] == [
        ("198.51.101.0/24", "client", 3),
        ("203.0.113.0/24", "owner", 1),
    ]


def test_full_queue_is_written_by_whoever_answers(settings, clock):
    small = UsageSettings(directory=settings.directory, flush_s=10, buffer_notes=1024)
    log = UsageLog.open(small, clock=clock)
    for _ in range(3000):
        log.note_named(1, 1, "88.888.101/A", "198.51.100.7", 0)
    assert len(log._notes) < 1024
    log.close()
    assert recount(log).report.entries == 3000


def test_refusing_disk_is_outlived(log, feeder, clock, monkeypatch, caplog):
    real = os.write

    def refuse(handle, data):
        real(handle, data[: len(data) // 2])  # half a block, then no space
        raise OSError(28, "No space left on device")

    feeder.ask("88.888.101/A")
    monkeypatch.setattr("mingwu.identity.usage.log.os.write", refuse)
    log.flush()
    feeder.ask("88.888.101/B")
    log.flush()
    log.seal()
    monkeypatch.undo()
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    log.flush()
    log.close()
    result = recount(log)
    assert result.sound, result.findings
    assert (result.report.entries, result.report.lost, result.segments) == (2, 0, 1)


def test_killed_process_is_recovered_at_the_next_start(log, feeder, settings, clock):
    feeder.ask("88.888.101/A")
    log.flush()
    path = segments(log)[-1]
    left = path.read_bytes() + b"\x04\xff\xff"  # the beginning of a block that was never finished
    log.close()
    path.write_bytes(left)
    again = UsageLog(settings, log._key, bytes(32), clock=clock)
    again.start()
    again.close()
    result = recount(again)
    assert result.sound, result.findings
    assert (result.segments, result.report.entries, result.report.recovered) == (2, 1, 1)


def test_restart_goes_on_with_the_chain(log, feeder, settings, clock):
    feeder.ask("88.888.101/A")
    log.close()
    again = UsageLog(settings, log._key, bytes(32), clock=clock)
    again.start()
    again.close()
    assert recount(log).segments == 2


def test_key_and_salt_are_kept_for_the_owner_only(settings):
    first = UsageLog.open(settings)
    first.close()
    again = UsageLog.open(settings)
    again.close()
    assert first.public_key == again.public_key
    assert recount(again).sound
    modes = {path.stat().st_mode & 0o777 for path in Path(settings.directory).iterdir()}
    assert modes == {0o600}


def fill(log, feeder, clock, rows):
    for step, name, source, rc, console, seal in rows:
        if step:
            log.flush()
            clock.ms += step
        feeder.ask(name, source, rc=rc, console=console)
        if seal:
            log.seal()
    log.close()


ROW = st.tuples(
    st.sampled_from((0, 0, 0, 300, 2000, 40_000_000)),
    st.sampled_from(NAMES),
    st.sampled_from(CLIENTS),
    st.sampled_from((1, 1, 1, 100, 402, 2)),
    st.sampled_from((False, False, False, True)),
    st.sampled_from((False, False, False, True)),
)
SLOW = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@SLOW
@given(rows=st.lists(ROW, min_size=1, max_size=40))
def test_counting_again_equals_naive_counting(tmp_path_factory, make_log, rows):
    log, feeder, clock = make_log(tmp_path_factory.mktemp("log"))
    fill(log, feeder, clock, rows)
    result = recount(log)
    assert result.sound, result.findings
    causes, counted, clients, names, others = Counter(), 0, set(), set(), set()
    failed, seconds, days = 0, Counter(), Counter()
    last = max(row[0] for row in feeder.rows)
    for ms, name, source, rc, _, console in feeder.rows:
        cause = expected_cause(name, source, console)
        causes[cause] += 1
        if cause not in {"client", "owner"}:
            continue
        counted += 1
        clients.add(source)
        seconds[ms // 1000] += 1
        days[(ms + 28_800_000) // 86_400_000] += 1
        if rc == 1:
            names.add(name.upper())
            if cause == "client" and ms > last - 30 * 86_400_000:
                others.add(name.upper())
        else:
            failed += 1
    total = result.report.total
    assert {k: v for k, v in total.by_cause.items() if v} == dict(causes)
    assert (total.resolutions, total.clients, total.identifiers) == (
        counted, len(clients), len(names),
    )  # fmt: skip
    assert sum(total.failures.values()) == failed
    assert total.peak_qps == max(seconds.values(), default=0)
    got = [day.figures.resolutions for day in result.report.days if day.figures.resolutions]
    assert got == [days[day] for day in sorted(days)]
    assert result.report.window.resolved_by_others == len(others)
    assert report([read_segment(path.read_bytes()) for path in segments(log)]) == result.report


@SLOW
@given(data=st.data())
def test_any_changed_byte_is_found(tmp_path_factory, make_log, data):
    log, feeder, clock = make_log(tmp_path_factory.mktemp("log"))
    fill(log, feeder, clock, [(0, name, CLIENTS[0], 1, False, True) for name in NAMES[:3]])
    path = data.draw(st.sampled_from(segments(log)))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    result = recount(log)
    assert not result.sound
    assert result.report is None


def test_removed_swapped_and_cut_segments_are_found(log, feeder, clock):
    fill(log, feeder, clock, [(0, name, CLIENTS[0], 1, False, True) for name in NAMES[:3]])
    paths = segments(log)
    assert recount(log).sound
    assert not recount(log, [paths[0], *paths[2:]]).sound
    first, second = paths[0].read_bytes(), paths[1].read_bytes()
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    assert not recount(log).sound
    paths[0].write_bytes(first)
    paths[1].write_bytes(second)
    known = {4: head_of(paths[3])}
    assert recount(log, known=known).sound
    assert recount(log, paths[:3]).sound  # cut at the end: found only by whoever knows the head
    assert not recount(log, paths[:3], known=known).sound


def test_another_nodes_log_is_not_taken(log, feeder, tmp_path, settings, clock):
    feeder.ask("88.888.101/A")
    log.close()
    other = UsageLog.open(UsageSettings(directory=str(tmp_path / "other")), clock=clock)
    other.close()
    assert not reaggregate(segments(log), other.public_key).sound


def test_bytes_that_are_no_segment():
    for data in (b"", b"MWUSAGE1", b"hello"):
        with pytest.raises(Broken):
            read_segment(data)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", "?"),
    ],
)
def test_networks(address, network):
    assert network_of(address) == network


def test_bad_network_in_the_settings():
    with pytest.raises(ConfigError):
        Classifier(UsageSettings(own_networks=("300.0.0.0/8",)), bytes(32))


def test_flood_of_invented_names_stays_bounded(log, feeder, monkeypatch):
    monkeypatch.setattr("mingwu.identity.usage.packing._MOST_PREFIXES", 10)
    monkeypatch.setattr("mingwu.identity.usage.packing._MOST_CLIENTS", 10)
    monkeypatch.setattr("mingwu.identity.usage.packing._MOST_NAMES", 10)
    for i in range(100):
        feeder.ask(f"9.{i}/X", f"198.51.{i}.1", rc=301)
    log.close()
    segment = read_segment(segments(log)[0].read_bytes())
    assert len(segment.entries) == 100
    assert len(segment.prefixes) <= 11
    assert len(segment.clients) <= 11


def test_old_segments_go_and_the_rest_stays_sound(log, feeder, clock):
    for _ in range(3):
        feeder.ask("88.888.101/A")
        log.flush()
        clock.ms += 201 * 86_400_000
        log.seal()
    log.close()
    result = recount(log)
    assert result.sound, result.findings
    assert (result.report.first_segment, result.report.last_segment) == (3, 4)


def test_outcome_in_words(log, feeder):
    feeder.ask("88.888.101/A")
    log.close()
    result = recount(log)
    english, chinese = (format_reaggregation(result, lang) for lang in ("en", "zh"))
    assert "resolved by others in 30 days: 1 (7.1%)" in english
    assert "计入的解析次数：1" in chinese
    path = segments(log)[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert "not sound" in format_reaggregation(recount(log))


def test_an_empty_log_has_empty_figures(log):
    log.close()
    result = recount(log).report
    assert (result.entries, result.total.resolutions, result.days) == (0, 0, ())
    assert result.top_clients == ()
    assert report([]).window.share is None


def test_two_writers_of_one_directory(log, settings, clock):
    other = UsageLog(settings, log._key, bytes(32), clock=clock)
    with pytest.raises(Unavailable) as refused:
        other.start()
    assert refused.value.code == "usage.in-use"
    log.close()
    assert recount(log).segments == 1


def test_thread_outlives_what_goes_wrong(settings, clock, caplog):
    def failing():
        raise RuntimeError("the registry is away")

    fast = msgspec.structs.replace(settings, flush_s=0.01)
    log = UsageLog(fast, KEY, bytes(32), clock=clock, ticks=clock.time_ns, registered=failing)
    log.start()
    clock.ms += 3_700_000
    until = time.monotonic() + 30
    while not caplog.records and time.monotonic() < until:
        time.sleep(0.005)
    log.note_named(1, 1, "88.888.101/A", "198.51.100.7", clock.time_ns())
    log._registered = dict
    while len(segments(log)) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    log.close()
    result = recount(log)
    assert result.sound, result.findings
    assert result.report.entries == 1


def again_after(settings, key, clock):
    log = UsageLog(settings, key, bytes(32), clock=clock)
    log.start()
    log.close()
    return log


@pytest.mark.parametrize("size", [0, 5, 12, 60])
def test_segment_that_was_only_begun_goes(log, settings, clock, size):
    log.close()
    path = segments(log)[0]
    path.write_bytes(path.read_bytes()[:size])
    assert recount(again_after(settings, log._key, clock)).sound
    assert len(segments(log)) == 1


@pytest.mark.parametrize("at", [3, 40])
def test_damaged_segment_is_never_removed(log, feeder, settings, clock, at):
    feeder.ask("88.888.101/A")
    log.close()
    path = segments(log)[0]
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InvalidInput) as refused:
        again_after(settings, log._key, clock)
    assert refused.value.code == "usage.broken"
    assert path.read_bytes() == bytes(data)


def test_questions_by_prefix_and_network(log, feeder):
    feeder.ask("88.888.101/A")
    feeder.ask("88.888.101/B", "198.51.100.99")  # the same network
    feeder.ask("88.888.101/NONE", rc=100)
    feeder.ask("88.888.102/X", "2001:db8::1")
    feeder.ask("88.888.101/A", "192.0.2.3")  # a probe: not counted
    feeder.ask("88.888.101/N", op=100)  # nor what is no resolution
    log.close()
    found = by_network(columns_of(read_segment(one.read_bytes()) for one in segments(log)))
    rows = {(one.prefix, one.network): (one.resolutions, one.succeeded) for one in found}
    assert rows == {
        ("88.888.101", "198.51.100.0/24"): (3, 2),
        ("88.888.102", "2001:db8::/48"): (1, 1),
    }


def test_no_questions_are_no_rows(log):
    log.close()
    assert by_network(columns_of(read_segment(one.read_bytes()) for one in segments(log))) == ()
