"""Types of the assembly line, the vehicles (MQTT, JSON) and the MES's lines (SQL)."""

from mingwu.kernel.plant import Kind, ValueType
from mingwu.lab.plant.declare import Analog, analog, discrete
from mingwu.registry.model import PropertyDef, TypeDef

WHOLE, FLAG, TEXT = ValueType.INT, ValueType.BOOL, ValueType.TEXT

_PERCENT = Analog("%", 0, 100, 0.1)
_HALL = Analog("Cel", -10, 120, 0.1)

LEAK_TOPIC = "plant/assembly/{node}/leak"
NUT_TOPIC = "plant/assembly/{node}/tightening"
# VDA 5050 2.0 clause 6.2: interface name/major version/manufacturer/serial number/topic.
AGV_TOPIC = "plant/v2/jiangzhou/{node}/state"


def leak_type() -> TypeDef:
    """LT200: the leak tester; flat JSON once a second."""

    def at(name: str) -> str:
        return f"{LEAK_TOPIC}#{name}"

    def number(name: str, zh: str, en: str, quantity: Analog, *, show: bool = False) -> PropertyDef:
        return analog(name, (zh, en), quantity, at(name), exposed=show)

    def other(name: str, zh: str, en: str, kind: ValueType, *, show: bool = False) -> PropertyDef:
        return discrete(name, (zh, en), kind, at(name), exposed=show)

    kpa, flow = Analog("kPa", 0, 700, 0.5), Analog("mL/min", 0, 20)
    return TypeDef(
        name="LT200",
        kind=Kind.MACHINE,
        zh="气密检测仪",
        en="Leak tester",
        property=(
            other("phase", "测试阶段", "Test phase", WHOLE),
            number("pressure", "测试压力", "Test pressure", kpa, show=True),
            number("leakage", "泄漏率", "Leakage", flow, show=True),
            number("leakage_limit", "泄漏率限值", "Leakage limit", flow),
            other("result_good", "合格", "Result good", FLAG, show=True),
            other("tested", "检测件数", "Tested", WHOLE),
            other("rejected", "剔除件数", "Rejected", WHOLE),
            number(
                "first_pass_yield",
                "一次合格率",
                "First-pass yield",
                Analog("%", 0, 100),
                show=True,
            ),
            number("cycle_elapsed", "循环已用时", "Cycle elapsed", Analog("s", 0, 600)),
            number("supply_pressure", "气源压力", "Supply pressure", kpa),
            number("part_temperature", "工件温度", "Part temperature", _HALL),
            other("serial_number", "工件序列号", "Serial number", TEXT, show=True),
            other("shift", "班次", "Shift", WHOLE),
            number("reference_leak", "标准漏孔", "Reference leak", flow),
        ),
    )


def nutrunner_type() -> TypeDef:
    """NR30: a nutrunner; nested JSON once a second."""

    def number(
        name: str, zh: str, en: str, quantity: Analog, path: str, *, show: bool = False
    ) -> PropertyDef:
        return analog(name, (zh, en), quantity, f"{NUT_TOPIC}#{path}", exposed=show)

    def other(
        name: str, zh: str, en: str, kind: ValueType, path: str, *, show: bool = False
    ) -> PropertyDef:
        return discrete(name, (zh, en), kind, f"{NUT_TOPIC}#{path}", exposed=show)

    torque = Analog("N.m", 0, 60)
    return TypeDef(
        name="NR30",
        kind=Kind.MACHINE,
        zh="拧紧轴",
        en="Nutrunner",
        property=(
            number("torque", "最终扭矩", "Final torque", torque, "result.torque", show=True),
            number(
                "angle",
                "最终角度",
                "Final angle",
                Analog("deg", 0, 720),
                "result.angle",
                show=True,
            ),
            other("result_good", "合格", "Result good", FLAG, "result.ok", show=True),
            other("bolt_number", "螺栓序号", "Bolt number", WHOLE, "result.bolt"),
            number("torque_target", "目标扭矩", "Target torque", torque, "program.target"),
            number("torque_low", "扭矩下限", "Torque low", torque, "program.low"),
            number("torque_high", "扭矩上限", "Torque high", torque, "program.high"),
            other("program_number", "程序号", "Program", WHOLE, "program.number"),
            other("tightenings", "拧紧次数", "Tightenings", WHOLE, "counters.total", show=True),
            other("rejected", "不合格次数", "Rejected", WHOLE, "counters.rejected"),
            number(
                "motor_temperature",
                "电机温度",
                "Motor temperature",
                _HALL,
                "motor.temperature",
            ),
            other("ready", "就绪", "Ready", FLAG, "ready"),
        ),
    )


