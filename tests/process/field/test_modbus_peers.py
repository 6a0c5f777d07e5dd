"""Our Modbus against pymodbus's, both ways: client to its server, its client to our server."""

import asyncio
import os
import tty

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from mingwu.field.base import WriteRequest
from mingwu.field.modbus.driver import KIND
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, Reason, bad
from mingwu.kernel.settings import build
from mingwu.wire.modbus import mbap, rtu
from mingwu.wire.modbus.server import Bank

pytestmark = pytest.mark.anyio

FLOAT = [0x42DE, 0x8000]  # 111.25


def device():
    """Coils, discrete inputs, holding registers, input registers."""
    tables = (
        [SimData(0, values=[False, True, True, False] * 4, datatype=DataType.BITS)],
        [SimData(0, values=[True, False, False, False] * 4, datatype=DataType.BITS)],
        [SimData(0, values=[*FLOAT, FLOAT[1], FLOAT[0], 65535, 7], datatype=DataType.REGISTERS)],
        [SimData(0, values=[10, 20, 30], datatype=DataType.REGISTERS)],
    )
    return SimDevice(1, simdata=tables, use_bit_addressing=True)


TAGS = [
    TagSpec(number=1, thing="x", name="f", address="holding:0:float32", writable=True),
    TagSpec(number=2, thing="x", name="s", address="holding:2:float32:cdab"),
    TagSpec(number=3, thing="x", name="i", address="holding:4:int16", writable=True),
    TagSpec(number=4, thing="x", name="r", address="input:2", scale=0.5),
    TagSpec(number=5, thing="x", name="c", address="coil:1", type=ValueType.BOOL, writable=True),
    TagSpec(number=6, thing="x", name="d", address="discrete:0", type=ValueType.BOOL),
    TagSpec(number=7, thing="x", name="m", address="holding:4000"),
]


async def check(driver):
    plan = driver.compile(TAGS)
    await driver.open()
    for _ in range(3):
        columns = await driver.read(plan)
    values = dict(zip(columns.tag.tolist(), columns.value.tolist(), strict=True))
    quality = dict(zip(columns.tag.tolist(), columns.quality.tolist(), strict=True))
    assert quality.pop(7) == bad(Reason.BAD_ADDRESS)
    assert set(quality.values()) == {GOOD}
    values.pop(7)
    assert values == {1: 111.25, 2: 111.25, 3: -1, 4: 15, 5: 1, 6: 1}
    results = await driver.write(
        [
            WriteRequest(tag=TAGS[0], value=-2.5),
            WriteRequest(tag=TAGS[2], value=-77),
            WriteRequest(tag=TAGS[4], value=False),
        ]
    )
    assert [result.reason for result in results] == ["", "", ""]
    columns = await driver.read(plan)
    values = dict(zip(columns.tag.tolist(), columns.value.tolist(), strict=True))
    assert (values[1], values[3], values[5]) == (-2.5, -77, 0)
    await driver.close()


@pytest.mark.parametrize("multiple", [False, True], ids=["single-writes", "multiple-writes"])
async def test_our_client_and_its_tcp_server(multiple):
    server = ModbusTcpServer(device(), address=("127.0.0.1", 0))
    await server.listen()
    port = server.transport.sockets[0].getsockname()[1]
    settings = build(KIND.settings, {"port": port, "multiple_writes": multiple})
    try:
        await check(KIND.create(settings, False))
    finally:
        await server.shutdown()


async def test_our_client_and_its_rtu_over_tcp_server():
    server = ModbusTcpServer(device(), framer=FramerType.RTU, address=("127.0.0.1", 0))
    await server.listen()
    port = server.transport.sockets[0].getsockname()[1]
    settings = build(KIND.settings, {"port": port, "transport": "rtu-over-tcp"})
    try:
        await check(KIND.create(settings, False))
    finally:
        await server.shutdown()


@pytest.fixture
def serial_pair():
    """Two terminals wired to each other, byte for byte."""
    masters, names, slaves = [], [], []
    for _ in range(2):
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        masters.append(master)
        slaves.append(slave)
        names.append(os.ttyname(slave))
    yield masters, names
    for fd in (*masters, *slaves):
        os.close(fd)


async def test_our_client_and_its_serial_server(serial_pair):
    masters, (here, there) = serial_pair
    loop = asyncio.get_running_loop()
    for source, target in (masters, masters[::-1]):
        loop.add_reader(source, lambda s=source, t=target: os.write(t, os.read(s, 4096)))
    server = ModbusSerialServer(device(), port=there, baudrate=115_200)
    await server.listen()
    settings = {"transport": "rtu", "serial": here, "baud": 115_200, "parity": "none"}
    try:
        await check(KIND.create(build(KIND.settings, settings), False))
    finally:
        await server.shutdown()
        for master in masters:
            loop.remove_reader(master)


@pytest.mark.parametrize("framing", [FramerType.SOCKET, FramerType.RTU], ids=["tcp", "rtu"])
async def test_its_client_and_our_server(framing):
    bank = Bank(bytearray(100), bytearray(100), bytearray(100), bytearray(100))
    tcp = framing is FramerType.SOCKET

    ended = asyncio.Event()

    async def serve(reader, writer):
        decoder = mbap.MbapDecoder() if tcp else rtu.RtuDecoder(rtu.request_size)
        while data := await reader.read(4096):
            for adu in decoder.feed(data):
                pdu = bank.answer(adu.pdu)
                head = (adu.transaction,) if tcp else ()
                writer.write((mbap if tcp else rtu).encode(*head, adu.unit, pdu))
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framing)
    await client.connect()
    await client.write_registers(10, [1, 2, 3])
    await client.write_register(13, 4)
    await client.write_coils(3, [True, False, True])
    await client.write_coil(9, True)
    await client.mask_write_register(address=10, and_mask=0, or_mask=0xF0)
    assert (await client.read_holding_registers(10, count=4)).registers == [0xF0, 2, 3, 4]
    assert (await client.read_coils(3, count=7)).bits[:7] == [True, False, True, *[False] * 3, True]
    assert (await client.read_input_registers(0, count=2)).registers == [0, 0]
    assert (await client.read_holding_registers(49, count=9)).exception_code == 2
    both = await client.readwrite_registers(
        read_address=10, read_count=2, write_address=11, values=[9]
    )
    assert both.registers == [0xF0, 9]
    client.close()
    await ended.wait()
    server.close()
    await server.wait_closed()
