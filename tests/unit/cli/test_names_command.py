"""``mingwu names``: proposing, dry runs, importing, what went wrong, what was imported."""

import csv
from pathlib import Path

import pytest

from mingwu.cli.main import main
from mingwu.identity.enterprise.seed import templates
from mingwu.node.config import load
from mingwu.node.nameimport import import_desk
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust

PREFIX = "88.888.101"
HEAD = "序列号,零件名称,型号,质量(kg)\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("LANG", "C.UTF-8")
    file = tmp_path / "mingwu.toml"
    file.write_text('[node]\nroles = ["resolver", "api"]\n', "utf-8")
    (tmp_path / "var").mkdir()
    with import_desk(load(file)) as desk:
        for one in templates(PREFIX):
            desk.node.templates.create(one, actor="test", publish=True)
    return file


def names(config, *words):
    return main(["names", *map(str, words), "--config", str(config)])


def state(config):
    with import_desk(load(config)) as desk:
        return desk.node.register.counts()["state"]


def test_a_dry_run_then_the_import_then_nothing_new(config, tmp_path, capsys):
    file = tmp_path / "零件.csv"
    file.write_text(HEAD + "1,壳,E,1\n2,盖,E,重\n", "gbk")
    asked = ("import", file, "--template", "S1-PART-1.0", "--identifier", PREFIX + "/PRT.{序列号}")
    assert names(config, *asked, "--dry-run") == 1
    said = capsys.readouterr()
    assert "{质量(kg)}" in said.out
    assert "row 3  88.888.101/PRT.2: Item “mass_kg”: not a number" in said.out
    assert "nothing was stored" in said.out
    assert state(config) == {}
    faults = tmp_path / "faults.csv"
    assert names(config, *asked, "--save", "parts", "--faults", faults) == 1
    assert state(config) == {"registered": 1}
    told = csv.reader(faults.read_text("utf-8-sig").splitlines())
    assert [row[0] for row in told] == ["row", "3"]
    file.write_text(HEAD + "1,壳,E,1\n2,盖,E,2\n", "utf-8")
    capsys.readouterr()
    assert names(config, "import", file, "--mapping", "parts") == 0
    said = capsys.readouterr()
    assert "1  registered" in said.out
    assert "1  unchanged" in said.out
    assert "done: 2 of about 2 rows" in said.err
    assert names(config, "imports") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert names(config, "mappings") == 0
    assert "parts" in capsys.readouterr().out
    trust = Trust.open(load(config).trust)
    entries = trust.journal.entries(action="identity")
    trust.close()
    assert [one.action.rpartition(".")[2] for one in entries] == ["end", "begin"] * 2
    assert {one.actor for one in entries} == {"cli"}


def test_values_are_set_and_known_names_changed_as_an_account(config, tmp_path, capsys):
    trust = Trust.open(load(config).trust)
    trust.accounts.create("erp", "copper-Kettle-47", Role.ENGINEER)
    trust.accounts.create("eye", "copper-Kettle-47", Role.VIEWER)
    trust.close()
    file = tmp_path / "p.csv"
    file.write_text(HEAD + "1,壳,E,1\n", "utf-8")
    asked = ("import", file, "--template", f"{PREFIX}/META_S1-PART-1.0", "--account", "erp")
    assert names(config, *asked) == 0
    assert names(config, *asked, "--set", "place=库 {型号}", "--existing", "change") == 0
    with import_desk(load(config)) as desk:
        found = desk.node.register.get(f"{PREFIX}/1")
        assert found.row.owner == "erp"
        assert {one.type: one.value for one in found.values}["place"] == "库 E"
    assert names(config, "import", file, "--template", "S1-PART-1.0", "--account", "eye") == 1
    assert "trust.no-permission" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "needs a FILE"),
        (("x.csv", "--source", "erp"), 2, "needs a FILE"),
        (("none.csv", "--template", "S1-PART-1.0"), 1, "none.csv"),
        (("--source", "none", "--template", "S1-PART-1.0"), 1, "enterprise.source-unknown"),
        (("{bad}", "--template", "S1-PART-1.0"), 1, "enterprise.table-kind"),
        (("{good}", "--template", "none"), 1, "enterprise.template-unknown"),
        (("{good}",), 1, "--template"),
        (("{good}", "--mapping", "none"), 1, "enterprise.mapping-unknown"),
        (("{good}", "--template", "S1-PART-1.0", "--set", "place"), 1, "--set"),
        (("{good}", "--template", "S1-PART-1.0", "--set", "x={no}"), 1, "enterprise.mapping-item"),
    ],
)
def test_what_cannot_be_done_says_why(config, tmp_path, capsys, words, status, told):
    (tmp_path / "bad.csv").write_bytes(b"\0\1\2\3")
    (tmp_path / "good.csv").write_text("a,b\n1,2\n", "utf-8")
    files = {"{bad}": str(tmp_path / "bad.csv"), "{good}": str(tmp_path / "good.csv")}
    assert names(config, "import", *(files.get(word, word) for word in words)) == status
    assert told in capsys.readouterr().err


def test_an_empty_history_says_what_to_do(config, capsys):
    assert names(config, "imports") == 0
    assert "mingwu names import" in capsys.readouterr().out
    assert names(config, "mappings") == 0
    assert "--save" in capsys.readouterr().out
