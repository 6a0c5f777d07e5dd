"""The root in a node's file."""

import json
from pathlib import Path

import pytest

from mingwu.kernel.errors import ConfigError, InvalidInput
from mingwu.node.config import load
from mingwu.node.roots import foreign_identities, root_of
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address
from mingwu.wire.handle.values import HandleValue

SITE = Site((Server(1, pack_address("127.0.0.1"), b"", (Interface(3, 1, 2641),)),))


def root_file(folder: Path) -> Path:
    value = value_to_json(HandleValue(1, "HS_SITE", encode_site(SITE)))
    file = folder / "root.json"
    file.write_text(json.dumps({"values": [value]}))
    return file


def test_a_file_is_looked_for_beside_the_configuration(tmp_path):
    root_file(tmp_path)
    assert root_of("root.json", tmp_path).sites == (SITE,)
    assert root_of("127.0.0.1:2641", tmp_path).server == "127.0.0.1:2641"
    with pytest.raises(InvalidInput, match="no file"):
        root_of("other.json", tmp_path)


@pytest.mark.parametrize("root", ["", "root.json", "127.0.0.1:2641", "missing.json"])
def test_a_node_asks_about_strangers_where_its_file_names_a_root(tmp_path, root):
    root_file(tmp_path)
    file = tmp_path / "mingwu.toml"
    file.write_text(f'[resolver]\nroot = "{root}"\n')
    config = load(file)
    assert config.resolver.root == root
    if root == "missing.json":
        with pytest.raises(ConfigError, match="no file"):
            foreign_identities(config)
    else:
        assert bool(foreign_identities(config)) == bool(root)
