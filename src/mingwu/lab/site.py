"""One replica at work: its world, its servers, and the beat that moves values between them.

Every 0.1 s the world advances, fast channels are refreshed, and a tenth of the devices show their
new second. The physics runs on simulated time; what carries a time of its own (OPC UA, MQTT, MES)
carries the wall clock's, shifted by the device's gate.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable
from mingwu.lab import errors
from mingwu.lab.gate import Gate
from mingwu.lab.layout import SERIAL_BUS, Layout
from mingwu.lab.physics.laws import Readings
from mingwu.lab.plant.connections import OPCUA_PATH, Sockets, mes_file, tty_file
from mingwu.lab.plant.s1 import DeviceTags, uses_pty
from mingwu.lab.servers.mes import MesTable
from mingwu.lab.servers.modbus import SerialEndpoint, TcpEndpoint, Unit, Units
from mingwu.lab.servers.mqtt import BrokerLine, Publisher
from mingwu.lab.servers.registers import RegisterImage
from mingwu.lab.world import STEP_S, STEPS_PER_SECOND, World

if TYPE_CHECKING:
    from mingwu.lab.servers.addressspace import Machine
    from mingwu.lab.servers.opcua import OpcuaEndpoint

log = logging.getLogger(__name__)

__all__ = ["Site", "errors"]

BEHIND_S = 2.0  # beyond this delay the beat does not catch up: the machine slept
_MAKER = ("Jiangzhou (simulated)", "S1", "1.0")

Beat = Callable[[float], Awaitable[None] | None]


class Site:
    """A replica of the plant with all its sockets. ``gates`` by device name."""

    def __init__(self, layout: Layout, tags: DeviceTags, start_s: float) -> None:
        self.layout, self.tags = layout, tags
        self.world = World(layout, start_s)
        devices = [*self.world.stations, layout.mes.device]
        self.gates = {device: Gate() for device in devices if device not in self.world.lines}
        self.images = {
            unit.device: RegisterImage(tags[unit.device], (*_MAKER, unit.suffix))
            for unit in (*layout.cells(), layout.xray, *layout.meters())
        }
        self.modbus = self._modbus_endpoints()
        self.serial: SerialEndpoint | None = None
        if uses_pty(layout.settings):
            bus = self.modbus.pop(SERIAL_BUS)
            self.serial = SerialEndpoint(bus.units, tty_file(layout))
        self.opcua = self._opcua_endpoints()
        line = BrokerLine(layout.settings.broker)
        self.publishers = {
            unit.device: Publisher(unit.device, tags[unit.device], self.gates[unit.device], line)
            for unit in (layout.leak, *layout.nutrunners(), *layout.vehicles())
        }
        self.mes = MesTable(mes_file(layout))
        self._fast = self._fast_beats()
        self._slow = self._slow_beats()

    def _modbus_endpoints(self) -> dict[str, TcpEndpoint]:
        layout, seed = self.layout, self.layout.settings.seed

        def unit(device: str) -> Unit:
            return Unit(self.images[device], self.gates[device])

        found = {
            own.device: TcpEndpoint(Units({1: unit(own.device)}, serial=False, seed=seed))
            for own in (*layout.cells(), layout.xray)
        }
        buses: dict[str, dict[int, Unit]] = {"meters-a": {}, "meters-b": {}}
        for meter in layout.meters():
            bus = "meters-b" if layout.on_serial(meter) else "meters-a"
            buses[bus][layout.meter_unit(meter)] = unit(meter.device)
        for name, units in buses.items():
            found[name] = TcpEndpoint(Units(units, serial=True, seed=seed))
        return found

    def _opcua_endpoints(self) -> "dict[str, OpcuaEndpoint]":
        if not self.world.machines:
            return {}
        # The OPC UA stack costs 70 MB and a second: a plant without machines does without.
        from mingwu.lab.servers.addressspace import Machine
        from mingwu.lab.servers.opcua import OpcuaEndpoint

        layout, machines = self.layout, dict[str, list[Machine]]()
        for unit in layout.machines():
            made = Machine(
                f"MC{unit.number:02d}",
                self.world.machines[unit.device].readings,
                self.gates[unit.device],
                self.tags[unit.device],
            )
            machines.setdefault(layout.opcua_server(unit), []).append(made)
        pki = Path(layout.settings.directory) / "pki" / f"{layout.replica + 1:02d}"
        return {name: OpcuaEndpoint(name, own, pki) for name, own in machines.items()}

    def _fast_beats(self) -> list[Beat]:
        """What happens every step."""
        beats: list[Beat] = [self._cell_beat(name) for name in self.world.cells]
        beats += [
            self._monitor_beat(unit.device)
            for unit in self.layout.machines()
            if self.layout.monitored(unit)
        ]
        beats += [endpoint.put_fast for endpoint in self.opcua.values()]
        return beats

    def _cell_beat(self, name: str) -> Beat:
        station, image, gate = self.world.stations[name], self.images[name], self.gates[name]

        def beat(_now_s: float) -> None:
            if station.refresh_fast is not None:
                station.refresh_fast()
            image.put_fast(gate.shown(station.readings))

        return beat

    def _monitor_beat(self, name: str) -> Beat:
        machine = self.world.machines[name]

        def beat(_now_s: float) -> None:
            machine.refresh_fast()

        return beat

    def _slow_beats(self) -> list[list[Beat]]:
        """What happens once a second, by the step in which it does."""
        beats: list[Beat] = [self._modbus_beat(name) for name in self.images]
        for endpoint in self.opcua.values():
            beats += [self._opcua_beat(endpoint, machine) for machine in endpoint.machines]
        beats += [self._mqtt_beat(name) for name in self.publishers]
        beats.append(self._mes_beat)
        return [beats[phase::STEPS_PER_SECOND] for phase in range(STEPS_PER_SECOND)]

    def _modbus_beat(self, name: str) -> Beat:
        station, image, gate = self.world.stations[name], self.images[name], self.gates[name]

        def beat(_now_s: float) -> None:
            if station.write is not None:
                image.take_writes(station.write)
            station.refresh()
            image.put(gate.shown(station.readings))

        return beat

    def _opcua_beat(self, endpoint: "OpcuaEndpoint", machine: "Machine") -> Beat:
        device = machine.node.lower()
        station = self.world.stations[device]

        async def beat(now_s: float) -> None:
            station.refresh()
            if station.refresh_fast:
                station.refresh_fast()
            await endpoint.put(machine, now_s)

        return beat

    def _mqtt_beat(self, name: str) -> Beat:
        station, publisher = self.world.stations[name], self.publishers[name]

        def beat(now_s: float) -> None:
            station.refresh()
            publisher.put(station.readings, now_s)

        return beat

    async def _mes_beat(self, now_s: float) -> None:
        gate = self.gates[self.layout.mes.device]
        if gate.dead:
            return
        rows = []
        for key, line in self.world.lines.items():
            line.refresh()
            rows.append((key, gate.shown(line.readings)))
        await asyncio.to_thread(self.mes.put, rows, now_s + gate.skew_s)

    @property
    def suffixes(self) -> dict[str, str]:
        """Identifier without prefix by device."""
        layout = self.layout
        units = (
            *layout.cells(), layout.xray, *layout.machines(), *layout.meters(), layout.leak,
            *layout.nutrunners(), *layout.vehicles(), layout.mes,
        )  # fmt: skip
        return {unit.device: unit.suffix for unit in units}

    def readings_of(self, device: str) -> Readings:
        """What a device with a station would show without faults."""
        return self.world.stations[device].readings

    def drop_of(self, device: str) -> Callable[[], None] | None:
        """How the connections of a device with a socket of its own are cut."""
        if device in self.modbus:
            return self.modbus[device].drop_connections
        if device in self.publishers:
            return self.publishers[device].drop_connections
        return None

    async def start(self) -> Sockets:
        """Open all sockets; raises Unavailable ``lab.port-taken`` or ``lab.no-terminal``."""
        self._first_values()
        host, planned = self.layout.settings.host, self.layout.endpoints()
        ports: dict[str, int] = {}
        for name, modbus in self.modbus.items():
            with _Listening(name, host, planned[name]):
                await modbus.start(host, planned[name])
            ports[name] = modbus.port
        for name, server in self.opcua.items():
            with _Listening(name, host, planned[name]):
                await server.start(host, planned[name], OPCUA_PATH)
            ports[name] = server.port
        if self.serial is not None:
            try:
                self.serial.start()
            except OSError as error:
                raise Unavailable("lab.no-terminal", fault=told(error)) from error
        await asyncio.to_thread(self.mes.open)
        return Sockets(ports, str(self.serial.link) if self.serial else "")

    def _first_values(self) -> None:
        """Fill the registers before anybody can read them: a machine does not begin at zero."""
        self.world.advance()
        for name, image in self.images.items():
            station = self.world.stations[name]
            station.refresh()
            if station.refresh_fast is not None:
                station.refresh_fast()
            image.put(station.readings)
            image.put_fast(station.readings)

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until ``stop``."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(publisher.run()) for publisher in self.publishers.values()]
            try:
                await self._beat(stop)
            finally:
                for task in tasks:
                    task.cancel()

    async def _beat(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not stop.is_set():
            await self.step(time.time())
            due += STEP_S
            late = loop.time() - due
            if late > BEHIND_S:
                log.warning("simulation behind late_s=%.1f", late)
                due = loop.time()
            await asyncio.sleep(max(0.0, -late))

    async def step(self, now_s: float) -> None:
        """One beat; ``now_s`` is what the devices' clocks show."""
        self.world.advance()
        for beat in (*self._fast, *self._slow[self.world.steps % STEPS_PER_SECOND]):
            pending = beat(now_s)
            if pending is not None:
                await pending

    async def stop(self) -> None:
        """Close all sockets."""
        for modbus in self.modbus.values():
            await modbus.stop()
        for server in self.opcua.values():
            await server.stop()
        if self.serial is not None:
            self.serial.stop()
        self.mes.close()


class _Listening:
    """Turns the OSError of a taken port into an error with its name."""

    def __init__(self, endpoint: str, host: str, port: int) -> None:
        self._where = {"endpoint": endpoint, "host": host, "port": port}

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise Unavailable("lab.port-taken", **self._where, fault=told(error)) from error
