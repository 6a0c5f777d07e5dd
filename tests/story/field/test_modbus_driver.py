"""The Modbus driver against a server on loopback and on a pseudo-terminal."""

import asyncio
import struct

import pytest

from mingwu.field.base import WriteRequest
from mingwu.field.modbus.driver import KIND
from mingwu.field.modbus.line import Line
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad
from mingwu.kernel.settings import build
from mingwu.wire.modbus.server import Bank

pytestmark = pytest.mark.anyio


def tag(number, address, **fields):
    return TagSpec(number=number, thing="88.1/X", name=f"t{number}", address=address, **fields)


def driver(peer, **settings):
    # long enough that a busy machine answers in time, short where a test waits for it to pass
    defaults = {"timeout_ms": 5000} | peer.settings
    return KIND.create(build(KIND.settings, defaults | settings), False)


def bank(value):
    made = Bank(bytearray(4000), bytearray(4000), bytearray(2000), bytearray(2000))
    made.holding[0:400] = struct.pack(">f", value) * 100
    return made


SPREAD = [tag(n, f"holding:{a}") for n, a in enumerate((0, 200, 400))]


async def test_read_and_write(any_peer):
    any_peer.banks[1].holding[20:24] = struct.pack(">f", 36.6)
    device = driver(any_peer)
    plan = device.compile([tag(1, "holding:10:float32"), tag(2, "coil:9"), tag(3, "holding:300")])
    await device.open()
    first = await device.read(plan)
    assert dict(zip(first.tag.tolist(), first.value.tolist(), strict=True)) == {
        1: pytest.approx(36.6),
        2: 0,
        3: 0,
    }
    results = await device.write(
        [
            WriteRequest(tag=tag(1, "holding:10:float32", writable=True), value=12.5),
            WriteRequest(tag=tag(2, "coil:9", writable=True), value=True),
            WriteRequest(tag=tag(3, "holding:5000", writable=True), value=1),
        ]
    )
    assert [result.ok for result in results] == [True, True, False]
    assert "illegal data address" in results[2].reason
    second = await device.read(plan)
    assert dict(zip(second.tag.tolist(), second.value.tolist(), strict=True)) == {
        1: 12.5,
        2: 1,
        3: 0,
    }
    assert (second.time_ns >= first.time_ns).all()
    await device.close()


async def test_units_share_one_connection(any_peer):
    any_peer.banks |= {2: bank(2.0), 3: bank(3.0)}
    devices = [driver(any_peer, unit=unit) for unit in (2, 3)]
    for device in devices:
        await device.open()
    plans = [device.compile([tag(1, "holding:0:float32")]) for device in devices]
    for _ in range(3):
        both = await asyncio.gather(*[d.read(p) for d, p in zip(devices, plans, strict=True)])
        assert [columns.value[0] for columns in both] == [2.0, 3.0]
    assert len(any_peer.connections) <= 1
    await devices[0].close()
    assert (await devices[1].read(plans[1])).value[0] == 3.0
    await devices[1].close()
    assert Line._lines == {}


async def test_silent_unit_costs_one_timeout_and_disturbs_no_other(any_peer):
    any_peer.banks[2] = bank(2.0)
    any_peer.silent.add(1)
    dead, alive = driver(any_peer, timeout_ms=150), driver(any_peer, unit=2)
    await dead.open()
    await alive.open()
    dead_plan, plan = dead.compile(SPREAD), alive.compile([tag(1, "holding:0:float32")])
    with pytest.raises(Unavailable) as caught:
        await dead.read(dead_plan)
    assert caught.value.code == "modbus.silent"
    assert len(any_peer.requests) == 1
    assert (await alive.read(plan)).value[0] == 2.0
    any_peer.silent.clear()
    await dead.close()
    await alive.close()
    again = driver(any_peer)
    await again.open()
    assert (await again.read(again.compile(SPREAD))).quality.tolist() == [GOOD] * 3
    await again.close()


async def test_block_that_times_out_is_bad_alone(any_peer):
    device = driver(any_peer, timeout_ms=600)
    plan = device.compile(SPREAD)
    await device.open()
    any_peer.change = lambda adu, frame: b"" if adu.pdu[1:3] == b"\x00\xc8" else frame
    columns = await device.read(plan)
    assert columns.quality.tolist() == [GOOD, bad(Reason.TIMEOUT), GOOD]
    await device.close()


