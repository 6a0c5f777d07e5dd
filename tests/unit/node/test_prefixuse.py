"""The use of prefixes, taken from a signed log that another process writes."""

import time

from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.node.prefixuse import LogUse
from mingwu.wire.handle.codes import Op, Rc


def test_use_comes_from_the_log_and_is_believed_for_a_while(tmp_path):
    settings = UsageSettings(directory=str(tmp_path / "usage"))
    now = [0.0]
    use = LogUse(settings, lambda: {"88.101.1": 10}, keep_s=5, monotonic=lambda: now[0])
    assert use() is None  # the resolver has not begun its log
    log = UsageLog.open(settings)

    def ask(name, source):
        log.note_named(Op.RESOLVE, Rc.SUCCESS, name, source, time.perf_counter_ns())
        log.flush()

    ask("88.101.1/A", "198.51.100.1")
    ask("88.101.1/A", "198.51.100.2")
    ask("88.101.1/B", "127.0.0.1")  # the operator's own
    today = UsageStatistics.beside(settings, dict)._day(time.time())
    most, at_ms = use.peak_of(today)
    assert 1 <= most <= 2  # both questions of others, in one second or two
    assert abs(at_ms / 1000 - time.time()) < 60
    assert use.peak_of("2020-01-01") is None
    found = use()["88.101.1"]
    assert (found.requests, found.foreign, found.today) == (2, 1, 2)
    ask("88.101.1/C", "198.51.100.1")
    assert use()["88.101.1"].foreign == 1
    now[0] = 5.0
    assert use()["88.101.1"].foreign == 2
    log.close()
