"""How the gateway reaches each device: driver settings made from the lab's own addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mingwu.lab.layout import Layout, Unit
from mingwu.registry.model import ConnectionDef

SERIAL_BAUD = 38_400
OPCUA_PATH = "/jiangzhou"


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where one replica listens: TCP port by endpoint name; ``tty`` is the serial line or empty."""

    ports: Mapping[str, int]
    tty: str = ""


def mes_file(layout: Layout) -> Path:
    """The MES's database."""
    return Path(layout.settings.directory).absolute() / f"mes{layout.replica + 1:02d}.db"


def tty_file(layout: Layout) -> Path:
    """The name under which the second meter bus can be opened."""
    return Path(layout.settings.directory).absolute() / f"meters-b{layout.replica + 1:02d}.tty"


def opcua_endpoint(layout: Layout, sockets: Sockets, server: str) -> str:
    """Endpoint URL of an OPC UA server."""
    return f"opc.tcp://{layout.settings.host}:{sockets.ports[server]}{OPCUA_PATH}"


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections of one replica."""

    layout: Layout
    sockets: Sockets

    def ride(self, device: str) -> ConnectionDef:
        """A thing whose tags come over another thing's device."""
        return ConnectionDef(gateway=self.layout.settings.gateway, device=device)

    def modbus(self, unit: Unit) -> ConnectionDef:
        """A Modbus TCP device of its own."""
        settings: dict[str, object] = {
            "host": self.layout.settings.host,
            "port": self.sockets.ports[unit.device],
            "unit": 1,
        }
        return self._to(unit.device, "modbus", settings)

    def meter(self, meter: Unit) -> ConnectionDef:
        """An energy meter on one of the two buses."""
        number = self.layout.meter_unit(meter)
        if not self.layout.on_serial(meter):
            return self._gateway_bus(meter, "meters-a", number)
        if not self.sockets.tty:
            return self._gateway_bus(meter, "meters-b", number)
        settings: dict[str, object] = {
            "transport": "rtu",
            "serial": self.sockets.tty,
            "baud": SERIAL_BAUD,
            "parity": "none",  # a pseudo-terminal knows none
            "unit": number,
        }
        return self._to(meter.device, "modbus", settings)

    def _gateway_bus(self, meter: Unit, bus: str, number: int) -> ConnectionDef:
        settings: dict[str, object] = {
            "transport": "rtu-over-tcp",
            "host": self.layout.settings.host,
            "port": self.sockets.ports[bus],
            "unit": number,
        }
        return self._to(meter.device, "modbus", settings)

    def opcua(self, machine: Unit) -> ConnectionDef:
        """A machining centre on its line's OPC UA server."""
        server = self.layout.opcua_server(machine)
        url = opcua_endpoint(self.layout, self.sockets, server)
        return self._to(machine.device, "opcua", {"endpoint": url})

    def mqtt(self, unit: Unit) -> ConnectionDef:
        """A device that publishes to the broker."""
        broker = self.layout.settings.broker
        settings: dict[str, object] = {
            "host": broker.host,
            "port": broker.port,
            "time_field": "timestamp",
        }
        if broker.user:
            settings |= {"user": broker.user, "password": broker.password}
        return self._to(unit.device, "mqtt", settings)

    def sql(self, unit: Unit) -> ConnectionDef:
        """The MES's dispatch table."""
        settings: dict[str, object] = {
            "url": f"sqlite:///{mes_file(self.layout)}",
            "table": "dispatch",
            "key_column": "line",
            "time_column": "updated_at",
        }
        return self._to(unit.device, "sql", settings)

    def _to(self, device: str, driver: str, settings: dict[str, object]) -> ConnectionDef:
        return ConnectionDef(
            gateway=self.layout.settings.gateway, device=device, driver=driver, settings=settings
        )
