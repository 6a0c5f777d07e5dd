"""The data template of active carriers (type 1, 主动标识载体), the same on either kind of node.

Its item types are the names that values have in the record (``MW.…`` is kept for the name service,
so a carrier's own are called ``carrier.…``). ``t9.*`` items are the fields that the
second-level node owes the top node for each active carrier (annex 1, table T9). What a carrier was
provisioned with beyond these items stands as one JSON value in :data:`MORE`.
"""

from collections.abc import Mapping

import msgspec

from mingwu.identity.carriers.registrar import OWNER_TYPE, SIMULATED_TYPE
from mingwu.identity.enterprise.model import (
    ACTIVE_CARRIER,
    MAX_VALUE_CHARS,
    Industry,
    Item,
    TemplateDef,
)
from mingwu.kernel.plant import Kind

VERSION = "CARRIER-1.0"
SERIAL, STATE, SIMULATED, MORE = (
    "carrier.serial",
    "carrier.state",
    "carrier.simulated",
    "carrier.attributes",
)

_ITEMS = (
    (SERIAL, "载体序列号", "Serial number"),
    (STATE, "载体状态", "State"),
    (OWNER_TYPE, "所有者", "Owner"),
    ("DESC.zh", "说明", "Description (zh)"),
    ("DESC.en", "英文说明", "Description (en)"),
    (SIMULATED, "仿真数据", "Simulated"),
    ("t9.terminal_type", "终端类型", "Terminal type"),
    ("t9.terminal_owner", "终端所属单位", "Terminal owner"),
    ("t9.terminal_use", "终端用途", "Terminal use"),
    ("t9.terminal_serial", "终端序列号或 IMEI", "Terminal serial number or IMEI"),
    ("t9.access_licence", "进网许可证号", "Network access licence number"),
    ("t9.licence_mark", "进网标志扰码", "Licence mark code"),
    ("t9.licence_serial", "进网标志序列号", "Licence mark serial number"),
    ("t9.product_type", "产品类别", "Product type"),
    ("t9.brand", "品牌", "Brand"),
    ("t9.product", "产品名称", "Product"),
    ("t9.maker", "生产企业", "Maker"),
    ("t9.made_on", "生产日期", "Made on"),
    ("t9.expires_on", "有效期至", "Expires on"),
)
_RENAMED = {SIMULATED_TYPE: SIMULATED}
_KNOWN = frozenset(kind for kind, _, _ in _ITEMS)


def template(prefix: str) -> TemplateDef:
    """The template under ``prefix``."""
    items = [
        Item(type=kind, name_zh=zh, name_en=en, required=kind == SERIAL, max_length=1000)
        for kind, zh, en in _ITEMS
    ]
    items.append(
        Item(type=MORE, name_zh="其他属性", name_en="Attributes", max_length=MAX_VALUE_CHARS)
    )
    return TemplateDef(
        prefix=prefix,
        version=VERSION,
        handle=handle(prefix),
        name_zh="主动标识载体",
        name_en="Active identifier carrier",
        type=ACTIVE_CARRIER,
        kind=Kind.MACHINE,
        industry=Industry(category="C", division="39"),
        items=tuple(items),
    )


def handle(prefix: str) -> str:
    """The template's own identifier."""
    return f"{prefix}/META_{VERSION}"


def item_values(serial: str, values: Mapping[str, str]) -> dict[str, str]:
    """Values by item type; whatever has no item of its own is gathered in one."""
    given = {_RENAMED.get(kind, kind): text for kind, text in values.items()}
    known = {kind: text for kind, text in given.items() if kind in _KNOWN}
    more = {kind: text for kind, text in given.items() if kind not in _KNOWN}
    found = known | {SERIAL: serial, STATE: "registered"}
    if more:
        found[MORE] = msgspec.json.encode(more, order="sorted").decode()
    return found