def vehicle_type() -> TypeDef:
    """AGV1500: an automated guided vehicle; the state message of VDA 5050."""

    def number(
        name: str, zh: str, en: str, quantity: Analog, path: str, *, show: bool = False
    ) -> PropertyDef:
        return analog(name, (zh, en), quantity, f"{AGV_TOPIC}#{path}", exposed=show)

    def other(
        name: str, zh: str, en: str, kind: ValueType, path: str, *, show: bool = False
    ) -> PropertyDef:
        return discrete(name, (zh, en), kind, f"{AGV_TOPIC}#{path}", exposed=show)

    metre = Analog("m", -10, 200, 0.05)
    return TypeDef(
        name="AGV1500",
        kind=Kind.MACHINE,
        zh="自动导引车",
        en="Automated guided vehicle",
        property=(
            number("x", "位置X", "Position x", metre, "agvPosition.x", show=True),
            number("y", "位置Y", "Position y", metre, "agvPosition.y", show=True),
            number("theta", "航向", "Heading", Analog("rad", -4, 4, 0.01), "agvPosition.theta"),
            number("velocity", "速度", "Velocity", Analog("m/s", 0, 3, 0.02), "velocity.vx"),
            number(
                "battery_charge",
                "电量",
                "Battery charge",
                _PERCENT,
                "batteryState.batteryCharge",
                show=True,
            ),
            number(
                "battery_voltage",
                "电池电压",
                "Battery voltage",
                Analog("V", 0, 60, 0.01),
                "batteryState.batteryVoltage",
            ),
            other("charging", "充电中", "Charging", FLAG, "batteryState.charging"),
            other("driving", "行驶中", "Driving", FLAG, "driving"),
            other("paused", "暂停", "Paused", FLAG, "paused"),
            other("loaded", "载货", "Loaded", FLAG, "load.present"),
            other("order_id", "运输任务", "Transport order", TEXT, "orderId", show=True),
            other("order_update", "任务更新号", "Order update", WHOLE, "orderUpdateId"),
            other("last_node", "最近节点", "Last node", TEXT, "lastNodeId", show=True),
            other(
                "last_node_sequence",
                "节点序号",
                "Last node sequence",
                WHOLE,
                "lastNodeSequenceId",
            ),
            other("operating_mode", "运行模式", "Operating mode", TEXT, "operatingMode"),
            number(
                "distance",
                "累计里程",
                "Distance",
                Analog("km", 0, 1e6, 0.01),
                "distanceDriven",
            ),
            number(
                "motor_temperature",
                "驱动电机温度",
                "Drive temperature",
                _HALL,
                "drive.temperature",
            ),
            other("errors", "错误数", "Errors", WHOLE, "errorCount"),
        ),
    )


def line_type() -> TypeDef:
    """A production line as the MES's dispatch table shows it (row ``{row}``)."""

    def number(name: str, zh: str, en: str, quantity: Analog, *, show: bool = False) -> PropertyDef:
        return analog(name, (zh, en), quantity, f"{name}@{{row}}", exposed=show)

    def other(name: str, zh: str, en: str, kind: ValueType, *, show: bool = False) -> PropertyDef:
        return discrete(name, (zh, en), kind, f"{name}@{{row}}", exposed=show)

    return TypeDef(
        name="Line",
        kind=Kind.MACHINE,
        zh="产线",
        en="Production line",
        property=(
            other("order_id", "生产订单", "Order", TEXT, show=True),
            other("lot_id", "批次", "Lot", TEXT, show=True),
            other("product", "产品", "Product", TEXT),
            other("recipe", "工艺", "Recipe", TEXT),
            other("quantity", "计划数量", "Quantity", WHOLE),
            other("produced", "完成数量", "Produced", WHOLE, show=True),
            other("scrap", "废品数量", "Scrap", WHOLE),
            number("progress", "完成率", "Progress", Analog("%", 0, 200)),
            number(
                "first_pass_yield",
                "一次合格率",
                "First-pass yield",
                Analog("%", 0, 100),
                show=True,
            ),
            number("rate", "小时产量", "Parts per hour", Analog("/h", 0, 1e5, 1)),
            other("shift", "班次", "Shift", WHOLE),
        ),
    )
