"""Types of the die-casting area: the 2,500 t cell (Modbus TCP), its mould, the X-ray station.

The cell's fast channels are polled at 100 ms from one run of input registers; measured values are
32-bit floats, auxiliaries scaled integers, set points writable holding registers, states coils
and discrete inputs.
"""

from mingwu.kernel.plant import Kind
from mingwu.lab.physics.cellsensors import CIRCUITS, HALF
from mingwu.lab.plant.declare import FAST_MS, Analog, RegisterMap
from mingwu.registry.model import ActionDef, EventDef, FieldDef, PropertyDef, TypeDef

_MPA = Analog("MPa", 0, 120, 0.3)
_DIE = Analog("Cel", 0, 450, 0.2)
_OIL = Analog("Cel", 0, 250, 0.2)
_HALL = Analog("Cel", -10, 90, 0.2)
_BAR = Analog("bar", 0, 25, 0.05)
_PERCENT = Analog("%", 0, 100, 0.5)
_MM = Analog("mm", 0, 1000, 0.5)
_KN = Analog("kN", 0, 30_000, 25)
_SPEED = Analog("m/s", 0, 8, 0.02)


def _fast(registers: RegisterMap) -> None:
    def channel(name: str, labels: tuple[str, str], quantity: Analog, repeat: int = 0) -> None:
        registers.float32(name, labels, quantity, repeat=repeat, period_ms=FAST_MS)

    channel("plunger_position", ("冲头位置", "Plunger position"), _MM)
    channel("plunger_velocity", ("冲头速度", "Plunger velocity"), _SPEED)
    channel(
        "plunger_acceleration", ("冲头加速度", "Plunger acceleration"), Analog("m/s2", -90, 90, 0.1)
    )
    channel(
        "head_pressure",
        ("压射缸无杆腔压力", "Shot cylinder head pressure"),
        Analog("bar", 0, 250, 0.2),
    )
    channel(
        "rod_pressure",
        ("压射缸有杆腔压力", "Shot cylinder rod pressure"),
        Analog("bar", 0, 250, 0.2),
    )
    channel(
        "accumulator_pressure", ("蓄能器压力", "Accumulator pressure"), Analog("MPa", 0, 25, 0.05)
    )
    channel("intensification_pressure", ("增压压力", "Intensification pressure"), _MPA)
    channel("cavity_pressure_{i}", ("型腔压力{i}", "Cavity pressure {i}"), _MPA, 4)
    channel("tie_bar_force_{i}", ("拉杆力{i}", "Tie bar force {i}"), Analog("kN", 0, 8000, 10), 4)
    channel(
        "vacuum_pressure_{i}", ("真空压力{i}", "Vacuum pressure {i}"), Analog("mbar", 0, 1100, 2), 2
    )
    channel(
        "die_surface_temperature_{i}",
        ("模具表面温度{i}", "Die surface temperature {i}"),
        Analog("Cel", 0, 450, 0.5),
        8,
    )
    channel("servo_valve_command", ("伺服阀指令", "Servo valve command"), _PERCENT)
    channel("servo_valve_opening", ("伺服阀开度", "Servo valve opening"), _PERCENT)
    channel("hydraulic_flow", ("液压流量", "Hydraulic flow"), Analog("L/min", 0, 2000, 1))
    channel("ladle_position", ("浇勺位置", "Ladle position"), _PERCENT)
    channel("die_position", ("动模位置", "Die position"), _MM)
    channel("ejector_position", ("顶杆位置", "Ejector position"), Analog("mm", 0, 200, 0.5))
    channel("ejector_force", ("顶出力", "Ejector force"), Analog("kN", 0, 400, 1))
    channel("clamp_force", ("合模力", "Clamp force"), _KN)
    channel("spray_flow", ("喷涂流量", "Spray flow"), Analog("L/min", 0, 40, 0.1))
    channel("pump_pressure", ("泵压力", "Pump pressure"), Analog("MPa", 0, 25, 0.05))
    channel("tip_temperature", ("冲头温度", "Plunger tip temperature"), _DIE)
    channel(
        "hydraulic_vibration",
        ("液压站振动", "Hydraulic unit vibration"),
        Analog("mm/s", 0, 30, 0.1),
    )
    channel("platen_vibration", ("模板振动", "Platen vibration"), Analog("mm/s", 0, 30, 0.1))


