"""Small reads travel together; order and quality changes are kept."""

import numpy as np

from mingwu.edge.coalescer import Coalescer
from mingwu.kernel.batch import Columns

MS = 1_000_000


def columns(count, value=0.0):
    return Columns(
        np.arange(count, dtype=np.uint32),
        np.zeros(count, np.int64),
        np.full(count, value),
        np.full(count, 0xC0, np.uint8),
    )


def coalescer(sent, batch_points=100, linger_ms=200):
    return Coalescer(
        "gw/d",
        7,
        lambda batch, transition: sent.append((batch, transition)),
        batch_points=batch_points,
        linger_ns=linger_ms * MS,
    )


def test_small_reads_wait_for_each_other():
    sent = []
    it = coalescer(sent)
    it.add(columns(10, 1.0), 5, 0, transition=False)
    it.add(columns(10, 2.0), 6, 100 * MS, transition=True)
    it.tick(7, 199 * MS)
    assert not sent
    it.tick(8, 200 * MS)
    ((batch, transition),) = sent
    assert (batch.source, batch.boot, batch.seq, batch.gateway_ns) == ("gw/d", 7, 1, 8)
    assert batch.columns.value.tolist() == [1.0] * 10 + [2.0] * 10
    assert transition
    it.add(columns(1), 9, 300 * MS, transition=False)
    it.flush(10)
    assert (sent[1][0].seq, sent[1][1]) == (2, False)


def test_enough_points_go_at_once_and_huge_reads_are_split():
    sent = []
    it = coalescer(sent)
    it.add(columns(100), 1, 0, transition=False)
    assert len(sent) == 1
    it.add(columns(4500), 1, 0, transition=False)
    assert [len(batch.columns) for batch, _ in sent] == [100, 2000, 2000, 500]
    assert [batch.seq for batch, _ in sent] == [1, 2, 3, 4]
    it.flush(1)
    assert len(sent) == 4


def test_without_linger_every_read_is_a_batch():
    sent = []
    coalescer(sent, linger_ms=0).add(columns(1), 1, 0, transition=False)
    assert len(sent) == 1
