"""A copy taken while a node works, and the node put back to it after everything was lost."""

import shutil
import socket
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest

from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Organisation,
    Person,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.identity.server.process import open_store
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.segment import files
from mingwu.kernel.catalogue import zh_of
from mingwu.kernel.errors import Conflict, InvalidInput
from mingwu.node import restore as restoring
from mingwu.node.backup import secret_files, take
from mingwu.node.config import load
from mingwu.node.restore import restore
from mingwu.trust.service import Trust

FIRST = "91330000MA0000001"
USCC = FIRST + check_digit(FIRST)
PREFIX = "88.101.1"
TEXT = """
[node]
name = "sln"
roles = []
identity = ["usage", "enterprise", "secondlevel"]
[history]
url = ""
[resolver]
map_bytes = 268435456
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "mingwu.toml"
    file.write_text(TEXT)
    return load(file)


@contextmanager
def opened(config):
    """The second-level node and its records, as the web process opens them."""
    store = open_store(config.resolver)
    node = SecondLevel.open(config.secondlevel, store, site_at("127.0.0.1", 2641))
    try:
        yield node
    finally:
        node.close()
        store.close()


def register(node, *suffixes):
    items = [HostedItem(name=f"{PREFIX}/{one}", values={"kind": "x"}) for one in suffixes]
    assert {one.code for one in node.hosted.register(PREFIX, items)} == {1}


@pytest.fixture
def copied(config, tmp_path):
    """A copy whose database is newer than its records, as a busy node's is."""
    Trust.open(config.trust).close()
    UsageLog.open(config.usage, node="sln").close()
    with opened(config) as node:
        form = ApplicationForm(
            prefix=PREFIX, organisation=Organisation(uscc=USCC, name="企业"),
            legal_person=Person(name="张三"), contact=Person(name="李四", phone="13800000000"),
        )  # fmt: skip
        node.applications.accept(node.applications.submit(form, "a").id, "r")
        node.escrow.make("FULL", node.public_key)
        register(node, "PRT0001")
    lines = take(config, tmp_path / "copies", "one", with_secrets=True)
    with opened(config) as node:
        register(node, "PRT0002")
        node.hosted.remove(PREFIX, [f"{PREFIX}/PRT0001"])
        node.hosted.close()  # all is said to be projected
        copy = tmp_path / "copies" / "one"
        with (
            closing(sqlite3.connect(config.data / "secondlevel.db")) as source,
            closing(sqlite3.connect(copy / "secondlevel.db")) as target,
        ):
            source.backup(target)
        register(node, "PRT0003")  # behind the copy: lost
    assert not any("NOT copied" in line for line in lines)
    assert any("no historian" in line for line in lines)
    assert any("没有历史库" in zh_of(line) for line in lines)
    return copy


def test_everything_comes_back_on_an_empty_machine(config, copied):
    secrets = {place: file.read_bytes() for place, file in secret_files(config)}
    assert "usage/log-key.pem" in secrets
    log = [file.read_bytes() for file in files(config.data / "usage")]
    assert log
    shutil.rmtree(config.data)
    again = load(config.file)  # makes the passwords that it finds missing
    assert {place for place, _ in secret_files(again)} & set(secrets)
    told = [zh_of(line) for line in restore(again, copied)]
    assert any("需重写 2 条记录" in line for line in told)
    assert {place: file.read_bytes() for place, file in secret_files(again)} == secrets
    assert [file.read_bytes() for file in files(config.data / "usage")] == log
    with opened(again) as node:
        assert node.lookup.counts() == {PREFIX: 1}
        there = {one: node.hosted._records.get(f"{PREFIX}/{one}") for one in
                 ("PRT0001", "PRT0002", "PRT0003")}  # fmt: skip
        assert [one for one, record in there.items() if record] == ["PRT0002"]
        assert node.tenants.get(USCC).name == "企业"


def test_the_top_node_gets_nothing_under_a_number_it_knows(config, copied):
    now_ms = time.time_ns() // 1_000_000
    restore(config, copied, now_ms)
    with opened(config) as node:
        assert node.escrow.due() == "FULL"
        assert node.escrow.make("FULL", node.public_key).number > now_ms
        assert node.escrow.due() == ""
        node.duties.make()
        waiting = node.outbox.entries(state="waiting")
        # made before the copy, perhaps known above: keeps its number; deposits are not sent twice
        assert [one.subject for one in waiting if one.number <= now_ms] == [PREFIX]
        assert {"T1", "T6"} <= {one.subject for one in waiting if one.number > now_ms}


def test_what_was_there_is_kept_aside(config, copied):
    restore(config, copied)
    (aside,) = config.data.glob("before-restore-*")
    assert {"secondlevel.db", "trust.db", "identity", "usage"} <= {
        one.name for one in aside.iterdir()
    }


def test_a_bad_copy_changes_nothing(config, copied):
    before = (config.data / "secondlevel.db").stat().st_ino
    with (copied / "secondlevel.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    with pytest.raises(InvalidInput, match="secondlevel"):
        restore(config, copied)
    (copied / "secondlevel.db").unlink()
    with pytest.raises(InvalidInput, match="missing"):
        restore(config, copied)
    (copied / "copy.json").write_text('{"node":"other","version":"1","began_ms":1}')
    with pytest.raises(InvalidInput, match="other"):
        restore(config, copied)
    assert (config.data / "secondlevel.db").stat().st_ino == before
    assert not list(config.data.glob("before-restore-*"))


def test_a_running_node_is_not_restored(config, copied, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file = config.file
        file.write_text(TEXT.replace("roles = []", 'roles = ["console"]')
                        + f"[console]\nport = {taken.getsockname()[1]}\n")  # fmt: skip
        monkeypatch.setattr(restoring, "_databases", lambda *_: pytest.fail("it went on"))
        with pytest.raises(Conflict):
            restore(load(file), copied)
