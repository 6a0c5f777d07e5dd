"""Who is who in one replica of the plant: device names, numbers, things, endpoints.

Numbers run on from replica to replica (cell 1 and 2, then 3 and 4), so a scaled plant is a larger
plant and every device keeps its name. Device names are the gateway's; a thing's identifier is made
of its class and model (``DEV.DCM2500.01``).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mingwu.lab.settings import PORTS_PER_REPLICA, LabSettings

# The second meter bus: a pseudo-terminal where the system has it, else a TCP server.
SERIAL_BUS = "meters-b"
# Mould numbers of the first two cells; further cells count on from the second.
_MOULDS = (187, 190)
UTILITIES = (
    ("em-asm", "装配线", "Assembly line", 12.0),
    ("em-agv", "充电站", "Charging station", 9.0),
    ("em-air1", "空压机1", "Compressor 1", 55.0),
    ("em-air2", "空压机2", "Compressor 2", 55.0),
    ("em-chiller", "冷水机组", "Chiller", 90.0),
    ("em-melt", "集中熔化炉", "Melting furnace", 320.0),
    ("em-light1", "压铸照明", "Lighting, casting", 14.0),
    ("em-light2", "机加照明", "Lighting, machining", 12.0),
    ("em-hvac", "通风空调", "Ventilation", 40.0),
    ("em-xray", "X射线站", "X-ray station", 6.0),
    ("em-washer", "清洗机", "Washer", 30.0),
    ("em-filter", "集中过滤", "Central filter", 18.0),
    ("em-office", "办公", "Office", 10.0),
    ("em-cast", "压铸车间总表", "Casting shop", 900.0),
    ("em-mill", "机加车间总表", "Machining shop", 400.0),
    ("em-main", "进线总表", "Incomer", 1_600.0),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One device: its name at the gateway, its number in the plant, its thing's suffix."""

    device: str
    number: int
    suffix: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The devices of replica ``replica``."""

    settings: LabSettings
    replica: int = 0

    def cells(self) -> list[Unit]:
        """Die-casting cells."""
        return self._units("dcm", "DEV.DCM2500", self.settings.cells)

    def machines(self) -> list[Unit]:
        """Machining centres."""
        return self._units("mc", "DEV.MC5X", self.settings.machines)

    def nutrunners(self) -> list[Unit]:
        """Nutrunners."""
        return self._units("nut", "DEV.NR30", self.settings.nutrunners)

    def vehicles(self) -> list[Unit]:
        """Automated guided vehicles."""
        return self._units("agv", "DEV.AGV1500", self.settings.vehicles)

    def single(self, device: str, suffix: str) -> Unit:
        """A device of which every replica has one."""
        return self._units(device, suffix, 1)[0]

    @property
    def xray(self) -> Unit:
        """X-ray station."""
        return self.single("xray", "DEV.XRAY160")

    @property
    def leak(self) -> Unit:
        """Leak tester."""
        return self.single("leak", "DEV.LT200")

    @property
    def mes(self) -> Unit:
        """Manufacturing execution system."""
        return self.single("mes", "DEV.MES")

    def meters(self) -> list[Unit]:
        """Energy meters: one per cell and machining centre, then the utilities."""
        return self._units("em", "DEV.EM3P", self.meter_count)

    @property
    def meter_count(self) -> int:
        """Energy meters of one replica."""
        return self.settings.cells + self.settings.machines + len(UTILITIES)

    def mould(self, cell: Unit) -> int:
        """Number of the mould on a cell: M0187, M0190, M0191 …"""
        known = len(_MOULDS)
        return _MOULDS[cell.number - 1] if cell.number <= known else _MOULDS[-1] + cell.number - 2

    def on_serial(self, meter: Unit) -> bool:
        """Whether a meter hangs on the second bus: the last third of the meters."""
        position = (meter.number - 1) % self.meter_count
        return position >= self.meter_count * 2 // 3

    def meter_unit(self, meter: Unit) -> int:
        """Unit id of a meter on its bus."""
        return (meter.number - 1) % self.meter_count + 1

    def monitored(self, machine: Unit) -> bool:
        """Whether a machining centre has condition monitoring: the roughing machines do."""
        return machine.number % 3 == 1

    def milling_line(self, machine: Unit) -> int:
        """Number of a machining centre's line: every replica has two."""
        position = (machine.number - 1) % self.settings.machines
        return 2 * self.replica + position * 2 // self.settings.machines + 1

    def opcua_server(self, machine: Unit) -> str:
        """Endpoint name of the OPC UA server that carries a machining centre."""
        position = (machine.number - 1) % self.settings.machines
        return f"opcua{position * self.settings.opcua_servers // self.settings.machines + 1}"

    def endpoints(self) -> dict[str, int]:
        """TCP port by endpoint name, as the settings plan them (0 = the system chooses)."""
        first = self.settings.first_port
        start = first + self.replica * PORTS_PER_REPLICA if first else 0
        names = self.endpoint_names()
        return {name: start + index if start else 0 for index, name in enumerate(names)}

    def endpoint_names(self) -> list[str]:
        """Endpoints of this replica: one per TCP server."""
        return [
            *(cell.device for cell in self.cells()),
            self.xray.device,
            "meters-a",
            SERIAL_BUS,
            *dict.fromkeys(self.opcua_server(machine) for machine in self.machines()),
        ]

    def _units(self, device: str, suffix: str, count: int) -> list[Unit]:
        start = self.replica * count + 1
        return [
            Unit(f"{device}{n:02d}", n, f"{suffix}.{n:02d}") for n in range(start, start + count)
        ]


def layouts(settings: LabSettings) -> Iterator[Layout]:
    """All replicas."""
    for replica in range(settings.scale):
        yield Layout(settings, replica)
