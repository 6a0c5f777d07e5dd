"""``mingwu handle``: a name's life from the command line, at real servers."""

import asyncio
import json
import os
import shutil
import stat
import sys

import pytest

from mingwu.cli.main import main
from mingwu.identity.records import Record
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.node.config import load
from mingwu.trust.service import Trust
from mingwu.wire.handle.jsonform import value_from_json
from mingwu.wire.handle.keys import SM2, read_key
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
PREFIX = "88.888.101"
NAME = f"{PREFIX}/LOT.2509"
ADMIN = f"301:0.NA/{PREFIX}"


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    return path


@pytest.fixture
def mingwu(capsys, monkeypatch):
    """``await mingwu("handle", …)``: (exit status, standard output, standard error)."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")

    async def command(*words):
        status = await asyncio.to_thread(main, [str(word) for word in words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return command


async def test_the_life_of_a_name(serving, mingwu, secret_file, tmp_path):
    async with serving() as server:
        where = ("--server", f"127.0.0.1:{server.port}")
        me = (*where, "--as", ADMIN, "--secret-file", secret_file)
        words = ("1:URL=https://example.org/lot", "2:NOTE=first", "--admin", ADMIN)
        status, out, _ = await mingwu("handle", "create", NAME, *words, *me)
        assert status == 0
        assert f"→ look: mingwu resolve {NAME}" in out
        status, _, err = await mingwu("handle", "create", NAME, *words, *me)
        assert status == 1
        assert "registered already" in err
        assert "choose another name" in err, "the next step fits the code"
        note = tmp_path / "note.txt"
        note.write_text("second")
        assert (await mingwu("handle", "modify", NAME, f"2:NOTE=@{note}", *me))[0] == 0
        more = tmp_path / "more.json"
        more.write_text(
            json.dumps({"values": [{"index": 3, "type": "EMAIL", "data": "a@example.org"}]})
        )
        assert (await mingwu("handle", "add", NAME, "--file", more, *me))[0] == 0
        status, out, _ = await mingwu("resolve", NAME, *where, "--json")
        data = {value["index"]: value["data"]["value"] for value in json.loads(out)["values"]}
        assert (data[2], data[3]) == ("second", "a@example.org")
        assert (await mingwu("handle", "remove", NAME, "3", *me))[0] == 0
        status, out, err = await mingwu("handle", "list", PREFIX, *me)
        assert NAME in out.splitlines()
        assert "names under" in err
        assert (await mingwu("handle", "delete", NAME, *me))[0] == 0
        assert server.store.get(NAME) is None
        status, _, err = await mingwu("handle", "delete", NAME, *me)
        assert status == 1
        assert "no such name" in err


@pytest.mark.parametrize("algorithm", ["rsa", "sm2", "dsa"])
@pytest.mark.parametrize("login", [(), ("--login", "key"), ("--login", "password")])
async def test_a_key_made_here_administers_names(
    serving, mingwu, secret_file, tmp_path, algorithm, login
):
    pem, value = tmp_path / f"{algorithm}.pem", tmp_path / "value.json"
    status, out, _ = await mingwu("handle", "key", pem, "--algorithm", algorithm, "--index", "302")
    assert status == 0
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    value.write_text(out)
    (made,) = json.loads(out)
    assert (read_key(value_from_json(made, 0).data).algorithm == SM2) == (algorithm == "sm2")
    again = await mingwu("handle", "key", pem, "--index", "302")
    assert json.loads(again[1])[0]["data"] == made["data"]
    async with serving() as server:
        where = ("--server", f"127.0.0.1:{server.port}")
        old = (*where, "--as", ADMIN, "--secret-file", secret_file)
        home = f"0.NA/{PREFIX}"
        assert (await mingwu("handle", "add", home, "--file", value, *old))[0] == 0
        entry = [{"index": 111, "type": "HS_ADMIN", "data": {
            "format": "admin",
            "value": {"handle": home, "index": 302, "permissions": "1" * 12}}}]  # fmt: skip
        value.write_text(json.dumps(entry))
        assert (await mingwu("handle", "add", home, "--file", value, *old))[0] == 0
        new = (*where, "--as", f"302:{home}", "--key", pem, *login)
        assert (await mingwu("handle", "create", NAME, "1:URL=https://example.org", *new))[0] == 0
        status, out, _ = await mingwu("handle", "login", *new)
        assert status == 0
        assert f"302:{home}" in out
        stranger = tmp_path / "stranger.pem"
        await mingwu("handle", "key", stranger, "--algorithm", algorithm)
        bad = (*where, "--as", f"302:{home}", "--key", stranger, *login)
        status, _, err = await mingwu("handle", "delete", NAME, *bad)
        assert status == 1
        assert "proof of identity" in err


async def test_homing_prefixes_and_the_site(serving, mingwu, secret_file):
    async with serving(server_admins=(ADMIN,)) as server:
        where = ("--server", f"127.0.0.1:{server.port}")
        me = (*where, "--as", ADMIN, "--secret-file", secret_file)
        assert (await mingwu("handle", "home", "88.888.777", *me))[0] == 0
        assert server.store.is_homed("88.888.777")
        assert "0.NA/88.888.777" in (await mingwu("handle", "prefixes", *me))[1].splitlines()
        assert (await mingwu("handle", "unhome", "88.888.777", *me))[0] == 0
        assert not server.store.is_homed("88.888.777")
        site = json.loads((await mingwu("handle", "site", *where))[1])
        ports = {item["port"] for item in site["servers"][0]["interfaces"]}
        assert server.port in ports
        of_prefix = json.loads((await mingwu("handle", "site", PREFIX, *where))[1])
        assert [value["type"] for value in of_prefix] == ["HS_SITE"]
        assert (await mingwu("handle", "site", "9.9", *where))[0] == 1


async def test_a_change_finds_its_server_from_a_root(serving, mingwu, secret_file):
    async with (
        serving("enterprise") as enterprise,
        serving("root", filled=False, prefixes=("0.NA",)) as root,
    ):
        values = []
        for index, (port, primary) in enumerate([(9, False), (enterprise.port, True)], 1):
            here = Server(1, pack_address("127.0.0.1"), interfaces=(Interface(3, 1, port),))
            values.append(
                HandleValue(index, "HS_SITE", encode_site(Site((here,), primary=primary)))
            )
        root.store.put(Record(f"0.NA/{PREFIX}", tuple(values)))
        me = ("--root", f"127.0.0.1:{root.port}", "--as", ADMIN, "--secret-file", secret_file)
        assert (await mingwu("handle", "create", NAME, "1:URL=https://example.org", *me))[0] == 0
        assert enterprise.store.get(NAME) is not None
        sites = json.loads((await mingwu("handle", "site", PREFIX, *me[:2]))[1])
        assert len(sites) == 2
        status, _, err = await mingwu("handle", "delete", "88.888.999/X", *me)
        assert status == 1
        assert "does not serve" in err


async def test_a_dry_run_sends_nothing(serving, mingwu):
    async with serving() as server:
        before = server.statistics.tcp
        words = ("1:URL=https://example.org", "--dry-run", "--server", f"127.0.0.1:{server.port}")
        status, out, _ = await mingwu("handle", "create", NAME, *words)
        assert status == 0
        assert '"URL"' in out
        assert "Nothing was sent" in out
        assert (server.statistics.tcp, server.store.get(NAME)) == (before, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", NAME, "URL=x"), "INDEX:TYPE=DATA"),
        (("create", NAME, "0:URL=x"), "an index is a number"),
        (("create", NAME, "1:URL=x", "1:URL=y"), "stands twice"),
        (("create", NAME, "1:URL=@/nonexistent"), "No such file"),
        (("create", NAME, "--file", "/nonexistent"), "No such file"),
        (("create", NAME, "1:A=b", "--permissions", "3"), "four binary digits"),
        (("create", NAME, "1:A=b"), "--as"),
        (("create", NAME, "1:A=b", "--as", "me"), "INDEX:HANDLE"),
        (("create", NAME, "1:A=b", "--as", ADMIN, "--key", "/nonexistent"), "No such file"),
    ],
)
async def test_mistakes_are_named_before_anything_is_sent(mingwu, words, said):
    status, _, err = await mingwu("handle", *words, "--server", "127.0.0.1:9")
    assert status == 1
    assert said in err


async def test_wrong_usage_is_status_2_and_words_are_chinese_where_spoken(
    serving, mingwu, monkeypatch, secret_file
):
    with pytest.raises(SystemExit) as caught:
        await mingwu("handle", "create")
    assert caught.value.code == 2
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    async with serving() as server:
        me = ("--server", f"127.0.0.1:{server.port}", "--as", ADMIN, "--secret-file", secret_file)
        assert "已注册" in (await mingwu("handle", "create", NAME, "1:A=b", *me))[1]
        assert "已注册" in (await mingwu("handle", "create", NAME, "1:A=b", *me))[2]


async def test_the_first_key_of_a_node_of_ones_own(mingwu, tmp_path, key_file):
    (tmp_path / "node.toml").write_text(
        f'[resolver]\nport = 0\nhttp_port = 0\nprefixes = ["{PREFIX}"]\ndurable = false\n'
    )
    config = load(tmp_path / "node.toml")
    store = open_store(config.resolver)
    shutil.copy(key_file, config.resolver.directory)
    pem, home = tmp_path / "admin.pem", f"0.NA/{PREFIX}"
    install = ("handle", "key", pem, "--install", home, "--config", config.file)

    async def beside(*words):
        """The command in a process of its own, as beside a running node."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mingwu", *map(str, words),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()

    try:
        async with ResolverServer(config.resolver, store) as server:
            status, out, _ = await beside(*install)
            assert status == 0
            assert f"--as 300:{home} --key {pem}" in out
            assert (await beside(*install))[0] == 0, "the same key again changes nothing"
            me = ("--server", f"127.0.0.1:{server.port}", "--as", f"300:{home}", "--key", pem)
            words = ("1:URL=https://example.org", "--admin", f"300:{home}")
            assert (await mingwu("handle", "create", NAME, *words, *me))[0] == 0
            assert NAME in (await mingwu("handle", "list", PREFIX, *me))[1].splitlines()
            assert (await mingwu("handle", "delete", NAME, *me))[0] == 0
            other = ("handle", "key", tmp_path / "other.pem", "--install")
            status, _, err = await beside(*other, home, "--config", config.file)
            assert status == 1
            assert "another value at index 300" in err
            assert (await beside(*other, "9.9/none", "--config", config.file))[0] == 1
    finally:
        store.close()
    trust = Trust.open(config.trust)
    try:
        installed = [one for one in trust.journal.entries() if one.action == "handle.install-key"]
        assert [one.object for one in installed] == [f"300:{home}"] * 2
    finally:
        trust.close()