async def test_late_reply_is_not_taken_for_the_next(any_peer):
    """Two plans, same function and length; the reply to the first comes during the second."""
    any_peer.banks[1].holding[0:2], any_peer.banks[1].holding[2:4] = b"\x00\x01", b"\x00\x02"
    device = driver(any_peer, timeout_ms=600)
    one, two = device.compile([tag(1, "holding:0")]), device.compile([tag(2, "holding:1")])
    await device.open()
    held = []
    any_peer.change = lambda _adu, frame: held.append(frame) or b""
    with pytest.raises(Unavailable):
        await device.read(one)
    late = held[0]
    any_peer.change = lambda _adu, frame: late + frame if any_peer.framing == "tcp" else frame
    if any_peer.framing == "rtu-over-tcp":
        any_peer.connections[0].write(late)
    assert (await device.read(two)).value[0] == 2
    await device.close()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda f: f[:-1], id="truncated"),
        pytest.param(lambda _f: b"\xff\x00garbage", id="garbage"),
        pytest.param(lambda _f: bytes(700), id="zeros"),
        pytest.param(lambda f: f[:4] + b"\xff\xff" + f[6:], id="impossible length"),
        pytest.param(lambda f: f[:5] + bytes((f[5] + 2,)) + f[6:] + b"\0\0", id="too long"),
        pytest.param(lambda f: bytes((f[0] ^ 0x55,)) + f[1:], id="first byte"),
        pytest.param(lambda f: f[:6] + bytes((f[6] ^ 1,)) + f[7:], id="seventh byte"),
        pytest.param(lambda f: f[:-3] + bytes((f[-3] ^ 0x10,)) + f[-2:], id="data byte"),
    ],
)
async def test_spoiled_frames_end_in_bad_points_or_unavailable(any_peer, spoil):
    device = driver(any_peer, timeout_ms=150)
    plan = device.compile(SPREAD)
    await device.open()
    any_peer.change = lambda _adu, frame: spoil(frame)
    async with asyncio.timeout(60):
        try:
            columns = await device.read(plan)
        except Unavailable as lost:
            assert lost.code in {"modbus.lost", "modbus.silent"}  # noqa: PT017 — one of two ends
        else:
            good = columns.quality & 0xC0 == GOOD
            # only TCP without a checksum can take a changed data byte for good
            assert any_peer.framing == "tcp" or not good.any()
    any_peer.change = lambda _adu, frame: frame
    await device.close()
    again = driver(any_peer)
    await again.open()
    assert (await again.read(again.compile(SPREAD))).quality.tolist() == [GOOD] * 3
    await again.close()


async def test_garbage_before_the_reply_is_skipped_on_serial_framing(any_peer):
    if any_peer.framing == "tcp":
        return
    device = driver(any_peer)
    plan = device.compile([tag(1, "holding:0")])
    await device.open()
    any_peer.change = lambda _adu, frame: b"\x00\xff\x01\x01\x03\x80" + frame
    assert (await device.read(plan)).quality.tolist() == [GOOD]
    await device.close()


async def test_connection_cut_while_waiting(tcp_peer):
    device = driver(tcp_peer)
    plan = device.compile(SPREAD)
    await device.open()
    tcp_peer.change = lambda _adu, _frame: tcp_peer.connections[-1].abort() or b""
    async with asyncio.timeout(4):
        with pytest.raises(Unavailable) as caught:
            await device.read(plan)
    assert caught.value.code == "modbus.lost"
    with pytest.raises(Unavailable):
        await device.read(plan)
    tcp_peer.change = lambda _adu, frame: frame
    await device.open()
    assert (await device.read(plan)).quality.tolist() == [GOOD] * 3
    await device.close()


async def test_server_gone_and_back(tcp_peer):
    device = driver(tcp_peer)
    await device.open()
    port = tcp_peer.port
    await tcp_peer.stop()
    await device.close()
    with pytest.raises(Unavailable) as caught:
        await device.open()
    assert caught.value.code == "modbus.unreachable"
    assert str(port) in caught.value.text("zh")
    assert Line._lines == {}
    await tcp_peer.start(port)
    await device.open()
    await device.close()


async def test_missing_serial_device_is_unreachable():
    settings = build(KIND.settings, {"transport": "rtu", "serial": "/dev/does-not-exist"})
    with pytest.raises(Unavailable) as caught:
        await KIND.create(settings, False).open()
    assert caught.value.code == "modbus.unreachable"


async def test_cancelled_read_leaves_the_line_usable(any_peer):
    device = driver(any_peer)
    plan = device.compile([tag(1, "holding:0")])
    await device.open()
    any_peer.silent.add(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await device.read(plan)
    any_peer.silent.clear()
    assert (await device.read(plan)).quality.tolist() == [GOOD]
    await device.close()


async def test_several_requests_in_flight(tcp_peer):
    device = driver(tcp_peer, in_flight=4)
    tcp_peer.banks[1].holding[:] = b"".join(struct.pack(">H", n) for n in range(2000))
    plan = device.compile([tag(n, f"holding:{n}") for n in range(0, 2000, 3)])
    await device.open()
    columns = await device.read(plan)
    assert (columns.value == columns.tag).all()
    await device.close()


async def test_pause_between_requests(tcp_peer):
    device = driver(tcp_peer, pause_between_ms=30)
    await device.open()
    loop = asyncio.get_running_loop()
    start = loop.time()
    await device.read(device.compile(SPREAD))
    assert loop.time() - start >= 0.06
    await device.close()


async def test_simulated_mark_on_every_point(tcp_peer):
    device = KIND.create(build(KIND.settings, tcp_peer.settings), True)
    await device.open()
    columns = await device.read(device.compile([tag(1, "holding:0"), tag(2, "holding:60000")]))
    assert (columns.quality & SIMULATED).all()
    await device.close()