def _status(registers: RegisterMap) -> None:
    registers.start("input", 700)
    registers.counter("shot_counter", ("模次", "Shot counter"), exposed=True)
    registers.counter("shot_number", ("最近一模序号", "Last shot"))
    registers.counter("parts_good", ("合格件数", "Good parts"), exposed=True)
    registers.counter("parts_scrap", ("废品件数", "Scrap parts"))
    registers.word("state", ("运行状态", "State"), exposed=True)
    registers.word("phase", ("循环阶段", "Cycle phase"))
    registers.word("alarm_code", ("报警代码", "Alarm code"), exposed=True)
    registers.word("mould_number", ("模具编号", "Mould number"))
    registers.word("recipe_revision", ("工艺版本", "Recipe revision"))
    for name, labels in (
        ("running", ("运行中", "Running")),
        ("automatic_mode", ("自动模式", "Automatic mode")),
        ("pump_running", ("油泵运行", "Pump running")),
        ("furnace_heating", ("保温炉加热", "Furnace heating")),
        ("vacuum_valve_open", ("真空阀打开", "Vacuum valve open")),
    ):
        registers.flag(name, labels, area="coil")
    for name, labels in (
        ("alarm_active", ("报警", "Alarm active")),
        ("guard_closed", ("安全门关闭", "Guard closed")),
        ("emergency_stop_released", ("急停未按下", "Emergency stop released")),
        ("die_closed", ("模具闭合", "Die closed")),
        ("part_present", ("有铸件", "Casting present")),
        ("shot_good", ("本模合格", "Shot good")),
    ):
        registers.flag(name, labels, area="discrete")


def _measured(registers: RegisterMap) -> None:
    put = registers.float32
    registers.start("input", 200)
    put(
        "die_temperature_fixed_{i}", ("定模温度{i}", "Fixed die temperature {i}"), _DIE, repeat=HALF
    )
    put(
        "die_temperature_moving_{i}",
        ("动模温度{i}", "Moving die temperature {i}"),
        _DIE,
        repeat=HALF,
    )
    put("die_temperature_mean", ("模具平均温度", "Mean die temperature"), _DIE, exposed=True)
    put(
        "melt_temperature",
        ("铝液温度", "Melt temperature"),
        Analog("Cel", 500, 800, 0.5),
        exposed=True,
    )
    put("bath_mass", ("炉内铝液量", "Melt in furnace"), Analog("kg", 0, 3000, 5))
    put("furnace_power", ("保温炉功率", "Furnace power"), Analog("kW", 0, 120, 0.5))
    put(
        "furnace_zone_temperature_{i}",
        ("炉区温度{i}", "Furnace zone temperature {i}"),
        Analog("Cel", 400, 900, 0.8),
        repeat=4,
    )
    put("oil_unit_temperature_fixed", ("定模油温", "Oil temperature, fixed die"), _OIL)
    put("oil_unit_temperature_moving", ("动模油温", "Oil temperature, moving die"), _OIL)
    put("cycle_elapsed", ("循环已用时", "Cycle elapsed"), Analog("s", 0, 600, 0))
    put("operating_hours", ("运行小时", "Operating hours"), Analog("h", 0, 1e6, 0.01))
    put("power", ("有功功率", "Power"), Analog("kW", 0, 400, 1), exposed=True)
    put("system_pressure", ("系统压力", "System pressure"), Analog("MPa", 0, 25, 0.05))
    put("shot_slow_velocity", ("慢压射速度", "Shot slow velocity"), _SPEED)
    put("shot_fast_velocity", ("快压射速度", "Shot fast velocity"), _SPEED, exposed=True)
    put(
        "shot_intensification_pressure",
        ("本模增压压力", "Shot intensification"),
        _MPA,
        exposed=True,
    )
    put("shot_rise_time", ("建压时间", "Pressure rise time"), Analog("ms", 0, 500))
    put("shot_fill_time", ("充型时间", "Fill time"), Analog("ms", 0, 500))
    put("shot_biscuit_thickness", ("料饼厚度", "Biscuit thickness"), Analog("mm", 0, 120))
    put("shot_vacuum", ("型腔真空度", "Cavity vacuum"), Analog("mbar", 0, 1100))
    put("shot_clamp_force", ("本模合模力", "Shot clamp force"), _KN)
    put("shot_cycle_time", ("循环时间", "Cycle time"), Analog("s", 0, 900), exposed=True)
    put("shot_die_temperature", ("本模模温", "Shot die temperature"), _DIE, exposed=True)
    put("shot_dose", ("浇注量", "Dose"), Analog("kg", 0, 60))


