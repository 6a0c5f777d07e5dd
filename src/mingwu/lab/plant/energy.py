"""The energy meter's type: 20 values in one run of input registers, Modbus RTU."""

from mingwu.kernel.plant import Kind
from mingwu.lab.plant.declare import Analog, RegisterMap
from mingwu.registry.model import TypeDef


def meter_type() -> TypeDef:
    """EM3P: a three-phase energy meter."""
    registers = RegisterMap()
    put = registers.float32
    power = Analog("kW", 0, 4000, 0.1)
    put("voltage_{i}", ("相电压{i}", "Voltage L{i}"), Analog("V", 0, 400, 0.1), repeat=3)
    put("current_{i}", ("相电流{i}", "Current L{i}"), Analog("A", 0, 6000, 0.2), repeat=3)
    put("active_power_{i}", ("有功功率{i}", "Active power L{i}"), power, repeat=3)
    put(
        "power_factor_{i}", ("功率因数{i}", "Power factor L{i}"), Analog("1", 0, 1, 0.002), repeat=3
    )
    put("active_power", ("总有功功率", "Active power"), power, exposed=True)
    put("reactive_power", ("总无功功率", "Reactive power"), Analog("kvar", 0, 4000, 0.1))
    put("apparent_power", ("总视在功率", "Apparent power"), Analog("kV.A", 0, 4000, 0.1))
    put("power_factor", ("总功率因数", "Power factor"), Analog("1", 0, 1, 0.002), exposed=True)
    put("frequency", ("频率", "Frequency"), Analog("Hz", 45, 55, 0.01))
    put(
        "active_energy",
        ("正向有功电能", "Active energy"),
        Analog("kW.h", 0, 1e8, 0.01),
        exposed=True,
    )
    put("reactive_energy", ("正向无功电能", "Reactive energy"), Analog("kvar.h", 0, 1e8, 0.1))
    put("demand", ("需量", "Demand"), Analog("kW", 0, 4000, 0.1))
    return TypeDef(
        name="EM3P", kind=Kind.MACHINE, zh="三相电能表", en="Three-phase energy meter",
        variables={"order": "abcd"}, property=tuple(registers.properties),
    )  # fmt: skip
