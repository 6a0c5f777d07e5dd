"""The plant leaves and comes back as TOML and as tables for spreadsheets."""

import asyncio
from pathlib import Path

import pytest

from mingwu.cli.main import main
from mingwu.node.config import load
from mingwu.node.finetimes import NanosecondTags

PLANT = """name = "p"
prefix = "88.888.101"
[[gateway]]
name = "gw1"
[[thing]]
id = "DEV.1"
kind = "machine"
connection = { gateway = "gw1", device = "d1", driver = "modbus", settings = { host = "h" } }
tag = [
  { name = "fast", address = "holding:1", nanoseconds = true },
  { name = "slow", address = "holding:2" },
]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(PLANT, "utf-8")
    file = tmp_path / "mingwu.toml"
    file.write_text("", "utf-8")
    (tmp_path / "var").mkdir()
    assert main(["plant", "import", str(tmp_path / "plant.toml"), "--config", str(file)]) == 0
    return file


def test_tags_travel_through_a_spreadsheet(config: Path, tmp_path: Path, capsys):
    table = tmp_path / "tags.csv"
    assert main(["plant", "export", str(table), "--config", str(config)]) == 0
    text = table.read_text("utf-8-sig")
    assert "holding:2" in text
    table.write_text(text.replace("holding:2", "holding:20"), "utf-8-sig")
    capsys.readouterr()
    assert main(["plant", "import", str(table), "--config", str(config)]) == 0
    assert "+0 ~1 -0" in capsys.readouterr().out
    assert main(["plant", "export", "--config", str(config)]) == 0
    assert "holding:20" in capsys.readouterr().out


def test_a_bad_table_is_a_sentence(config: Path, tmp_path: Path, capsys):
    table = tmp_path / "tags.csv"
    table.write_text("nonsense\n1\n", "utf-8")
    assert main(["plant", "import", str(table), "--config", str(config)]) == 1
    assert "→" in capsys.readouterr().err


def test_fine_times_are_known_as_soon_as_they_are_open(config: Path):
    fine = asyncio.run(NanosecondTags.open(load(config)))
    assert len(fine.numbers()) == 1
