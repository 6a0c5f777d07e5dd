"""The plant's servers, asked by clients that are not ours: pymodbus, asyncua, gmqtt, sqlite3."""

import asyncio
import contextlib
import json
import sqlite3
import struct
import time

import pytest
from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.x509.oid import ExtendedKeyUsageOID
from gmqtt import Client as MqttClient
from gmqtt.mqtt.constants import MQTTv311
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from mingwu.lab.plant.milling import NAMESPACE, OBJECT_TYPE


@contextlib.contextmanager
def modbus(plant, device, framer=FramerType.SOCKET):
    client = ModbusTcpClient("127.0.0.1", port=plant.port(device), framer=framer, timeout=5)
    assert client.connect()
    try:
        yield client
    finally:
        client.close()


def start_of(plant, device, name):
    return int(plant.address(device, name).split(":")[1])


def float_at(plant, client, device, name, *, swapped=False, unit=1):
    reply = client.read_input_registers(start_of(plant, device, name), count=2, device_id=unit)
    words = reply.registers[::-1] if swapped else reply.registers
    return struct.unpack(">f", struct.pack(">HH", *words))[0]


def test_both_word_orders_carry_plausible_temperatures(plant):
    for device, swapped in (("dcm01", False), ("dcm02", True)):
        with modbus(plant, device) as client:
            shown = float_at(plant, client, device, "die_temperature_mean", swapped=swapped)
            wrong = float_at(plant, client, device, "die_temperature_mean", swapped=not swapped)
        assert 150 < shown < 250
        assert not 150 < wrong < 250


def test_states_scaled_integers_and_exceptions(plant):
    with modbus(plant, "dcm01") as client:
        flow = client.read_input_registers(start_of(plant, "dcm01", "circuit_flow_1"), count=12)
        assert all(150 < register < 400 for register in flow.registers)
        assert client.read_coils(0, count=5).bits[1]  # automatic mode
        assert client.read_discrete_inputs(0, count=5).bits[2]  # emergency stop released
        assert client.read_input_registers(9_000, count=2).exception_code == 2
        told = client.read_device_information()
        assert told.information[0] == b"Jiangzhou (simulated)"


def test_a_set_point_can_be_written_and_an_impossible_one_is_put_back(plant):
    at = start_of(plant, "dcm02", "set_fast_velocity")

    def shown(client):
        words = client.read_holding_registers(at, count=2).registers[::-1]
        return struct.unpack(">f", struct.pack(">HH", *words))[0]

    def write(client, value):
        client.write_registers(at, list(struct.unpack(">HH", struct.pack(">f", value)))[::-1])

    with modbus(plant, "dcm02") as client:
        write(client, 4.0)
        # The plant takes writes over once a second; only then does the value hold.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert shown(client) == pytest.approx(4.0)
            time.sleep(0.1)
        write(client, 600.0)
        end = time.monotonic() + 60
        while shown(client) != pytest.approx(4.0):
            assert time.monotonic() < end
            time.sleep(0.1)


def test_meters_answer_one_after_the_other_on_one_bus(plant):
    with modbus(plant, "em01", FramerType.RTU) as client:
        for unit in (1, 2, 7, 1):
            voltage = float_at(plant, client, "em01", "voltage_1", unit=unit)
            assert 215 < voltage < 245


def test_meters_answer_on_the_pseudo_terminal(plant):
    device = "em20"
    settings = plant.connection(device).settings
    client = ModbusSerialClient(settings["serial"], baudrate=settings["baud"], timeout=5)
    assert client.connect()
    try:
        for _ in range(3):
            shown = float_at(plant, client, device, "frequency", unit=settings["unit"])
            assert 49.8 < shown < 50.2
    finally:
        client.close()


def endpoint(plant):
    return plant.connection("mc01").settings["endpoint"]


