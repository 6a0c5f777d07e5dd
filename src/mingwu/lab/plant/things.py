"""The things of one replica: every device under its name, with place, relations and connection.

All of them carry ``simulated``: the mark is set by the driver on every value and stays on it.
"""

from collections.abc import Iterator

from msgspec import structs

from mingwu.kernel.plant import Kind
from mingwu.lab.layout import UTILITIES as UTILITY_LOADS
from mingwu.lab.layout import Unit
from mingwu.lab.plant.connections import Connections
from mingwu.lab.plant.milling import PROGRAM_RECIPE, monitoring
from mingwu.lab.plant.places import (
    LOGISTICS,
    MILLING,
    OFFICE,
    UTILITIES,
    assembly_line,
    casting_cell,
    casting_line,
    milling_line,
)
from mingwu.registry.model import ConnectionDef, RelationDef, RelationKind, ThingDef

DOCUMENTS = "https://docs.jiangzhou.example"
AGV_SLICE = "SLC.AGV.01"  # the network slice that the vehicles use


def relation(kind: RelationKind, target: str) -> RelationDef:
    """A relation."""
    return RelationDef(kind=kind, target=target)


def things(links: Connections) -> Iterator[ThingDef]:
    """Devices and lines of one replica."""
    yield from _casting(links)
    yield from _milling(links)
    yield from _assembly(links)
    yield from _vehicles(links)
    yield from _mes(links)
    yield from _meters(links)


def line_ids(links: Connections) -> tuple[str, str, str]:
    """Identifiers of the replica's casting, machining and assembly line."""
    number = links.layout.replica + 1
    return f"LIN.DC.{number:02d}", f"LIN.MC.{number:02d}", f"LIN.AS.{number:02d}"


def _thing(
    unit: Unit, kind: str, names: tuple[str, str], place: str, connection: ConnectionDef,
    *, variables: dict[str, int | str] | None = None, relations: tuple[RelationDef, ...] = (),
) -> ThingDef:  # fmt: skip
    return ThingDef(
        id=unit.suffix, type=kind, zh=f"{names[0]}{unit.number}号", en=f"{names[1]} {unit.number}",
        place=place, documentation=f"{DOCUMENTS}/{kind}", simulated=True,
        variables=variables or {}, connection=connection, relation=relations,
    )  # fmt: skip


def _casting(links: Connections) -> Iterator[ThingDef]:
    layout = links.layout
    line = line_ids(links)[0]
    for cell in layout.cells():
        place = casting_cell(layout, cell.number)
        # The second cell's PLC is of another make: it sends the low word first.
        order = "cdab" if cell.number % 2 == 0 else "abcd"
        yield _thing(
            cell, "DCM2500", ("压铸单元", "Die-casting cell"), place, links.modbus(cell),
            variables={"order": order},
            relations=(
                relation(RelationKind.PART_OF, line),
                relation(RelationKind.USES, "PRC.DC-EAH3.r07"),
                relation(RelationKind.FEEDS, layout.xray.suffix),
            ),
        )  # fmt: skip
        number = layout.mould(cell)
        yield ThingDef(
            id=f"MLD.M{number:04d}", type="Mould", zh=f"压铸模具M{number:04d}",
            en=f"Mould M{number:04d}", place=place, documentation=f"{DOCUMENTS}/M{number:04d}",
            simulated=True, variables={"order": order}, connection=links.ride(cell.device),
            codes=(f"(8004)6901234M{number:04d}",),
            relation=(
                relation(RelationKind.MOUNTED_ON, cell.suffix),
                relation(RelationKind.USES, "PRC.DC-EAH3.r07"),
            ),
        )  # fmt: skip
    yield _thing(
        layout.xray, "XRayStation", ("X射线检测站", "X-ray station"), casting_line(layout),
        links.modbus(layout.xray),
        relations=(
            relation(RelationKind.PART_OF, line),
            relation(RelationKind.USES, "ALG.xray.v12"),
            *(relation(RelationKind.INSPECTS, cell.suffix) for cell in layout.cells()),
        ),
    )  # fmt: skip


