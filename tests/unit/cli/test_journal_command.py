"""``mingwu journal``: list, export and verify over a node's own database."""

import csv
import io
import sqlite3

import pytest

from mingwu.cli.main import main
from mingwu.node.config import load
from mingwu.trust.service import Trust


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    file = tmp_path / "mingwu.toml"
    file.write_text(f'[node]\ndata = "{tmp_path / "data"}"\n', "utf-8")
    trust = Trust.open(load(file).trust)
    for number in range(1500):
        trust.journal.append("eve", "identity.register", f"88.1/{number}", detail={"n": number})
    trust.journal.append("=cmd()", "session.login", "x", address="10.0.0.1")
    trust.close()
    return file


@pytest.fixture
def journal(config, capsys):
    def run(what, *arguments):
        status = main(["journal", what, *arguments, "--config", str(config)])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_list_shows_the_latest_that_match(journal):
    status, said = journal("list", "--actor", "eve", "--limit", "2")
    lines = said.splitlines()
    assert (status, len(lines)) == (0, 2)
    assert "88.1/1498" in lines[0]
    assert "88.1/1499" in lines[1]
    assert journal("list", "--until", "2020-01-01") == (0, "")


def test_export_has_all_of_it_the_oldest_first(journal):
    status, said = journal("export", "--since", "2020-01-01")
    rows = list(csv.DictReader(io.StringIO(said)))
    assert (status, len(rows)) == (0, 1501)
    assert [rows[0]["object"], rows[-1]["address"]] == ["88.1/0", "10.0.0.1"]
    assert rows[-1]["actor"] == "'=cmd()"  # no formula for a spreadsheet
    assert [int(row["number"]) for row in rows] == list(range(1, 1502))


def test_verify_tells_what_was_changed(journal, config):
    status, said = journal("verify")
    assert (status, "1501 entries" in said) == (0, True)
    with sqlite3.connect(load(config).data / "trust.db") as database:
        database.execute("UPDATE journal SET object = 'y' WHERE number = 700")
    status, said = journal("verify")
    assert (status, "BROKEN at entry 700" in said) == (1, True)
