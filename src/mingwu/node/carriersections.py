"""What the configuration file need not say about the carriers' bearers.

When MQTT is among the bearers and no other broker is named, the broker is the bus' own MQTT
listener: it gets two users more, each limited to the direction it needs. ``carriers-platform``
hears ``carriers/up/+`` and speaks on ``carriers/down/+``; ``carriers`` the other way round.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import ConfigError

add(
    "config.no-mqtt-listener",
    en=(
        "{path}: carriers are to come by MQTT, but there is no broker for them",
        "Give the bus an MQTT port, or name another broker under carriers_mqtt.host.",
    ),
    zh=(
        "{path}：载体使用 MQTT 承载，但没有可用的代理",
        "请为总线设置 MQTT 端口，或在 carriers_mqtt.host 中指定其他代理。",
    ),
)

PLATFORM_USER, CARRIER_USER = "carriers-platform", "carriers"
UP, DOWN = "carriers.up.*", "carriers.down.*"
Tables = Mapping[str, Any]


class Secrets(Protocol):
    """Gives secrets of this node by name, made at first use, and its folders."""

    def secret(self, name: str) -> str: ...
    def folder(self, name: str) -> str: ...


def _table(tables: Tables, name: str) -> Mapping[str, Any]:
    found = tables.get(name, {})
    return found if isinstance(found, Mapping) else {}


def uses_own_broker(tables: Tables) -> bool:
    """Whether carriers come over this bus' MQTT listener."""
    bearers = _table(tables, "carriers").get("bearers", ())
    parts = _table(tables, "node").get("identity", ())
    return (
        isinstance(bearers, list)
        and "mqtt" in bearers
        and isinstance(parts, list)
        and "carriers" in parts
        and "host" not in _table(tables, "carriers_mqtt")
    )


def bus_users(tables: Tables, secrets: Secrets) -> dict[str, list[Any]]:
    """Users that the bus' server gets beside those in the file (which win by name)."""
    if not uses_own_broker(tables):
        return {}
    given = _table(tables, "bus_server").get("users", ())
    named = {user.get("name") for user in given if isinstance(user, Mapping)}
    users = [
        {
            "name": PLATFORM_USER, "password": secrets.secret("carriers-mqtt-platform"),
            "subscribe": [UP], "publish": [DOWN],
        },
        {
            "name": CARRIER_USER, "password": secrets.secret("carriers-mqtt"),
            "publish": [UP], "subscribe": [DOWN],
        },
    ]  # fmt: skip
    return {"users": [user for user in users if user["name"] not in named]}


def mqtt_defaults(tables: Tables, secrets: Secrets) -> dict[str, Any]:
    """Address and user of the bus' own listener, unless another broker is named.

    Raises ConfigError ``config.no-mqtt-listener``.
    """
    if not uses_own_broker(tables):
        return {}
    server = _table(tables, "bus_server")
    if not server.get("mqtt_port"):
        raise ConfigError("config.no-mqtt-listener", path="$.bus_server.mqtt_port")
    return {
        "host": server.get("host", "127.0.0.1"),
        "port": server["mqtt_port"],
        "user": PLATFORM_USER,
        "password": secrets.secret("carriers-mqtt-platform"),
        "tls": bool(server.get("mqtt_tls_cert", "")),
    }


def lab_carriers(tables: Tables, secrets: Secrets) -> dict[str, Any]:
    """The simulated carriers reach this node: its authority, and its broker where it has one."""
    found: dict[str, Any] = {
        "directory": secrets.folder("lab/carriers"),
        "authority": secrets.folder("secrets"),
        "token_pin_file": secrets.folder("lab/carriers/token.pin"),
    }
    server = _table(tables, "bus_server")
    if not uses_own_broker(tables) or not server.get("mqtt_port"):
        return found  # a listener that is missing is told where the platform wants it
    broker = {
        "host": server.get("host", "127.0.0.1"),
        "port": server["mqtt_port"],
        "user": CARRIER_USER,
        "password": secrets.secret("carriers-mqtt"),
        "tls": bool(server.get("mqtt_tls_cert", "")),
        "tls_ca": _table(tables, "carriers_mqtt").get("tls_ca", ""),
    }
    return found | {"bearer": "mqtt", "mqtt": broker}
