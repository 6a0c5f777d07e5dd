"""Recorded conversations, one folder each: ``<driver>/NNNN/{conf,in,expected}``.

``conf`` is a device declaration (TOML, as in a driver's sample.toml). ``in`` is what the device
says: for Modbus lines ``request > reply`` in hex (``-`` = no reply), for MQTT lines
``topic payload``, for SQL a script that fills an empty SQLite database. ``expected`` has a line per
point: tag number, value, quality, time in ms (``now`` = no time of its own). Text is quoted.
"""

import json
import sqlite3
import tomllib
from pathlib import Path

import msgspec
import pytest

from mingwu.field.catalogue import kind
from mingwu.kernel.plant import DeviceSpec
from mingwu.kernel.quality import Reason, is_simulated, reason_of, status_name
from mingwu.kernel.settings import build

HERE = Path(__file__).parent
NOW_NS = 1_800_000_000_000_000_000
CASES = [
    p.parent for name in ("modbus", "mqtt", "sql") for p in sorted(HERE.glob(f"{name}/*/conf"))
]


class Stopped:
    """A clock that stands still."""

    def time_ns(self):
        return NOW_NS

    def monotonic_ns(self):
        return 0


def line(columns, row):
    value = float(columns.value[row])
    shown = (
        json.dumps(columns.text[row], ensure_ascii=False) if row in columns.text else f"{value:g}"
    )
    quality = int(columns.quality[row])
    words = [status_name(quality)]
    if reason_of(quality) is not Reason.NONE:
        words.append(reason_of(quality).name.lower())
    if is_simulated(quality):
        words.append("simulated")
    time_ns = int(columns.time_ns[row])
    moment = "now" if time_ns == NOW_NS else f"{time_ns // 1_000_000}"
    return f"{int(columns.tag[row])} {shown} {':'.join(words)} {moment}"


def lines(columns):
    order = sorted(range(len(columns)), key=lambda row: int(columns.tag[row]))
    return [line(columns, row) for row in order]


def modbus(device, driver, said):
    """Asks what the plan asks and hears what the recording says."""
    replies = dict(text.replace(" ", "").split(">") for text in said.splitlines() if text.strip())
    plan = driver.compile(device.tags)
    asked = [request.hex() for request in plan.requests]
    assert asked == list(replies)
    heard = [Reason.TIMEOUT if replies[a] == "-" else bytes.fromhex(replies[a]) for a in asked]
    return lines(plan.decode(plan.blocks, heard, NOW_NS))


def mqtt(device, driver, said):
    plan = driver.compile(device.tags)
    messages = [text.partition(" ") for text in said.splitlines() if text.strip()]
    found = [plan.message(topic, payload.encode(), NOW_NS) for topic, _, payload in messages]
    return [line for columns in found for line in lines(columns)]


def sql(device, driver, said):
    database = sqlite3.connect(":memory:")
    database.executescript(said)
    plan = driver.compile(device.tags)
    names = [row[1] for row in database.execute(f"PRAGMA table_info({device.settings['table']})")]
    statement, wanted = plan.statement(names)
    text = str(statement.compile(compile_kwargs={"literal_binds": True}))
    rows = database.execute(text).fetchall()
    database.close()
    return lines(plan.decode(wanted, rows, NOW_NS))


@pytest.mark.parametrize("folder", CASES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_recorded(folder):
    device = msgspec.convert(tomllib.loads((folder / "conf").read_text("utf-8")), DeviceSpec)
    found = kind(device.driver)
    driver = found.create(build(found.settings, device.settings), device.simulated)
    hear = {"modbus": modbus, "mqtt": mqtt, "sql": sql}[device.driver]
    got = hear(device, driver, (folder / "in").read_text("utf-8"))
    assert got == (folder / "expected").read_text("utf-8").splitlines()


def test_there_are_cases():
    assert len(CASES) >= 6
