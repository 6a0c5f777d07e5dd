"""The writers' lock keeps threads apart and is free again after a failure."""

import threading

import pytest

from mingwu.store.writelock import WriteLock


def test_one_writer_at_a_time(tmp_path):
    lock, inside, most = WriteLock(tmp_path / "lock"), [], []

    def write() -> None:
        for _ in range(200):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert set(most) == {1}
    lock.close()
    lock.close()


def test_two_handles_of_one_file_exclude_each_other(tmp_path):
    """As two processes would: the kernel's lock belongs to the open file."""
    mine, theirs = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock")
    order: list[str] = []

    def write() -> None:
        with theirs:
            order.append("theirs")

    with mine:
        other = threading.Thread(target=write)
        other.start()
        other.join(0.2)
        assert other.is_alive()
        order.append("mine")
    other.join(20)
    assert order == ["mine", "theirs"]
    mine.close()
    theirs.close()


def test_it_is_free_after_a_failure(tmp_path):
    lock = WriteLock(tmp_path / "lock")
    with pytest.raises(ValueError, match="no"), lock:
        raise ValueError("no")
    with lock:
        pass
    lock.close()
    with pytest.raises(ValueError, match="closed"), lock:
        pass
    with pytest.raises(ValueError, match="closed"), lock:  # it did not stay locked
        pass
