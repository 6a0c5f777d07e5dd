"""A driver made by the scaffold passes its own tests at once."""

import os
import subprocess
import sys
from pathlib import Path

from mingwu.cli.main import main


def test_scaffolded_driver_runs(tmp_path: Path, capsys):
    assert main(["new-driver", "toy", "--root", str(tmp_path)]) == 0
    assert "tests/story/field/toy" in capsys.readouterr().out
    assert main(["new-driver", "toy", "--root", str(tmp_path)]) == 1
    # the new folder is looked up beside the real ones
    script = f"""
import sys, mingwu.field, pytest
mingwu.field.__path__.append({str(tmp_path / "src/mingwu/field")!r})
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "anyio", {str(tmp_path / "tests")!r}]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout


def test_bad_name_is_refused(capsys):
    assert main(["new-driver", "Bad Name"]) == 1
    assert "lower-case" in capsys.readouterr().err
