"""The places of 江洲精密, by the levels of OPC 10030 (IEC 62264)."""

from mingwu.lab.layout import Layout, Unit
from mingwu.registry.model import Level, PlaceDef

SITE = "JZ/P1"
CASTING, MILLING, ASSEMBLY = f"{SITE}/CAST", f"{SITE}/MILL", f"{SITE}/ASSY"
LOGISTICS, UTILITIES, OFFICE = f"{SITE}/LOG", f"{SITE}/UTIL", f"{SITE}/OFFICE"

FIXED = (
    PlaceDef(path="JZ", level=Level.ENTERPRISE, zh="江洲精密", en="Jiangzhou Precision"),
    PlaceDef(path=SITE, level=Level.SITE, zh="江洲一厂", en="Plant 1"),
    PlaceDef(path=CASTING, level=Level.AREA, zh="压铸车间", en="Die-casting shop"),
    PlaceDef(path=MILLING, level=Level.AREA, zh="机加车间", en="Machining shop"),
    PlaceDef(path=ASSEMBLY, level=Level.AREA, zh="装配车间", en="Assembly shop"),
    PlaceDef(path=LOGISTICS, level=Level.AREA, zh="厂内物流", en="In-plant logistics"),
    PlaceDef(path=UTILITIES, level=Level.AREA, zh="公用动力", en="Utilities"),
    PlaceDef(path=OFFICE, level=Level.AREA, zh="生产管理", en="Production management"),
)


def casting_line(layout: Layout) -> str:
    """Path of the replica's casting line."""
    return f"{CASTING}/LINE{layout.replica + 1}"


def casting_cell(layout: Layout, number: int) -> str:
    """Path of a casting cell."""
    return f"{casting_line(layout)}/DC{number:02d}"


def milling_line(layout: Layout, machine: Unit) -> str:
    """Path of a machining centre's line."""
    return f"{MILLING}/LINE{layout.milling_line(machine)}"


def assembly_line(layout: Layout) -> str:
    """Path of the replica's assembly line."""
    return f"{ASSEMBLY}/LINE{layout.replica + 1}"


def places(layout: Layout) -> list[PlaceDef]:
    """Lines and cells of one replica."""
    number = layout.replica + 1
    line = Level.PRODUCTION_LINE
    found = [
        PlaceDef(
            path=casting_line(layout),
            level=line,
            zh=f"压铸{number}线",
            en=f"Casting line {number}",
        )
    ]
    found += [
        PlaceDef(
            path=casting_cell(layout, cell.number),
            level=Level.WORK_CELL,
            zh=f"压铸单元{cell.number}",
            en=f"Casting cell {cell.number}",
        )
        for cell in layout.cells()
    ]
    for path in dict.fromkeys(milling_line(layout, machine) for machine in layout.machines()):
        mark = path.rpartition("LINE")[2]
        found.append(
            PlaceDef(path=path, level=line, zh=f"机加{mark}线", en=f"Machining line {mark}")
        )
    found.append(
        PlaceDef(
            path=assembly_line(layout),
            level=line,
            zh=f"装配{number}线",
            en=f"Assembly line {number}",
        )
    )
    return found