def _scaled(registers: RegisterMap) -> None:
    put = registers.scaled
    registers.start("input", 400)
    put(
        "circuit_flow_{i}",
        ("油路流量{i}", "Circuit flow {i}"),
        Analog("L/min", 0, 60, 0.2),
        0.1,
        repeat=CIRCUITS,
    )
    put(
        "circuit_outlet_temperature_{i}",
        ("油路回油温度{i}", "Circuit outlet temperature {i}"),
        _OIL,
        0.1,
        repeat=CIRCUITS,
    )
    put(
        "spray_volume_{i}",
        ("喷涂量{i}", "Spray volume {i}"),
        Analog("mL", 0, 200, 0.5),
        0.1,
        repeat=8,
    )
    put("spray_pressure_{i}", ("喷涂压力{i}", "Spray pressure {i}"), _BAR, 0.01, repeat=4)
    put("bearing_temperature_{i}", ("轴承温度{i}", "Bearing temperature {i}"), _HALL, 0.1, repeat=4)
    put("tie_bar_temperature_{i}", ("拉杆温度{i}", "Tie bar temperature {i}"), _HALL, 0.1, repeat=4)
    put(
        "nitrogen_pressure_{i}",
        ("氮气压力{i}", "Nitrogen pressure {i}"),
        Analog("MPa", 0, 25, 0.02),
        0.01,
        repeat=4,
    )
    put(
        "pump_current_{i}",
        ("油泵电流{i}", "Pump current {i}"),
        Analog("A", 0, 300, 1),
        0.1,
        repeat=3,
    )
    put(
        "pump_motor_temperature_{i}",
        ("油泵电机温度{i}", "Pump motor temperature {i}"),
        _HALL,
        0.1,
        repeat=3,
    )
    put("hydraulic_oil_temperature", ("液压油温度", "Hydraulic oil temperature"), _HALL, 0.1)
    put("hydraulic_oil_level", ("液压油位", "Hydraulic oil level"), _PERCENT, 0.1)
    put("hydraulic_filter_pressure_drop", ("滤芯压差", "Filter pressure drop"), _BAR, 0.01)
    put("release_agent_level", ("脱模剂液位", "Release agent level"), _PERCENT, 0.1)
    put(
        "release_agent_concentration", ("脱模剂浓度", "Release agent concentration"), _PERCENT, 0.01
    )
    put("lubricant_level", ("润滑脂量", "Lubricant level"), _PERCENT, 0.1)
    put("cabinet_temperature", ("电柜温度", "Cabinet temperature"), _HALL, 0.1)
    put("hall_temperature", ("车间温度", "Hall temperature"), _HALL, 0.1)
    put("hall_humidity", ("车间湿度", "Hall humidity"), _PERCENT, 0.1)
    put("compressed_air_pressure", ("压缩空气压力", "Compressed air pressure"), _BAR, 0.01)
    put("cooling_water_temperature", ("冷却水温度", "Cooling water temperature"), _HALL, 0.1)
    put("cooling_water_pressure", ("冷却水压力", "Cooling water pressure"), _BAR, 0.01)


