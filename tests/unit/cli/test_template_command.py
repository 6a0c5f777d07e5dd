"""``mingwu template``: list, show, export, import, diff over a node's own stores."""

import json

import pytest

from mingwu.cli.main import main
from mingwu.identity.enterprise.model import Actor, Industry, Item, Registration, TemplateDef
from mingwu.identity.enterprise.model import TemplateRef as Ref
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.server.process import open_store
from mingwu.node.config import load
from mingwu.trust.service import Trust

PREFIX = "88.888.101"
PARTS = Industry(category="C", division="36", group="367", class_="3670")


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    file = tmp_path / "mingwu.toml"
    file.write_text(f'[node]\ndata = "{tmp_path / "data"}"\n', "utf-8")
    loaded = load(file)
    store = open_store(loaded.resolver)
    node = EnterpriseNode.open(loaded.enterprise, store)
    items = (Item(type="name", required=True), Item(type="mass", data_type="number", high=100))
    definition = TemplateDef(
        prefix=PREFIX, version="PART-1", name_en="Part", industry=PARTS, items=items
    )
    node.templates.create(definition, actor="boss", publish=True)
    names = [
        Registration(
            name=f"{PREFIX}/P{n}", template=Ref(PREFIX, "PART-1"),
            values={"name": "x", "mass": str(30 * n)},
        )
        for n in range(3)
    ]  # fmt: skip
    node.registrations.register(names, actor=Actor(name="boss", may_all=True))
    node.close()
    store.close()
    return file


@pytest.fixture
def mingwu(config, capsys):
    """``mingwu("list")``: exit status and what was printed."""

    def run(action, *arguments):
        status = main(["template", action, *map(str, arguments), "--config", str(config)])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_list_and_show(mingwu):
    status, said = mingwu("list")
    assert status == 0
    assert "PART-1" in said
    assert "published" in said
    assert mingwu("list", "--kind", "lot")[1].startswith("No template")
    status, said = mingwu("show", "PART-1")
    assert (status, "..100" in said, "2001 mass" in said) == (0, True, True)
    assert mingwu("show", f"{PREFIX}/META_PART-1")[0] == 0
    status, said = mingwu("show", "NONE")
    assert (status, "enterprise.template-unknown" in said) == (1, True)


def test_export_change_import_and_compare(mingwu, config, tmp_path):
    file = tmp_path / "part.json"
    assert mingwu("export", "PART-1", "--out", file)[0] == 0
    data = json.loads(file.read_text("utf-8"))
    data["definition"]["items"][1]["high"] = 40
    file.write_text(json.dumps(data), "utf-8")
    status, said = mingwu("import", file)
    assert (status, "enterprise.template-taken" in said) == (1, True)
    status, said = mingwu("import", file, "--revise", "--dry-run")
    assert status == 0
    assert "high: 100.0 → 40.0" in said
    assert "1 of 3 name(s) would be refused" in said
    assert "above 40" in said
    assert "r1" in mingwu("list")[1]
    status, said = mingwu("import", file, "--revise")
    assert (status, "revision 2" in said) == (0, True)
    status, said = mingwu("diff", "PART-1")
    assert (status, "r1 → r2" in said, "may refuse what was good" in said) == (0, True, True)
    status, said = mingwu("import", file, "--version", "PART-2")
    assert (status, "PART-2: draft, revision 1" in said) == (0, True)
    trust = Trust.open(load(config).trust)
    entries = [(one.actor, one.action, one.object) for one in trust.journal.entries()]
    trust.close()
    assert ("cli", "identity.template.import", f"{PREFIX}/META_PART-2") in entries


def test_what_is_wrong_with_a_file_is_told_and_nothing_stored(mingwu, tmp_path):
    file = tmp_path / "part.json"
    mingwu("export", "PART-1", "--out", file)
    data = json.loads(file.read_text("utf-8"))
    data["definition"]["items"][0]["min_length"] = 999
    data["definition"]["items"][1]["type"] = "HS_ADMIN"
    file.write_text(json.dumps(data), "utf-8")
    status, said = mingwu("import", file, "--version", "BAD")
    assert status == 1
    assert "item HS_ADMIN" in said
    assert "item name" in said
    assert "BAD" not in mingwu("list")[1]
    assert mingwu("import", tmp_path / "none.json")[0] == 1


def test_the_form_of_deployed_systems(mingwu, tmp_path):
    file = tmp_path / "snms.json"
    assert mingwu("export", "PART-1", "--form", "snms", "--out", file)[0] == 0
    assert json.loads(file.read_text("utf-8"))["items"][1]["idType"] == "mass"
    assert mingwu("import", file, "--version", "SNMS-1", "--publish")[0] == 0
    assert "published" in mingwu("list", "SNMS-1")[1]
