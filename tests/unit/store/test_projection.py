"""LMDB projections: batches are whole, generations count, a full map refuses and keeps."""

import pytest

from mingwu.kernel.errors import Overloaded
from mingwu.store.projection import Projection, ProjectionSettings


def test_batches_are_read_back_in_key_order(tmp_path):
    with Projection(tmp_path / "p") as store:
        assert store.generation == 0
        assert store.write([(b"b/2", b"two"), (b"a/1", b"one"), (b"b/1", b"x")], mark=b"17") == 1
        assert store.get(b"a/1") == b"one"
        assert store.get_many([b"b/2", b"nothing"]) == [b"two", None]
        assert list(store.scan(b"b/")) == [(b"b/1", b"x"), (b"b/2", b"two")]
        assert list(store.scan(b"b/", after=b"b/1")) == [(b"b/2", b"two")]
        assert (len(store), store.generation, store.mark) == (3, 1, b"17")


def test_a_second_process_sees_commits_and_survives_reopening(tmp_path):
    with Projection(tmp_path / "p") as store:
        store.write([(b"k", b"1"), (b"old", b"1")])
        store.write([(b"k", b"2")], delete=[b"old"])
    with Projection(tmp_path / "p", readonly=True) as reader:
        assert (reader.get(b"k"), reader.get(b"old"), reader.generation) == (b"2", None, 2)
        assert reader.mark is None


def test_clear_replaces_everything_in_one_step(tmp_path):
    with Projection(tmp_path / "p") as store:
        store.write([(b"gone", b"1")])
        store.write([(b"new", b"2")], clear=True)
        assert list(store.scan()) == [(b"new", b"2")]


def test_a_full_projection_refuses_the_batch_and_keeps_what_it_had(tmp_path):
    settings = ProjectionSettings(max_bytes=2**20, durable=False)
    with Projection(tmp_path / "p", settings) as store:
        store.write([(b"kept", b"1")])
        with pytest.raises(Overloaded) as caught:
            store.write((b"%06d" % n, b"x" * 400) for n in range(10_000))
        assert caught.value.code == "store.projection-full"
        assert (len(store), store.generation) == (1, 1)
        store.write([(b"more", b"2")])
        assert store.get(b"more") == b"2"


def test_a_failing_source_leaves_no_half_batch(tmp_path):
    def source():
        yield b"a", b"1"
        raise OSError("source broke")

    with Projection(tmp_path / "p") as store:
        with pytest.raises(OSError, match="source broke"):
            store.write(source())
        assert (len(store), store.generation) == (0, 0)
