"""Fuzzes one target with atheris (coverage-guided): ``run.py NAME FOLDER [libFuzzer options]``.

The corpus grows in ``FOLDER/NAME``; a finding is written there as ``crash-…`` and ends the run with
a non-zero status. Started by ``./dev fuzz`` and by ``test_short_runs.py``.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mingwu.wire.handle", "mingwu.identity", "targets"]):
    sys.path.insert(0, str(Path(__file__).parent))
    from targets import TARGETS, seeds


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        print("targets:", " ".join(TARGETS))
        raise SystemExit(2)
    name, folder, *options = sys.argv[1:]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    argv = [sys.argv[0], f"-artifact_prefix={corpus}/", *options, str(corpus)]
    atheris.Setup(argv, TARGETS[name], enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
