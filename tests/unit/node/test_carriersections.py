"""What the configuration fills in for carriers that come by MQTT."""

import pytest

from mingwu.kernel.errors import ConfigError
from mingwu.node.config import check, load

FILE = """
[node]
identity = ["carriers"]
[bus_server]
mqtt_port = 18830
[[bus_server.users]]
name = "plant"
password = "p"
[carriers]
bearers = ["https", "mqtt"]
"""


def written(tmp_path, text=FILE):
    file = tmp_path / "mingwu.toml"
    file.write_text(text)
    return file


def test_the_bus_gets_two_users_each_for_one_direction(tmp_path):
    config = load(written(tmp_path))
    users = {user.name: user for user in config.bus_server.users}
    assert set(users) == {"carriers-platform", "carriers", "plant"}
    platform, carrier = users["carriers-platform"], users["carriers"]
    assert (platform.subscribe, platform.publish) == (("carriers.up.*",), ("carriers.down.*",))
    assert (carrier.subscribe, carrier.publish) == (("carriers.down.*",), ("carriers.up.*",))
    assert platform.password != carrier.password
    mqtt = config.carriers_mqtt
    assert (mqtt.port, mqtt.user, mqtt.password) == (18830, platform.name, platform.password)
    assert load(written(tmp_path)).carriers_mqtt == mqtt  # secrets stay


def test_a_user_in_the_file_wins(tmp_path):
    text = FILE.replace('name = "plant"', 'name = "carriers"')
    users = load(written(tmp_path, text)).bus_server.users
    assert [user.password for user in users if user.name == "carriers"] == ["p"]


def test_another_broker_leaves_the_bus_alone(tmp_path):
    text = FILE + '[carriers_mqtt]\nhost = "broker.example"\nport = 8883\ntls = true\n'
    config = load(written(tmp_path, text))
    assert [user.name for user in config.bus_server.users] == ["plant"]
    assert (config.carriers_mqtt.host, config.carriers_mqtt.user) == ("broker.example", "")


def test_no_broker_is_a_fault_with_its_place(tmp_path):
    file = written(tmp_path, FILE.replace("mqtt_port = 18830", ""))
    (fault,) = check(file)
    assert (fault.code, fault.params["path"]) == (
        "config.no-mqtt-listener", "$.bus_server.mqtt_port",
    )  # fmt: skip
    with pytest.raises(ConfigError):
        load(file)


def test_without_the_bearer_nothing_is_filled_in(tmp_path):
    config = load(written(tmp_path, FILE.replace(', "mqtt"', "")))
    assert [user.name for user in config.bus_server.users] == ["plant"]
