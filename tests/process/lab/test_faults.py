"""Every fault can be put on, seen from outside, and taken away again."""

import asyncio
import contextlib
import json
import math
import socket
import struct
import time

import pytest
from asyncua import Client, ua
from gmqtt import Client as MqttClient
from gmqtt.mqtt.constants import MQTTv311
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound, Unavailable
from mingwu.lab.control import Request, send, send_fault
from mingwu.lab.plant.milling import NAMESPACE
from mingwu.wire.modbus import rtu
from tests.waiting import wait_until


def read_words(plant, device, name, count=2, timeout_s=5.0):
    """Registers by an independent client, or None when there is no sound answer."""
    client = ModbusTcpClient("127.0.0.1", port=plant.port(device), timeout=timeout_s, retries=0)
    try:
        if not client.connect():
            return None
        start = int(plant.address(device, name).split(":")[1])
        return client.read_input_registers(start, count=count).registers
    except (ModbusException, OSError):
        return None
    finally:
        client.close()


def read_float(plant, device, name):
    words = read_words(plant, device, name)
    return None if words is None else struct.unpack(">f", struct.pack(">HH", *words))[0]


def test_listing_names_all_six_faults_and_what_is_active(plant):
    with plant.fault("die-temperature-drift", "M0190", k_per_min=0.1):
        answer = send_fault(plant.control)
        assert len(answer["known"]) == 6
        assert [(one["name"], one["target"]) for one in answer["active"]] == [
            ("die-temperature-drift", "M0190")
        ]
    assert send_fault(plant.control)["active"] == []


def test_drift_closes_the_bores_of_its_mould_only(plant):
    def flow(device):
        return read_words(plant, device, "circuit_flow_1", 1)[0]

    # Flow falls at once; the die needs its ten minutes (tests/unit/lab/test_physics.py).
    assert flow("dcm01") > 230
    with plant.fault("die-temperature-drift", "88.888.101/MLD.M0187", k_per_min=6000):
        wait_until(lambda: flow("dcm01") < 150)
        assert flow("dcm02") > 230
    wait_until(lambda: flow("dcm01") > 230)


def test_dead_device_refuses_and_comes_back_while_others_answer(plant):
    with plant.fault("dead-device", "DEV.DCM2500.02"):
        assert read_words(plant, "dcm02", "shot_counter") is None
        assert read_words(plant, "dcm01", "shot_counter") is not None
    assert read_words(plant, "dcm02", "shot_counter") is not None


def test_dead_meter_is_silent_and_its_neighbours_answer(plant):
    port = plant.port("em01")

    def ask(unit):
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as line:
            line.sendall(rtu.encode(unit, b"\x04\x00\x00\x00\x02"))
            with contextlib.suppress(TimeoutError):
                return line.recv(64)
        return b""

    with plant.fault("dead-device", "em02"):
        assert ask(2) == b""
        assert len(ask(1)) == 9
    assert len(ask(2)) == 9


def test_garbage_frames_are_noise_of_the_same_length(plant):
    request = b"\x00\x07\x00\x00\x00\x06\x01\x04\x00\x00\x00\x02"

    def ask():
        with socket.create_connection(("127.0.0.1", plant.port("xray01")), timeout=5) as line:
            line.sendall(request)
            return line.recv(64)

    with plant.fault("garbage-frames", "xray01"):
        noise = {ask() for _ in range(4)}
    assert len(noise) == 4
    assert all(len(answer) == 13 for answer in noise)
    assert ask()[:4] == request[:4]


def test_stuck_value_stops_one_reading_and_not_the_next(plant):
    with plant.fault("stuck-value", "dcm01", property="power"):
        first = read_float(plant, "dcm01", "power")
        cycle = read_float(plant, "dcm01", "cycle_elapsed")
        wait_until(lambda: read_float(plant, "dcm01", "cycle_elapsed") != cycle)
        assert read_float(plant, "dcm01", "power") == first
    wait_until(lambda: read_float(plant, "dcm01", "power") != first)


def test_slow_server_answers_late(plant):
    with plant.fault("slow-server", "xray01", seconds=0.8):
        begun = time.monotonic()
        assert read_words(plant, "xray01", "inspected") is not None
        assert time.monotonic() - begun >= 0.8


@pytest.mark.anyio
async def test_slow_and_dead_opcua_server(plant):
    url = plant.connection("mc01").settings["endpoint"]
    state = ua.NodeId(ua.ObjectIds.Server_ServerStatus_State)
    async with Client(url, timeout=10) as client:
        await asyncio.to_thread(
            send_fault, plant.control, "slow-server", "opcua1", "start", seconds=0.7
        )
        begun = time.monotonic()
        await client.get_node(state).read_value()
        late_s = time.monotonic() - begun
        await asyncio.to_thread(send_fault, plant.control, "slow-server", "opcua1", "stop")
    assert late_s >= 0.7
    await asyncio.to_thread(send_fault, plant.control, "dead-device", "opcua1", "start")
    with pytest.raises((OSError, ConnectionError, TimeoutError, ua.UaError)):
        await Client(url, timeout=2).connect()
    await asyncio.to_thread(send_fault, plant.control, "dead-device", "opcua1", "stop")
    async with Client(url, timeout=10) as client:
        assert await client.get_node(state).read_value() == 0


