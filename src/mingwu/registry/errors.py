"""Error codes of the registry, and the faults a plant file can have.

A plant file is judged whole: every fault is a :class:`Fault` with its path, and one
:class:`PlantFaults` carries them all, so that a user mends a file in one go.
"""

from collections.abc import Mapping, Sequence

import msgspec

from mingwu.kernel.catalogue import add, render
from mingwu.kernel.errors import ConfigError


class Fault(msgspec.Struct, frozen=True):
    """One fault: ``path`` such as ``$.thing[3].tag[2].address`` and a catalogue code."""

    path: str
    code: str
    params: Mapping[str, object] = {}

    def text(self, lang: str = "en") -> str:
        """The fault as a sentence in ``lang``."""
        return render(self.code, lang, self.params)[0]


class PlantFaults(ConfigError):
    """All faults of one plant file, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        super().__init__(
            "registry.plant-invalid", count=len(self.faults), path=first.path, fault=first.text()
        )

    def as_dict(self, lang: str = "en") -> dict[str, object]:
        """The HTTP body, with the list of faults beside the sentence."""
        body = super().as_dict(lang)
        body["faults"] = [{"path": fault.path, "fault": fault.text(lang)} for fault in self.faults]
        return body

    def text(self, lang: str = "en") -> str:
        """How many faults, and the first one in the reader's language."""
        params = self.params | {"fault": self.faults[0].text(lang)}
        return render(self.code, lang, params)[0]


_MEND = (
    "Mend the file and run `mingwu check FILE` again.",
    "改正文件后重新运行 `mingwu check FILE`。",
)


def _fault(code: str, en: str, zh: str) -> None:
    add(code, en=(en, _MEND[0]), zh=(zh, _MEND[1]))


_fault(
    "registry.plant-invalid",
    "The plant file has {count} fault(s); the first at {path}: {fault}",
    "工厂文件有 {count} 处错误；第一处在 {path}：{fault}",
)
_fault("registry.not-toml", "not TOML: {fault}", "不是合法的 TOML：{fault}")
_fault("registry.unknown-key", "unknown key “{key}”", "未知的键“{key}”")
_fault("registry.missing-key", "key “{key}” is missing", "缺少键“{key}”")
_fault("registry.shape", "{fault}", "{fault}")
_fault("registry.duplicate", "“{name}” stands here a second time", "“{name}”重复出现")
_fault("registry.bad-prefix", "“{name}” is not a prefix", "“{name}”不是合法前缀")
_fault("registry.bad-id", "“{name}” is not an identifier: {fault}", "“{name}”不是合法标识：{fault}")
_fault("registry.no-place", "no place “{name}” is declared", "没有声明位置“{name}”")
_fault("registry.no-type", "no type “{name}” is declared", "没有声明类型“{name}”")
_fault("registry.no-gateway", "no gateway “{name}” is declared", "没有声明网关“{name}”")
_fault("registry.no-target", "no thing “{name}” is known", "没有对象“{name}”")
_fault("registry.no-property", "the type has no property “{name}”", "该类型没有属性“{name}”")
_fault(
    "registry.no-kind", "neither the thing nor its type says the kind", "对象及其类型都没有写明种类"
)
_fault(
    "registry.bad-level",
    "level {level} cannot stand below {parent}",
    "层级 {level} 不能位于 {parent} 之下",
)
_fault("registry.bad-unit", "“{unit}” is not a UCUM unit", "“{unit}”不是 UCUM 单位")
_fault("registry.bad-range", "low {low} is not below high {high}", "下限 {low} 不小于上限 {high}")
_fault(
    "registry.no-range",
    "a deadband in percent needs low and high",
    "百分比死区需要同时给出下限和上限",
)
_fault("registry.bad-url", "“{url}” is not an http(s) address", "“{url}”不是 http(s) 地址")
_fault(
    "registry.bad-template", "address template “{address}”: {fault}", "地址模板“{address}”：{fault}"
)
_fault("registry.no-address", "the tag has no address", "点位没有地址")
_fault(
    "registry.tag-key",
    "a tag says either “property” (of its type) or “name” (its own)",
    "点位必须且只能写“property”（类型的属性）或“name”（自有点位）之一",
)
_fault(
    "registry.no-connection",
    "tags need a connection, and this thing has none",
    "点位需要连接，而该对象没有 connection",
)
_fault(
    "registry.no-driver",
    "no thing gives device “{device}” of gateway “{gateway}” a driver",
    "网关“{gateway}”的设备“{device}”没有任何对象为其指定驱动",
)
_fault(
    "registry.two-drivers",
    "device “{device}” of gateway “{gateway}” has its driver from {owner} already",
    "网关“{gateway}”的设备“{device}”已由 {owner} 指定驱动",
)
_fault(
    "registry.bad-repeat",
    "repeat ends ({last}) before it begins ({first})",
    "repeat 的终点 {last} 小于起点 {first}",
)
_fault(
    "registry.no-repeat",
    "a repeated property needs “{{i}}” in its name",
    "重复属性的名称中需要“{{i}}”",
)

add(
    "registry.owned",
    en=(
        "{what} “{name}” belongs to plant “{plant}”",
        "Use another name, or change it in that plant's file.",
    ),
    zh=("{what}“{name}”属于工厂“{plant}”", "请换一个名称，或在该工厂的文件中修改。"),
)
add(
    "registry.unknown",
    en=("No {what} is called {name}", "Check the spelling, or list what there is."),
    zh=("没有名为 {name} 的 {what}", "请核对拼写，或列出现有内容。"),
)
add(
    "registry.bad-csv",
    en=("Line {line}: {fault}", "Correct the table (UTF-8, header in the first line) and retry."),
    zh=("第 {line} 行：{fault}", "请改正表格（UTF-8，首行为表头）后重试。"),
)
add(
    "registry.bad-sort",
    en=("The table cannot be sorted by “{key}”", "Sort by one of: {known}."),
    zh=("不能按“{key}”排序", "可用的排序列：{known}。"),
)