@pytest.mark.anyio
async def test_the_object_model_has_a_type_units_and_moving_values(plant):
    async with Client(endpoint(plant)) as client:
        index = await client.get_namespace_index(NAMESPACE)
        machine = client.get_node(ua.NodeId("MC01", index))
        kind = client.get_node(await machine.read_type_definition())
        assert (await kind.read_browse_name()).Name == OBJECT_TYPE
        path = [f"{index}:Spindle", f"{index}:SpindleLoad"]
        load = await machine.get_child(path)
        assert load.nodeid == ua.NodeId("MC01.Spindle.SpindleLoad", index)
        unit = await (await load.get_child("0:EngineeringUnits")).read_value()
        span = await (await load.get_child("0:EURange")).read_value()
        assert unit.DisplayName.Text == "%"
        assert (span.Low, span.High) == (0, 150)
        types = {
            "SpindleLoad": ua.VariantType.Double,
            "State": ua.VariantType.Int32,
            "Running": ua.VariantType.Boolean,
            "ProgramName": ua.VariantType.String,
        }
        for name, wanted in types.items():
            folder = "Spindle" if name == "SpindleLoad" else "Status"
            node = client.get_node(ua.NodeId(f"MC01.{folder}.{name}", index))
            assert await node.read_data_type_as_variant_type() == wanted
        shown = await load.read_data_value()
        assert abs(shown.SourceTimestamp.timestamp() - time.time()) < 60

        class Changes:
            def __init__(self):
                self.count = 0

            def datachange_notification(self, _node, _value, _data):
                self.count += 1

        changes = Changes()
        subscription = await client.create_subscription(100, changes)
        energy = client.get_node(ua.NodeId("MC01.Supply.Energy", index))
        await subscription.subscribe_data_change([load, energy])
        async with asyncio.timeout(60):
            while changes.count < 5:
                await asyncio.sleep(0.05)
        await subscription.delete()


@pytest.mark.anyio
async def test_an_encrypted_channel_is_offered(plant, tmp_path):
    uri, key, certificate = "urn:test:client", tmp_path / "key.pem", tmp_path / "own.der"
    names = {"commonName": "test"}
    use = [ExtendedKeyUsageOID.CLIENT_AUTH]
    await setup_self_signed_certificate(key, certificate, uri, "localhost", use, names)
    client = Client(endpoint(plant))
    client.application_uri = uri
    server = next((plant.directory / "pki").rglob("*.der"))
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=str(certificate),
        private_key=str(key),
        server_certificate=str(server),
    )
    async with client:
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId("MC02.Status.ProgramName", index))
        assert (await node.read_value()).startswith("EAH3-")


@pytest.mark.anyio
async def test_vehicles_and_testers_publish_their_state(plant, broker):
    heard: dict[str, dict] = {}
    client = MqttClient("test-listener")
    client.set_config({"reconnect_retries": -2})
    client.set_auth_credentials("mingwu", "own")
    client.on_message = lambda _c, topic, payload, _q, _p: heard.update(
        {topic: json.loads(payload)}
    )
    async with asyncio.timeout(60):
        await client.connect("127.0.0.1", broker.settings.mqtt_port, version=MQTTv311)
        client.subscribe("plant/#")
        wanted = {
            "plant/v2/jiangzhou/agv01/state",
            "plant/assembly/leak01/leak",
            "plant/assembly/nut01/tightening",
        }
        while not wanted <= set(heard):
            await asyncio.sleep(0.05)
    await client.disconnect()
    state = heard["plant/v2/jiangzhou/agv01/state"]
    assert 0 < state["batteryState"]["batteryCharge"] <= 100
    assert state["timestamp"].endswith("Z")
    assert 15 < heard["plant/assembly/nut01/tightening"]["result"]["torque"] < 30


def test_the_mes_has_lines_orders_and_lots(plant):
    (path,) = plant.directory.glob("mes*.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = dict(db.execute("SELECT line, order_id FROM dispatch"))
        assert rows == {"DC1": "ORD.DC1.00001", "MC1": "ORD.MC1.00001", "AS1": "ORD.AS1.00001"}
        orders = db.execute("SELECT count(*) FROM orders WHERE status = 'running'")
        assert orders.fetchone() == (3,)
        assert db.execute("SELECT count(*) FROM lots").fetchone()[0] >= 3
        (newest,) = db.execute("SELECT max(updated_at) FROM dispatch").fetchone()
    assert abs(newest / 1000 - time.time()) < 60


def test_what_holds_the_brokers_password_is_private(plant):
    for path in (plant.directory / "plant.toml", *(plant.directory / "pki").rglob("*.pem")):
        assert path.stat().st_mode & 0o077 == 0
