"""``mingwu usage verify``: sound logs are counted, changed ones are named."""

import time

from mingwu.cli.main import main
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import UsageSettings


def exported(folder):
    log = UsageLog.open(UsageSettings(directory=str(folder), flush_s=0.05))
    for number in range(3):
        name = f"88.888.101/N{number}"
        log.note_named(1, 1, name, "198.51.100.7", time.perf_counter_ns())
    log.close()
    (segment,) = folder.glob("*.mwu")
    return segment, folder / "public-key.pem"


def test_a_sound_log_is_counted(tmp_path, capsys):
    segment, key = exported(tmp_path)
    assert main(["usage", "verify", str(segment), "--key", str(key)]) == 0
    out = capsys.readouterr().out
    assert '"resolutions": 3' in out


def test_a_changed_log_is_refused_with_the_finding(tmp_path, capsys):
    segment, key = exported(tmp_path)
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 1
    segment.write_bytes(data)
    assert main(["usage", "verify", str(segment), "--key", str(key)]) == 1
    assert segment.name in capsys.readouterr().out


def test_a_known_segment_that_is_missing_is_told(tmp_path, capsys):
    segment, key = exported(tmp_path)
    known = f"9={'0' * 64}"
    assert main(["usage", "verify", str(segment), "--key", str(key), "--known", known]) == 1
    assert "missing" in capsys.readouterr().out


def test_an_unreadable_key_is_an_error_with_a_next_step(tmp_path, capsys):
    segment, _ = exported(tmp_path)
    assert main(["usage", "verify", str(segment), "--key", str(tmp_path / "none.pem")]) == 1
    assert "→" in capsys.readouterr().err
