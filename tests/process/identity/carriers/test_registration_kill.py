"""kill -9 between registration and write-back: the same identifier at the next power-on."""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from mingwu.identity.carriers.model import State
from mingwu.identity.enterprise.lifecycle import State as Filing
from mingwu.identity.secondlevel import schema
from mingwu.store.engine import reading

PROGRAM = Path(__file__).parent / "power_on.py"
NAME = "88.888.102/MLD.M0001"


def power_on(base: Path, where: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(base), where],
        check=False, capture_output=True, text=True, timeout=90,
    )  # fmt: skip


@pytest.mark.parametrize("where", ["registered", "untold", "unfiled", "unanswered"])
def test_the_same_identifier_after_a_kill(tmp_path, where):
    died = power_on(tmp_path, where)
    assert died.returncode == -signal.SIGKILL, died.stderr
    again = power_on(tmp_path, "never")
    assert again.stdout == f"{NAME}\n", again.stderr
    spec = importlib.util.spec_from_file_location("carriers_power_on", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    nodes = program.Nodes(tmp_path)
    try:
        unit = nodes.platform.unit("MWC-000001")
        assert (unit.state, unit.identifier, unit.shown) == (State.ACTIVE, NAME, "active")
        assert nodes.enterprise.register.get(NAME).row.state is Filing.FILED
        history = [row.action for row in nodes.enterprise.register.history(NAME)]
        assert history.count("register") == 1
        assert nodes.records.get(NAME) is not None
        change = schema.change
        with reading(nodes.above._engine) as connection:
            told = connection.execute(select(change).order_by(change.c.sequence)).all()
        assert [(row.operation, row.name) for row in told] == [(1, NAME), (3, NAME)]
    finally:
        nodes.close()
