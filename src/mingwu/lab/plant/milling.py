"""The machining centre's type: an OPC UA object of folders Status, Spindle, Axes, Tools, Supply.

Node identifiers are strings ``{node}.Folder.Name``, in the namespace of the line's server, so the
browse path and the address read alike.
"""

from mingwu.kernel.plant import Kind, ValueType
from mingwu.lab.physics.machining import AXES, TOOLS
from mingwu.lab.plant.declare import FAST_MS, Analog, analog, discrete
from mingwu.registry.model import ActionDef, EventDef, FieldDef, PropertyDef, TagDef, TypeDef

NAMESPACE = "urn:jiangzhou:machining"
OBJECT_TYPE = "MachiningCentreType"
PROGRAM_RECIPE = "PRC.MC-EAH3.r03"

_HALL = Analog("Cel", -10, 120, 0.1)
_PERCENT = Analog("%", 0, 100, 0.2)
_LOAD = Analog("%", 0, 150, 1.0)
_BAR = Analog("bar", 0, 100, 0.05)

# Channels of a machine with condition monitoring, polled at 100 ms.
MONITORED = ("spindle_load", "spindle_vibration", *(f"axis_{axis}_load" for axis in AXES))


def _node(folder: str, name: str) -> str:
    return f"nsu={NAMESPACE};s={{node}}.{folder}.{name}"


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _float(
    folder: str,
    name: str,
    zh: str,
    en: str,
    quantity: Analog,
    *,
    exposed: bool = False,
    period_ms: int = 1000,
) -> PropertyDef:
    return analog(
        name,
        (zh, en),
        quantity,
        _node(folder, _title(name)),
        exposed=exposed,
        period_ms=period_ms,
    )


def _other(
    folder: str,
    name: str,
    zh: str,
    en: str,
    kind: ValueType,
    *,
    exposed: bool = False,
    unit: str = "1",
) -> PropertyDef:
    return discrete(name, (zh, en), kind, _node(folder, _title(name)), exposed=exposed, unit=unit)


def _status() -> list[PropertyDef]:
    whole, flag, text = ValueType.INT, ValueType.BOOL, ValueType.TEXT
    return [
        _other("Status", "state", "运行状态", "State", whole, exposed=True),
        _other("Status", "running", "运行中", "Running", flag),
        _other("Status", "alarm_active", "报警", "Alarm active", flag),
        _other("Status", "alarm_code", "报警代码", "Alarm code", whole, exposed=True),
        _other("Status", "alarm_text", "报警文本", "Alarm text", text),
        _other("Status", "program_name", "程序名", "Program", text, exposed=True),
        _other("Status", "operation_number", "工步号", "Operation", whole),
        _other("Status", "door_closed", "门关闭", "Door closed", flag),
        _float("Status", "feed_rate", "进给速度", "Feed rate", Analog("mm/min", 0, 60_000, 5)),
        _other("Status", "feed_override", "进给倍率", "Feed override", whole, unit="%"),
        _other("Status", "rapid_override", "快移倍率", "Rapid override", whole, unit="%"),
        _other(
            "Status",
            "part_counter",
            "加工件数",
            "Part counter",
            whole,
            exposed=True,
            unit="{count}",
        ),
        _other("Status", "parts_good", "合格件数", "Good parts", whole, unit="{count}"),
        _other("Status", "parts_scrap", "废品件数", "Scrap parts", whole, unit="{count}"),
        _float("Status", "cycle_elapsed", "循环已用时", "Cycle elapsed", Analog("s", 0, 3600)),
        _float(
            "Status", "cycle_time", "循环时间", "Cycle time", Analog("s", 0, 3600), exposed=True
        ),
    ]


