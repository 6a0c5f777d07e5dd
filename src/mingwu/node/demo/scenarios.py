"""The table of the demonstration scenarios; a new one is a module and a line here."""

from pathlib import Path

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import Conflict, NotFound
from mingwu.node.config import Config, load
from mingwu.node.demo import s1, s2, s3
from mingwu.node.demo.scenario import Scenario, Size

SCENARIOS: dict[str, Scenario] = {one.name: one for one in (s1.SCENARIO, s2.SCENARIO, s3.SCENARIO)}

add(
    "demo.unknown-scenario",
    en=("There is no demonstration scenario “{name}”", "Choose one of: {known}."),
    zh=("没有名为“{name}”的演示场景", "可选场景：{known}。"),
)
add(
    "demo.other-scenario",
    en=(
        "{folder} holds another node (“{node}”), not scenario {name}",
        "Give another --folder; --fresh would delete what is there.",
    ),
    zh=(
        "{folder} 中是另一个节点（“{node}”），不是场景 {name}",
        "请用 --folder 另选目录；--fresh 会删除其中的数据。",
    ),
)
add(
    "demo.port-taken",
    en=(
        "Port {port} of {host} is taken by {holder}",
        (
            "End that program, or start with `--folder {other}`: a new demonstration takes free "
            "ports. (Here it is `{key}` in [{section}] of {file}; other files of the folder may "
            "name it, too.)"
        ),
    ),
    zh=(
        "{host} 的端口 {port} 已被{holder}占用",
        (
            "请结束该程序，或加上 `--folder {other}`：新建的演示会选用空闲端口。"
            "（此处由 {file} 的 [{section}] `{key}` 设定；该目录中的其他文件也可能写有此端口。）"
        ),
    ),
)


def find(name: str) -> Scenario:
    """The scenario of this name. Raises NotFound ``demo.unknown-scenario``."""
    try:
        return SCENARIOS[name]
    except KeyError:
        known = ", ".join(SCENARIOS)
        raise NotFound("demo.unknown-scenario", name=name, known=known) from None


def prepare(scenario: Scenario, folder: Path, size: Size) -> Config:
    """Write the scenario's files unless there, and read them.

    Raises Conflict ``demo.other-scenario`` where the folder belongs to something else.
    """
    config = load(scenario.write(folder, size))
    if config.node.name != scenario.node:
        raise Conflict(
            "demo.other-scenario", folder=folder, node=config.node.name, name=scenario.name
        )
    return config
