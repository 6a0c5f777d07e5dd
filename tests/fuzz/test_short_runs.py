"""A short, repeatable run of every fuzzing target, and every case that was ever found.

The runs are bounded by count and seeded, so they do the same every time; ``./dev fuzz NAME`` runs
longer. What atheris finds there goes to ``tests/golden/handle/fuzz/NAME`` with its fix.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from .targets import TARGETS

HERE = Path(__file__).parent
FOUND = HERE.parent / "golden" / "handle" / "fuzz"
CASES = sorted(FOUND.glob("*/*.bin"))


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine"
)
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_in_a_short_run(name, tmp_path):
    options = ["-seed=1", "-runs=3000", "-max_len=512", "-max_total_time=30", "-rss_limit_mb=1024"]
    done = subprocess.run(
        [sys.executable, str(HERE / "run.py"), name, str(tmp_path), *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Done 3000 runs" in done.stderr


@pytest.mark.parametrize("case", CASES, ids=[f"{case.parent.name}-{case.stem}" for case in CASES])
def test_what_was_found_once_is_not_found_again(case):
    TARGETS[case.parent.name](case.read_bytes())


def test_a_finding_ends_a_run_with_a_failure(tmp_path):
    """A harness that cannot fail would prove nothing."""
    broken = tmp_path / "targets.py"
    lines = (
        "def bad(data):",
        "    assert b'!' not in data",
        "TARGETS = {'bad': bad}",
        "def seeds(name):",
        "    return [b'abc!']",
    )
    broken.write_text("\n".join(lines))
    runner = tmp_path / "run.py"
    runner.write_text((HERE / "run.py").read_text())
    done = subprocess.run(
        [sys.executable, str(runner), "bad", str(tmp_path / "out"), "-runs=100"],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert list((tmp_path / "out" / "bad").glob("crash-*"))
