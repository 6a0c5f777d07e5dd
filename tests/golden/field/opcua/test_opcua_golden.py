"""Recorded answers of OPC UA servers, one folder each: ``NNNN/{conf,in,expected}``.

``conf`` is a device declaration as in sample.toml. ``in`` begins with the server's namespaces;
then each line is an answer in hex: ``read`` a ReadResponse to the plan, ``publish`` a
PublishResponse to its subscription (client handle n+1 is tag n). ``expected`` has a line per
point, answers apart by a line ``-``: tag number, value, quality, time in ms (``now`` = the server
sent none). Text is quoted. 0001: node-opcua 2.182, which sends picoseconds and no good statuses.
"""

import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from mingwu.field.base import mark
from mingwu.field.opcua import notify, rawcall
from mingwu.field.opcua.driver import KIND
from mingwu.field.opcua.reading import decode
from mingwu.field.opcua.watch import Watch
from mingwu.kernel.plant import DeviceSpec
from mingwu.kernel.quality import Reason, is_simulated, reason_of, status_name
from mingwu.kernel.settings import build

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/conf"))
NOW_NS = 1_800_000_000_000_000_000


def line(columns, row):
    shown = f"{float(columns.value[row]):.12g}"
    if row in columns.text:
        shown = json.dumps(columns.text[row], ensure_ascii=False)
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


async def replay(device, said):
    """What a driver makes of the answers, as lines."""
    build(KIND.settings, device.settings)
    plan = KIND.create(build(KIND.settings, device.settings), device.simulated).compile(device.tags)
    points = []
    watch = Watch(None, None, plan, points.append, simulated=device.simulated)
    namespaces = tuple(said[0].split()[1:])
    (request,) = plan.requests(namespaces, 1000).requests
    found = []
    for answer in said[1:]:
        service, _, octets = answer.partition(" ")
        body = bytes.fromhex(octets)
        kind, result, pos = rawcall._reply_header(body)
        assert result == 0
        if service == "read":
            assert kind == rawcall.READ_REPLY
            columns = decode(plan, request, body, pos, NOW_NS)
            points.append(mark(columns, simulated=device.simulated))
        else:
            assert kind == rawcall.PUBLISH_REPLY
            for at, count in notify.published(body, pos).changes:
                watch._changed(body, at, count)
        found += [text for columns in points for text in lines(columns)]
        found.append("-")
        points.clear()
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
async def test_recorded(folder, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: NOW_NS)
    device = msgspec.convert(tomllib.loads((folder / "conf").read_text("utf-8")), DeviceSpec)
    got = await replay(device, (folder / "in").read_text("utf-8").splitlines())
    assert got == (folder / "expected").read_text("utf-8").splitlines()


def test_there_are_cases():
    assert CASES
