"""The configuration of the bus server and the declarations of its streams."""

import stat

import pytest

from mingwu.bus import jetstream, subjects
from mingwu.bus.server import NatsServer, configuration
from mingwu.bus.settings import BusSettings, BusUser, ServerSettings, StreamLimits, Sync
from mingwu.kernel.errors import InvalidInput


def settings(tmp_path, **more):
    return ServerSettings(directory=str(tmp_path / "bus"), port=4999, password='p"w', **more)


def test_limits_are_explicit_and_the_default_is_power_safe(tmp_path):
    text = configuration(settings(tmp_path), 4999)
    assert "sync_interval: always" in text
    assert "max_file_store: 8589934592" in text
    assert "max_memory_store: 67108864" in text
    assert "max_payload: 8388608" in text
    assert 'host: "127.0.0.1"' in text
    assert "mqtt" not in text


def test_passwords_are_quoted_and_the_file_is_private(tmp_path):
    server = NatsServer(settings(tmp_path, sync=Sync.THROUGHPUT, mqtt_port=1883))
    server.prepare()
    server.prepare()
    text = server.config_path.read_text()
    assert r'"p\"w"' in text
    assert 'sync_interval: "2m"' in text
    assert "port: 1883" in text
    assert stat.S_IMODE(server.config_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.config_path.parent.stat().st_mode) == 0o700


def test_further_users_may_do_what_is_listed_and_no_more(tmp_path):
    user = BusUser(name="agv", password="x", publish=("agv.>",))
    text = configuration(settings(tmp_path, users=(user,)), 1)
    assert 'publish: ["agv.>"], subscribe: []' in text


def test_telemetry_refuses_when_full_and_the_rest_forgets():
    bus = BusSettings()
    limits = StreamLimits(max_mib=3)
    telemetry = jetstream.stream_configuration("TELEMETRY", "mw.telemetry.>", limits, bus)
    assert (telemetry["retention"], telemetry["discard"]) == ("interest", "new")
    assert telemetry["max_bytes"] == 3 * 1024 * 1024
    event = jetstream.stream_configuration("EVENT", "mw.event.>", limits, bus)
    assert (event["retention"], event["discard"]) == ("limits", "old")
    assert jetstream.stream_configuration("COMMAND", "c", limits, bus)["no_ack"]


@pytest.mark.parametrize("bad", ["", "a.b", "a b", "*", ">", "gw\r\nPUB", "é", "x" * 65])
def test_subjects_take_tokens_only(bad):
    with pytest.raises(InvalidInput):
        subjects.telemetry(f"gw/{bad}")


def test_subjects_of_a_gateway():
    assert subjects.telemetry("gw1/press-1") == "mw.telemetry.gw1.press-1"
    assert subjects.command("gw1", "*") == "mw.command.gw1.*"
    assert subjects.status("gateway", "gw1") == "mw.status.gateway.gw1"