@pytest.mark.anyio
async def test_dead_machine_is_bad_on_its_server_and_its_clock_can_jump(plant):
    async with Client(plant.connection("mc01").settings["endpoint"], timeout=10) as client:
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId("MC02.Supply.Energy", index))
        neighbour = client.get_node(ua.NodeId("MC03.Supply.Energy", index))

        async def seen(condition):
            async with asyncio.timeout(60):
                while not condition(shown := await node.read_data_value(raise_on_bad_status=False)):
                    await asyncio.sleep(0.05)
            return shown

        async def fault(name, action, **parameters):
            await asyncio.to_thread(send_fault, plant.control, name, "mc02", action, **parameters)

        await fault("dead-device", "start")
        shown = await seen(lambda it: not it.StatusCode.is_good())
        assert shown.StatusCode.name == "BadCommunicationError"
        assert (await neighbour.read_data_value()).StatusCode.is_good()
        await fault("dead-device", "stop")
        await seen(lambda it: it.StatusCode.is_good())
        await fault("garbage-frames", "start")
        await seen(lambda it: math.isnan(it.Value.Value))
        await fault("garbage-frames", "stop")
        await seen(lambda it: not math.isnan(it.Value.Value))
        await fault("clock-jump", "start", seconds=-7200)
        await seen(lambda it: it.SourceTimestamp.timestamp() < time.time() - 3600)
        await fault("clock-jump", "stop")
        await seen(lambda it: it.SourceTimestamp.timestamp() > time.time() - 3600)


@pytest.mark.anyio
async def test_vehicle_sends_garbage_and_falls_silent(plant, broker):
    heard: list[bytes] = []
    client = MqttClient("fault-listener")
    client.set_config({"reconnect_retries": -2})
    client.set_auth_credentials("mingwu", "own")
    client.on_message = lambda _c, _t, payload, _q, _p: heard.append(payload)

    async def next_heard(condition):
        async with asyncio.timeout(60):
            while not any(condition(payload) for payload in heard):
                await asyncio.sleep(0.05)
        heard.clear()

    def sound(payload):
        try:
            return bool(json.loads(payload))
        except ValueError:
            return False

    await client.connect("127.0.0.1", broker.settings.mqtt_port, version=MQTTv311)
    client.subscribe("plant/v2/jiangzhou/agv01/state")
    await next_heard(sound)
    await asyncio.to_thread(send_fault, plant.control, "garbage-frames", "agv01", "start")
    await next_heard(lambda payload: not sound(payload))
    await asyncio.to_thread(send_fault, plant.control, "garbage-frames", "agv01", "stop")
    await next_heard(sound)
    await asyncio.to_thread(send_fault, plant.control, "dead-device", "agv01", "start")
    async with asyncio.timeout(60):
        while plant.status()["publishers_connected"] != 2:
            await asyncio.sleep(0.05)
    await asyncio.to_thread(send_fault, plant.control, "dead-device", "agv01", "stop")
    heard.clear()
    await next_heard(sound)
    await client.disconnect()


@pytest.mark.parametrize(
    ("name", "target", "parameters", "error", "code"),
    [
        ("earthquake", "dcm01", {}, NotFound, "lab.unknown-fault"),
        ("dead-device", "dcm99", {}, NotFound, "lab.unknown-target"),
        ("clock-jump", "dcm01", {}, NotFound, "lab.unknown-target"),
        ("slow-server", "mc01", {}, NotFound, "lab.unknown-target"),
        ("slow-server", "dcm01", {"seconds": "long"}, InvalidInput, "lab.bad-parameter"),
        ("slow-server", "dcm01", {"minutes": 1}, InvalidInput, "lab.bad-parameter"),
        ("stuck-value", "dcm01", {"property": "mood"}, InvalidInput, "lab.bad-parameter"),
    ],
)
def test_wrong_requests_say_what_is_right(plant, name, target, parameters, error, code):
    with pytest.raises(error) as caught:
        send_fault(plant.control, name, target, "start", **parameters)
    assert caught.value.code == code
    assert "{" not in caught.value.text("zh") + caught.value.next_step("en")
    if isinstance(words := caught.value.params.get("fault"), Phrase):  # both came over the line
        assert words.zh.startswith("没有")
        assert words.en.startswith("no ")


def test_control_refuses_what_it_does_not_understand(plant):
    with pytest.raises(InvalidInput):
        send(plant.control, Request(action="explode"))
    host, _, port = plant.control.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(b"{]\n")
        assert json.loads(line.makefile().readline())["code"] == "lab.bad-request"
    with pytest.raises(Unavailable):
        send_fault("127.0.0.1:1")
    with pytest.raises(Unavailable):
        send_fault("nowhere")
