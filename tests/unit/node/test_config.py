"""The configuration file: every fault has its path, secrets stay out, the sample is valid."""

import stat
import tomllib
from pathlib import Path

import pytest

from mingwu.kernel.errors import ConfigError
from mingwu.node import config as configuration
from mingwu.node import reference
from mingwu.node.config import SECTIONS, Role


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mingwu.toml"
    file.write_text(text, "utf-8")
    return file


def faults(tmp_path: Path, text: str) -> dict[str, str]:
    found = configuration.check(written(tmp_path, text))
    return {str(fault.params["path"]): fault.code for fault in found}


def test_empty_file_is_a_whole_laptop(tmp_path: Path):
    config = configuration.load(written(tmp_path, ""))
    assert config.data == tmp_path / "var"
    assert Role.LAB not in config.node.roles
    assert config.bus.urls == ("nats://127.0.0.1:4222",)
    assert config.bus.password == config.bus_server.password


@pytest.mark.parametrize(
    ("text", "simulated"),
    [
        ("", False),
        ('[node]\nroles = ["api"]', False),
        ('[node]\nroles = ["api", "lab"]', True),
        ('[node]\nroles = ["api", "lab"]\n[secondlevel]\nsimulated = false', False),
        ("[secondlevel]\nsimulated = true", True),
    ],
)
def test_a_second_level_node_beside_the_lab_is_simulated(
    tmp_path: Path, text: str, *, simulated: bool
):
    assert configuration.load(written(tmp_path, text)).secondlevel.simulated is simulated


def test_secrets_are_made_once_and_private(tmp_path: Path):
    file = written(tmp_path, "")
    first = configuration.load(file)
    assert configuration.load(file).bus.password == first.bus.password
    assert first.history.password != first.bus.password
    for path in (tmp_path / "var" / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_check_touches_nothing(tmp_path: Path):
    assert faults(tmp_path, "") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["mingwu.toml"]


def test_every_section_tells_its_own_fault(tmp_path: Path):
    text = '[api]\nport = "x"\n[writer]\nblock_rows = 0\n[nod]\n[console]\nprot = 1\n'
    assert faults(tmp_path, text) == {
        "$.nod": "config.unknown-section",
        "$.api.port": "config.invalid",
        "$.writer.block_rows": "config.invalid",
        "$.console": "config.invalid",
    }


def test_a_value_where_a_table_belongs(tmp_path: Path):
    assert faults(tmp_path, "api = 3\n") == {"$.api": "config.invalid"}


def test_local_engines_follow_their_ports_and_external_ones_win(tmp_path: Path):
    text = '[bus_server]\nport = 14222\n[history]\nurl = "http://ch.example:8123"\n'
    config = configuration.load(written(tmp_path, text))
    assert config.bus.urls == ("nats://127.0.0.1:14222",)
    assert config.history.url == "http://ch.example:8123"


@pytest.mark.parametrize("text", ["[api", "\x00", None])
def test_unreadable_file_names_the_next_step(tmp_path: Path, text: str | None):
    file = tmp_path / "absent.toml" if text is None else written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        configuration.load(file)
    assert caught.value.code == "config.unreadable"
    assert "sample-config" in caught.value.next_step("en")


def test_the_sample_is_valid_and_complete_when_uncommented(tmp_path: Path):
    text = reference.sample()
    assert configuration.check(written(tmp_path, text)) == []
    lines = [
        line[1:] if line[:1] == "#" and line[1:2] != " " else line for line in text.splitlines()
    ]
    tables = tomllib.loads("\n".join(lines))
    assert set(tables) == set(SECTIONS)
    assert configuration.check(written(tmp_path, "\n".join(lines))) == []


def test_reference_pages_name_every_setting(tmp_path: Path):
    pages = {path.name: path.read_text("utf-8") for path in reference.write(tmp_path)}
    for section in SECTIONS:
        assert f"## [{section}]" in pages["configuration.md"]
    for driver in ("modbus", "mqtt", "opcua", "sql"):
        assert f"## {driver}" in pages["drivers.md"]
    assert "`config.invalid`" in pages["errors.md"]
    assert '"additionalProperties": false' in pages["configuration.schema.json"]


def test_the_committed_reference_is_what_the_code_says(tmp_path: Path):
    """After a change of settings or error texts: ./dev docs"""
    committed = Path(__file__).parents[3] / "docs" / "reference"
    for page in reference.write(tmp_path):
        assert (committed / page.name).read_text("utf-8") == page.read_text("utf-8"), page.name