def _spindle() -> list[PropertyDef]:
    load, shake = Analog("%", 0, 150, 0.3), Analog("mm/s", 0, 30, 0.02)
    return [
        _float("Spindle", "spindle_load", "主轴负载", "Spindle load", load, exposed=True),
        _float(
            "Spindle", "spindle_vibration", "主轴振动", "Spindle vibration", shake, exposed=True
        ),
        _float(
            "Spindle",
            "spindle_speed",
            "主轴转速",
            "Spindle speed",
            Analog("{rpm}", 0, 20_000, 5),
            exposed=True,
        ),
        _float(
            "Spindle",
            "spindle_speed_command",
            "转速指令",
            "Commanded speed",
            Analog("{rpm}", 0, 20_000),
        ),
        _float("Spindle", "spindle_power", "主轴功率", "Spindle power", Analog("kW", 0, 60, 0.1)),
        _float(
            "Spindle", "spindle_torque", "主轴扭矩", "Spindle torque", Analog("N.m", 0, 400, 0.5)
        ),
        _float(
            "Spindle",
            "spindle_temperature_front",
            "主轴前轴承温度",
            "Front bearing temperature",
            _HALL,
            exposed=True,
        ),
        _float(
            "Spindle",
            "spindle_temperature_rear",
            "主轴后轴承温度",
            "Rear bearing temperature",
            _HALL,
        ),
        _float(
            "Spindle",
            "spindle_motor_temperature",
            "主轴电机温度",
            "Spindle motor temperature",
            _HALL,
        ),
        _other(
            "Spindle", "spindle_override", "主轴倍率", "Spindle override", ValueType.INT, unit="%"
        ),
        _other("Spindle", "tool_clamped", "刀具夹紧", "Tool clamped", ValueType.BOOL),
    ]


def _axes() -> list[PropertyDef]:
    found: list[PropertyDef] = []
    for axis in AXES:
        name, unit = axis.upper(), "deg" if axis == "b" else "mm"
        travel = Analog(unit, -1000, 1000, 0.5)
        found += [
            _float("Axes", f"axis_{axis}_position", f"{name}轴位置", f"{name} position", travel),
            _float("Axes", f"axis_{axis}_load", f"{name}轴负载", f"{name} load", _LOAD),
            _float(
                "Axes",
                f"axis_{axis}_motor_temperature",
                f"{name}轴电机温度",
                f"{name} motor temperature",
                _HALL,
            ),
            _float(
                "Axes",
                f"axis_{axis}_following_error",
                f"{name}轴跟随误差",
                f"{name} following error",
                Analog("um", 0, 500, 0.1),
            ),
            _float(
                "Axes",
                f"axis_{axis}_current",
                f"{name}轴电流",
                f"{name} current",
                Analog("A", 0, 120, 0.1),
            ),
        ]
    return found


def _tools() -> list[PropertyDef]:
    life = analog(
        "tool_life_{i}",
        ("刀具{i}剩余寿命", "Tool {i} life left"),
        _PERCENT,
        _node("Tools", "ToolLife{i}"),
        repeat=TOOLS,
    )
    return [
        _other("Tools", "tool_number", "当前刀号", "Tool number", ValueType.INT, exposed=True),
        life,
    ]


def _supply() -> list[PropertyDef]:
    return [
        _float("Supply", "coolant_level", "切削液液位", "Coolant level", _PERCENT),
        _float("Supply", "coolant_temperature", "切削液温度", "Coolant temperature", _HALL),
        _float(
            "Supply",
            "coolant_pressure",
            "切削液压力",
            "Coolant pressure",
            Analog("bar", 0, 100, 0.5),
        ),
        _float(
            "Supply", "coolant_flow", "切削液流量", "Coolant flow", Analog("L/min", 0, 100, 0.5)
        ),
        _float(
            "Supply",
            "coolant_concentration",
            "切削液浓度",
            "Coolant concentration",
            Analog("%", 0, 20, 0.05),
        ),
        _float("Supply", "hydraulic_pressure", "液压压力", "Hydraulic pressure", _BAR),
        _float("Supply", "lubricant_level", "润滑油位", "Lubricant level", _PERCENT),
        _float("Supply", "air_pressure", "气源压力", "Air pressure", _BAR),
        _float("Supply", "cabinet_temperature", "电柜温度", "Cabinet temperature", _HALL),
        _float("Supply", "power", "有功功率", "Power", Analog("kW", 0, 80, 0.2), exposed=True),
        _float("Supply", "energy", "电量", "Energy", Analog("kW.h", 0, 1e7, 0.01)),
    ]


def monitoring() -> tuple[TagDef, ...]:
    """Overrides for a machine with condition monitoring."""
    return tuple(TagDef(property=name, period_ms=FAST_MS) for name in MONITORED)


def machining_type() -> TypeDef:
    """MC5X: a five-axis machining centre."""
    alarm = FieldDef(name="code", zh="报警代码", en="Alarm code")
    return TypeDef(
        name="MC5X",
        kind=Kind.MACHINE,
        zh="五轴加工中心",
        en="Five-axis machining centre",
        property=(*_status(), *_spindle(), *_axes(), *_tools(), *_supply()),
        action=(
            ActionDef(name="acknowledge", zh="确认报警", en="Acknowledge alarm", idempotent=True),
        ),
        event=(EventDef(name="alarm", zh="报警", en="Alarm", data=(alarm,)),),
    )