def _milling(links: Connections) -> Iterator[ThingDef]:
    layout = links.layout
    for machine in layout.machines():
        thing = _thing(
            machine, "MC5X", ("加工中心", "Machining centre"),
            milling_line(layout, machine), links.opcua(machine),
            variables={"node": f"MC{machine.number:02d}"},
            relations=(
                relation(RelationKind.PART_OF, line_ids(links)[1]),
                relation(RelationKind.USES, PROGRAM_RECIPE),
            ),
        )  # fmt: skip
        yield structs.replace(thing, tag=monitoring()) if layout.monitored(machine) else thing


def _assembly(links: Connections) -> Iterator[ThingDef]:
    layout, place = links.layout, assembly_line(links.layout)
    part_of = relation(RelationKind.PART_OF, line_ids(links)[2])
    yield _thing(
        layout.leak, "LT200", ("气密检测仪", "Leak tester"), place, links.mqtt(layout.leak),
        variables={"node": layout.leak.device}, relations=(part_of,),
    )  # fmt: skip
    for unit in layout.nutrunners():
        yield _thing(
            unit, "NR30", ("拧紧轴", "Nutrunner"), place, links.mqtt(unit),
            variables={"node": unit.device}, relations=(part_of,),
        )  # fmt: skip


def _vehicles(links: Connections) -> Iterator[ThingDef]:
    for unit in links.layout.vehicles():
        yield _thing(
            unit, "AGV1500", ("自动导引车", "AGV"), LOGISTICS, links.mqtt(unit),
            variables={"node": unit.device},
            relations=(relation(RelationKind.USES, AGV_SLICE),),
        )  # fmt: skip


def _mes(links: Connections) -> Iterator[ThingDef]:
    layout = links.layout
    mes = layout.mes
    yield ThingDef(
        id=mes.suffix, kind=Kind.MACHINE, zh="制造执行系统", en="Manufacturing execution system",
        place=OFFICE, simulated=True, connection=links.sql(mes),
        documentation=f"{DOCUMENTS}/MES",
    )  # fmt: skip
    number = layout.replica + 1
    names = (("压铸线", "Casting line"), ("机加线", "Machining line"), ("装配线", "Assembly line"))
    at = (casting_line(layout), MILLING, assembly_line(layout))
    for key, line, (zh, en), place in zip(
        ("DC", "MC", "AS"), line_ids(links), names, at, strict=True
    ):
        row = f"{key}{number}"
        yield ThingDef(
            id=line, type="Line", zh=f"{zh}{number}", en=f"{en} {number}", place=place,
            simulated=True, variables={"row": row}, connection=links.ride(mes.device),
            relation=(relation(RelationKind.MAKES, f"ORD.{row}.00001"),),
        )  # fmt: skip


def _meters(links: Connections) -> Iterator[ThingDef]:
    layout = links.layout
    metered = [*layout.cells(), *layout.machines()]
    for index, meter in enumerate(layout.meters()):
        relations: tuple[RelationDef, ...] = ()
        place, zh, en = UTILITIES, "", ""
        if index < len(metered):
            target = metered[index]
            relations = (relation(RelationKind.METERS, target.suffix),)
            zh, en = f"{target.suffix}电能表", f"Meter of {target.suffix}"
        else:
            _, zh_load, en_load, _ = UTILITY_LOADS[index - len(metered)]
            zh, en = f"{zh_load}电能表", f"Meter of {en_load.lower()}"
        yield ThingDef(
            id=meter.suffix, type="EM3P", zh=zh, en=en, place=place,
            documentation=f"{DOCUMENTS}/EM3P", simulated=True,
            connection=links.meter(meter), relation=relations,
        )  # fmt: skip