def _setpoints(registers: RegisterMap) -> None:
    def put(name: str, labels: tuple[str, str], quantity: Analog, repeat: int = 0) -> None:
        registers.float32(name, labels, quantity, area="holding", repeat=repeat, writable=True)

    put("set_slow_velocity", ("慢压射速度设定", "Set slow velocity"), Analog("m/s", 0.2, 0.8))
    put("set_fast_velocity", ("快压射速度设定", "Set fast velocity"), Analog("m/s", 1, 6))
    put(
        "set_intensification_pressure",
        ("增压压力设定", "Set intensification"),
        Analog("MPa", 60, 100),
    )
    put("set_oil_temperature", ("油温设定", "Set oil temperature"), Analog("Cel", 120, 220))
    put("set_melt_temperature", ("铝液温度设定", "Set melt temperature"), Analog("Cel", 640, 700))
    put("set_dose", ("浇注量设定", "Set dose"), Analog("kg", 5, 40))
    put("set_clamp_force", ("合模力设定", "Set clamp force"), Analog("kN", 10_000, 25_000))
    put("set_switch_position_{i}", ("切换位置设定{i}", "Set switch position {i}"), _MM, 4)
    put("set_spray_time_{i}", ("喷涂时间设定{i}", "Set spray time {i}"), Analog("s", 0, 10), 8)


def cell_type() -> TypeDef:
    """DCM2500: the cold-chamber die-casting cell."""
    registers = RegisterMap()
    for part in (_fast, _measured, _scaled, _status, _setpoints):
        part(registers)
    alarm = FieldDef(name="code", zh="报警代码", en="Alarm code", low=0, high=65535)
    return TypeDef(
        name="DCM2500",
        kind=Kind.MACHINE,
        zh="2500吨冷室压铸单元",
        en="Die-casting cell 2,500 t",
        variables={"order": "abcd"},
        property=tuple(registers.properties),
        action=(
            ActionDef(name="acknowledge", zh="确认报警", en="Acknowledge alarm", idempotent=True),
        ),
        event=(EventDef(name="alarm", zh="报警", en="Alarm", data=(alarm,)),),
    )


def address_of(kind: TypeDef, name: str) -> PropertyDef:
    """The property ``name`` of ``kind``."""
    return next(item for item in kind.property if item.name == name)


MOULD_PROPERTIES = (
    "shot_counter",
    "die_temperature_mean",
    "shot_die_temperature",
    "shot_cycle_time",
    "shot_intensification_pressure",
)


def mould_type(cell: TypeDef) -> TypeDef:
    """A mould: what its host cell knows of it, under the mould's own name."""
    return TypeDef(
        name="Mould",
        kind=Kind.MACHINE,
        zh="压铸模具",
        en="Die-casting mould",
        variables={"order": "abcd"},
        property=tuple(address_of(cell, name) for name in MOULD_PROPERTIES),
    )


def xray_type() -> TypeDef:
    """The X-ray station behind the cells (Modbus TCP)."""
    registers = RegisterMap()
    put = registers.float32
    grade = Analog("%", 0, 10, 0)
    put("porosity", ("孔隙率", "Porosity"), grade, exposed=True)
    put("porosity_mean", ("孔隙率均值", "Mean porosity"), grade, exposed=True)
    put("porosity_limit", ("孔隙率限值", "Porosity limit"), grade)
    put("confidence", ("判定置信度", "Confidence"), _PERCENT)
    put("tube_voltage", ("管电压", "Tube voltage"), Analog("kV", 0, 200, 0.05))
    put("tube_current", ("管电流", "Tube current"), Analog("mA", 0, 20, 0.01))
    put("tube_temperature", ("管温", "Tube temperature"), _HALL)
    registers.counter("inspected", ("检测件数", "Inspected"), exposed=True)
    registers.counter("rejected", ("剔除件数", "Rejected"), exposed=True)
    registers.counter("shot_number", ("对应模次", "Shot inspected"))
    registers.word("algorithm_revision", ("算法版本", "Algorithm revision"))
    registers.flag("accepted", ("合格", "Accepted"), area="discrete")
    return TypeDef(
        name="XRayStation",
        kind=Kind.MACHINE,
        zh="X射线检测站",
        en="X-ray station",
        variables={"order": "abcd"},
        property=tuple(registers.properties),
    )
