"""Demo data: templates for the things of plant S1, and the things registered through this node.

The things come as thing cards (what the registry tells the resolver), so the demo registers
whatever stands in the plant file; each kind of object has a template of its own. Running it again
registers what is new and leaves the rest alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from mingwu.identity.enterprise.imports.importing import ImportReport
from mingwu.identity.enterprise.model import (
    Actor,
    DataType,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind, ThingCard

_VERSION = "1.0"
_PARTS = Industry(category="C", division="36", group="367", class_="3670")
_FOUNDRY = Industry(category="C", division="34", group="342", class_="3423")
_SOFTWARE = Industry(category="I", division="65", group="651", class_="6513")
SEEDER = Actor(name="seed", may_all=True)

# kind: industry, names, items beside those every template has
_KINDS: dict[Kind, tuple[Industry, str, str, tuple[Item, ...]]] = {
    Kind.MACHINE: (_FOUNDRY, "设备", "Machine", (
        Item(type="asset_number", name_zh="资产编号", name_en="Asset number", restricted=True),
        Item(type="commissioned", name_zh="投用日期", name_en="Put into use",
             data_type=DataType.DATE),
    )),
    Kind.PRODUCT: (_PARTS, "产品", "Product", (
        Item(type="drawing", name_zh="图号", name_en="Drawing"),
    )),
    Kind.PART: (_PARTS, "零件", "Part", (
        Item(type="lot", name_zh="批次标识", name_en="Lot", data_type=DataType.IDENTIFIER),
        Item(type="mass_kg", name_zh="质量", name_en="Mass", data_type=DataType.NUMBER, low=0,
             high=1000, decimals=3, unit="kg"),
        Item(type="inspector", name_zh="检验员", name_en="Inspector", restricted=True),
    )),
    Kind.PROCESS: (_PARTS, "工艺", "Process", (
        Item(type="revision", name_zh="版次", name_en="Revision"),
    )),
    Kind.ALGORITHM: (_SOFTWARE, "算法", "Algorithm", (
        Item(type="model_version", name_zh="模型版本", name_en="Model version"),
    )),
    Kind.DATA: (_SOFTWARE, "数据", "Data set", (
        Item(type="records", name_zh="记录数", name_en="Records", data_type=DataType.NUMBER, low=0,
             decimals=0),
    )),
    Kind.ORDER: (_PARTS, "订单", "Order", (
        Item(type="customer", name_zh="客户", name_en="Customer", restricted=True),
        Item(type="quantity", name_zh="数量", name_en="Quantity", data_type=DataType.NUMBER, low=0,
             decimals=0),
    )),
    Kind.LOT: (_PARTS, "批次", "Lot", (
        Item(type="made_on", name_zh="生产日期", name_en="Made on", data_type=DataType.DATE),
    )),
    Kind.PERMIT: (_PARTS, "作业票", "Work permit", (
        Item(type="work", name_zh="作业类别", name_en="Kind of work"),
        Item(type="level", name_zh="作业级别", name_en="Level"),
        Item(type="valid_from", name_zh="有效期自", name_en="Valid from",
             data_type=DataType.DATE),
        Item(type="valid_until", name_zh="有效期至", name_en="Valid until",
             data_type=DataType.DATE),
    )),
    Kind.DOCUMENT: (_PARTS, "文档", "Document", (
        Item(type="sha256", name_zh="摘要", name_en="Digest", max_length=64),
    )),
    Kind.SLICE: (_SOFTWARE, "网络切片", "Network slice", (
        Item(type="s_nssai", name_zh="切片标识", name_en="S-NSSAI"),
        Item(type="latency_ms", name_zh="时延上限", name_en="Latency at most",
             data_type=DataType.NUMBER, low=0, unit="ms"),
        Item(type="downlink_mbps", name_zh="下行带宽", name_en="Downlink",
             data_type=DataType.NUMBER, low=0, unit="Mbit/s"),
    )),
}  # fmt: skip


def templates(prefix: str) -> Iterator[TemplateDef]:
    """One template per kind of object, under ``prefix``."""
    for kind, (industry, zh, en, items) in _KINDS.items():
        yield TemplateDef(
            prefix=prefix,
            version=version_of(kind),
            name_zh=f"{zh}模板",
            name_en=f"{en} template",
            kind=kind,
            industry=industry,
            classify="s1",
            description="演示模板 / demo template",
            items=(
                Item(type="name", name_zh="名称", name_en="Name", required=True),
                Item(type="name_en", name_zh="英文名称", name_en="English name"),
                Item(type="model", name_zh="型号", name_en="Model", required=True),
                Item(type="place", name_zh="位置", name_en="Place"),
                Item(
                    type="manual",
                    name_zh="说明书",
                    name_en="Manual",
                    data_type=DataType.URL,
                    max_length=1000,
                ),
                *items,
            ),
        )


def version_of(kind: Kind) -> str:
    """The template version of a kind."""
    return f"S1-{kind.value.upper()}-{_VERSION}"


def seed_s1(
    node: EnterpriseNode,
    cards: Sequence[ThingCard],
    *,
    details: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    actor: Actor = SEEDER,
    filed_share: float = 0.9,
) -> ImportReport:
    """Register the things of the plant; the first ``filed_share`` of them are filed, too.

    Things under foreign prefixes are left out. ``details``: what the record of a name says beside
    what its card does, by suffix. Returns what was done, as an import report.
    """
    prefixes = {fold(prefix) for prefix in node.settings.prefixes}
    own = [card for card in cards if fold(card.id.partition("/")[0]) in prefixes]
    for prefix in sorted({card.id.partition("/")[0] for card in own}):
        _ensure_templates(node, prefix, actor)
    report = ImportReport(dry=False, faults=[])
    for batch in _batches(own, node.settings.batch_items):
        report.rows += len(batch)
        known = node.register.values_of([card.id for card in batch])
        items = [_registration(card, details) for card in batch if fold(card.id) not in known]
        report.unchanged += len(batch) - len(items)
        results = node.registrations.register(items, actor=actor)
        good = [result.name for result in results if result.ok]
        report.registered += len(good)
        report.refused += len(items) - len(good)
        filed = good[: round(len(good) * filed_share)]
        node.registrations.file(filed, actor=actor, note="仿真备案 / simulated filing")
    return report


def _ensure_templates(node: EnterpriseNode, prefix: str, actor: Actor) -> None:
    for definition in templates(prefix):
        try:
            node.templates.get(TemplateRef(prefix, definition.version))
        except NotFound:
            node.templates.create(definition, actor=actor.name, publish=True)


def _registration(card: ThingCard, details: Mapping[str, Mapping[str, str]]) -> Registration:
    values = {
        "name": card.name_zh or card.name_en or card.id,
        "name_en": card.name_en,
        "model": card.type or card.kind.value,
        "place": card.place,
        "manual": card.documentation,
    }
    prefix, _, suffix = card.id.partition("/")
    values |= details.get(suffix, {})
    return Registration(
        name=card.id,
        template=TemplateRef(prefix, version_of(card.kind)),
        values={kind: text for kind, text in values.items() if text},
        kind=card.kind,
    )


def _batches(cards: Iterable[ThingCard], size: int) -> Iterator[list[ThingCard]]:
    iterator = iter(cards)
    while batch := list(islice(iterator, size)):
        yield batch
