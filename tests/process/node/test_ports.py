"""A taken port is told before anything starts, with the section to change."""

import socket
from pathlib import Path

import pytest

from mingwu.kernel.errors import Conflict
from mingwu.node.config import load
from mingwu.node.platform import prepare


def test_a_taken_port_is_named_with_its_section(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = tmp_path / "mingwu.toml"
        file.write_text(f'[node]\nroles = ["console"]\n[console]\nport = {port}\n')
        with pytest.raises(Conflict) as caught:
            prepare(load(file))
    assert caught.value.code == "node.port-taken"
    assert str(port) in caught.value.text("zh")
    assert "[console]" in caught.value.next_step("en")
