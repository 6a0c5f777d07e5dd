"""Things without sockets: recipes, algorithms, documents, data sets, orders, lots, parts and more.

They are why the plant's names cover physical and virtual things alike; a part answers with the
mould, the shot's cell and the lot it came from. A hot-work permit and a network slice are among
them: with the machines all eleven kinds of objects. No such permit was issued, no such slice is
provided; both are marked simulated like everything here.
"""

from collections.abc import Iterator, Mapping

from msgspec import structs

from mingwu.kernel.plant import Kind
from mingwu.lab.layout import Layout
from mingwu.lab.plant.places import OFFICE
from mingwu.lab.plant.things import AGV_SLICE, DOCUMENTS, relation
from mingwu.registry.model import RelationKind, ThingDef, TypeDef

TYPES = (
    TypeDef(name="Recipe", kind=Kind.PROCESS, zh="工艺", en="Process recipe"),
    TypeDef(name="Algorithm", kind=Kind.ALGORITHM, zh="算法", en="Algorithm"),
    TypeDef(name="Document", kind=Kind.DOCUMENT, zh="文档", en="Document"),
    TypeDef(name="DataSet", kind=Kind.DATA, zh="数据集", en="Data set"),
    TypeDef(name="Order", kind=Kind.ORDER, zh="生产订单", en="Production order"),
    TypeDef(name="Lot", kind=Kind.LOT, zh="批次", en="Lot"),
    TypeDef(name="Product", kind=Kind.PRODUCT, zh="产品", en="Product"),
    TypeDef(name="Part", kind=Kind.PART, zh="零件", en="Part"),
    TypeDef(name="WorkPermit", kind=Kind.PERMIT, zh="特殊作业票", en="Permit for special work"),
    TypeDef(name="NetworkSlice", kind=Kind.SLICE, zh="网络切片", en="Network slice"),
)

_RECIPES = {
    "PRC.DC-EAH3.r07": ("电驱壳体压铸工艺第7版", "Die-casting recipe EAH3, revision 7"),
    "PRC.MC-EAH3.r03": ("电驱壳体加工工艺第3版", "Machining recipe EAH3, revision 3"),
    "PRC.AS-EAH3.r02": ("电驱壳体装配工艺第2版", "Assembly recipe EAH3, revision 2"),
}
HOT_WORK = "PMT.HW.250711.01"
# What the records of these two say beside name, type and place, by item of their templates. A
# permit for hot work of the second level holds 72 hours at most (GB 30871); a slice is named by
# S-NSSAI, service type 2 being low latency (TS 23.501), and mobile robots want 1 to 50 ms
# (TS 22.104).
DETAILS: Mapping[str, Mapping[str, str]] = {
    HOT_WORK: {
        "work": "动火作业",
        "level": "二级",
        "valid_from": "2025-07-11",
        "valid_until": "2025-07-13",
    },
    AGV_SLICE: {"s_nssai": "2-0000A6", "latency_ms": "50", "downlink_mbps": "20"},
}
_PARTS = range(421, 427)
# Of the number range that textbooks print; 2.999 is the arc for examples (X.660).
GTIN = "06901234567892"


def shared() -> Iterator[ThingDef]:
    """What the whole plant has once."""
    kinds = RelationKind
    for name, (zh, en) in _RECIPES.items():
        yield _virtual(name, "Recipe", zh, en, (kinds.MAKES, "PRD.EAH3"))
    yield _virtual(
        "ALG.xray.v12",
        "Algorithm",
        "X射线孔隙判定算法第12版",
        "X-ray porosity grading, version 12",
        (kinds.USES, "DAT.xray.2511"),
    )
    yield _virtual("DAT.xray.2511", "DataSet", "X射线标注图像集", "Labelled X-ray pictures")
    housing = _virtual("PRD.EAH3", "Product", "三合一电驱壳体EAH3", "E-axle housing EAH3")
    yield structs.replace(housing, codes=(f"(01){GTIN}", "2.999.88.101.3"))
    yield _virtual(
        "DOC.DC-EAH3.QP",
        "Document",
        "压铸质量控制计划",
        "Die-casting control plan",
        (kinds.DESCRIBES, "PRC.DC-EAH3.r07"),
    )
    yield _virtual(
        HOT_WORK,
        "WorkPermit",
        "动火作业票250711-01（焊补压铸单元1号护罩）",
        "Hot-work permit 250711-01 (welding a guard of die-casting cell 1)",
        (kinds.BELONGS_TO, "DEV.DCM2500.01"),
    )
    yield _virtual(
        AGV_SLICE, "NetworkSlice", "5G网络切片：自动导引车调度", "5G network slice for the AGVs"
    )


def made(layout: Layout) -> Iterator[ThingDef]:
    """Running orders and lots of one replica, and castings already made there."""
    kinds, number = RelationKind, layout.replica + 1
    recipes = dict(zip(("DC", "MC", "AS"), _RECIPES, strict=True))
    for line, recipe in recipes.items():
        order, lot = f"ORD.{line}{number}.00001", f"LOT.{line}{number}.00001.1"
        yield _virtual(
            order,
            "Order",
            f"生产订单{line}{number}-00001",
            f"Order {line}{number}-00001",
            (kinds.MAKES, "PRD.EAH3"),
            (kinds.USES, recipe),
        )
        yield _virtual(
            lot,
            "Lot",
            f"批次{line}{number}-00001-1",
            f"Lot {line}{number}-00001-1",
            (kinds.BELONGS_TO, order),
        )
    cells = layout.cells()
    for index, serial in enumerate(_PARTS):
        cell = cells[index % len(cells)]
        mark = f"250711.{layout.replica * 100 + serial:05d}"
        part = _virtual(
            f"PRT.EAH3.{mark}",
            "Part",
            f"电驱壳体{serial:05d}",
            f"E-axle housing {serial:05d}",
            (kinds.MADE_BY, cell.suffix),
            (kinds.MADE_FROM, f"MLD.M{layout.mould(cell):04d}"),
            (kinds.BELONGS_TO, f"LOT.DC{number}.00001.1"),
        )
        yield structs.replace(part, codes=(f"(01){GTIN}(21){mark}",))


def _virtual(
    name: str, kind: str, zh: str, en: str, *relations: tuple[RelationKind, str]
) -> ThingDef:
    return ThingDef(
        id=name,
        type=kind,
        zh=zh,
        en=en,
        place=OFFICE,
        simulated=True,
        documentation=f"{DOCUMENTS}/{name}",
        relation=tuple(relation(how, target) for how, target in relations),
    )
