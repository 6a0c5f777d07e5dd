"""Entry point of the command line: finds the subcommand, turns errors into sentences.

A subcommand is a module of this package with ``configure(parser)`` and ``run(arguments) -> int``,
named in :data:`COMMANDS`. Only the chosen module is imported, so the first line appears at once.
Exit status: 0 done, 1 the request failed, 2 wrong usage.
"""

import os
import sys
from importlib import import_module

from mingwu import __version__
from mingwu.cli.language import language
from mingwu.cli.parser import Parser
from mingwu.kernel.catalogue import Phrase, add
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, MingwuError

add(
    "cli.file",
    en=("{file} cannot be used: {fault}", "Check the path, the rights and the disk."),
    zh=("无法使用文件 {file}：{fault}", "请检查路径、权限和磁盘空间。"),
)

COMMANDS = {
    "demo": Phrase(
        "start the platform with a simulated plant and print where to look",
        "启动平台与模拟工厂，并告知访问地址",
    ),
    "up": Phrase(
        "start the platform described by a configuration file",
        "按配置文件启动平台",
    ),
    "run": Phrase(
        "run one role of the platform in this process (the supervisor calls this)",
        "在本进程中运行平台的一个角色（由监管进程调用）",
    ),
    "check": Phrase(
        "find every fault of a configuration or plant file",
        "检查配置文件或工厂文件，列出全部错误",
    ),
    "status": Phrase(
        "show the processes and counters of a running platform",
        "查看运行中平台的进程与计数",
    ),
    "resolve": Phrase(
        "ask a resolver what stands behind a name",
        "解析标识，查看其背后的记录与实时数据",
    ),
    "handle": Phrase(
        "register and change names at any Handle server; make keys for it",
        "在任意 Handle 服务器上注册和变更标识；生成密钥",
    ),
    "iiidap": Phrase(
        "ask who stands behind a prefix, an enterprise or an identifier, by bootstrap",
        "经引导文件查询前缀、企业或标识由谁持有",
    ),
    "secondlevel": Phrase(
        "ask data of all enterprises of a second-level node at once; link their nodes",
        "跨企业统一查询二级节点数据；接入企业节点",
    ),
    "names": Phrase(
        "import names from a table or a database; list imports and mappings",
        "从表格或数据库导入标识；查看导入记录与映射",
    ),
    "label": Phrase(
        "print labels or one symbol for names: SVG, PDF, DXF, PNG",
        "打印标识的标签或码图：SVG、PDF、DXF、PNG",
    ),
    "scan": Phrase(
        "read the symbols in a picture and tell which things they name",
        "识读图片中的码，并说明所指的对象",
    ),
    "epc": Phrase(
        "what an RFID tag carries: keys, URIs, hexadecimal",
        "解读 RFID 标签：编码键、URI、十六进制",
    ),
    "carrier": Phrase(
        "personalise an active carrier, run the reference agent in it, look at it",
        "制备主动标识载体、运行其参考代理、查看载体",
    ),
    "template": Phrase(
        "list, show, compare, export and import data templates",
        "列出、查看、比较、导出和导入数据模板",
    ),
    "usage": Phrase(
        "check an exported usage log and count it again",
        "校验导出的解析日志并重新统计",
    ),
    "plant": Phrase(
        "import or export the plant: things, types, tags, devices",
        "导入或导出工厂：对象、类型、点位、设备",
    ),
    "lab": Phrase(
        "inject faults into the simulated plant; write its plant file",
        "在模拟工厂中注入故障；写出其工厂文件",
    ),
    "user": Phrase(
        "list accounts, add one, set a password",
        "列出账号、新增账号、设置密码",
    ),
    "journal": Phrase(
        "who did what: list, export for an auditor, verify",
        "审计日志：查看、导出、校验",
    ),
    "backup": Phrase(
        "copy what a node keeps while it runs",
        "在运行中备份节点的全部数据",
    ),
    "restore": Phrase(
        "put a copy in the place of what a stopped node has",
        "用备份恢复已停止的节点",
    ),
    "sample-config": Phrase(
        "print a configuration file with every setting explained",
        "输出配置文件样例，逐项说明",
    ),
    "reference": Phrase(
        "write the reference pages that are made from code",
        "生成由代码导出的参考文档",
    ),
    "new-driver": Phrase(
        "make the folder of a new field driver",
        "新建现场驱动的目录",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in {"--version", "-V"}:
        print(f"mingwu {__version__}")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        return _overview(arguments)
    name, *rest = arguments
    command = import_module(f"mingwu.cli.{name.replace('-', '_')}")
    about = COMMANDS[name]
    parser = Parser(prog=f"mingwu {name}", description=about.zh if language() == "zh" else about.en)
    command.configure(parser)
    try:
        return int(command.run(parser.parse_args(rest)))
    except MingwuError as error:
        return _told(error)
    except OSError as error:
        return _unusable(error)
    except KeyboardInterrupt:
        return 130


def _unusable(error: OSError) -> int:
    """A file that somebody named cannot be used; or `| head` has read enough."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    shown = str(error.filename or "-")[:200]
    return _told(ConfigError("cli.file", file=shown, fault=told(error)))


def _told(error: MingwuError) -> int:
    lang = language()
    print(f"mingwu: {error.text(lang)} [{error.code}]", file=sys.stderr)
    if step := error.next_step(lang):
        print(f"  → {step}", file=sys.stderr)
    return 1


def _overview(arguments: list[str]) -> int:
    wanted = not arguments or arguments[0] in {"help", "-h", "--help"}
    zh = language() == "zh"
    out = sys.stdout if wanted else sys.stderr
    if not wanted:
        unknown = f"没有命令“{arguments[0]}”" if zh else f"there is no command “{arguments[0]}”"
        print(f"mingwu: {unknown}\n", file=out)
    lead = (
        "名实相符，物物可解" if zh else "every thing has a name, every name resolves to live data"
    )
    print(f"Mingwu 名物 — {lead}\n", file=out)
    for name, what in COMMANDS.items():
        print(f"  mingwu {name:<14} {what.zh if zh else what.en}", file=out)
    last = "从 `mingwu demo` 开始；各命令均可加 --help。" if zh else (
        "Start with `mingwu demo`. Each command answers to --help."
    )  # fmt: skip
    print(f"\n{last}", file=out)
    return 0 if wanted else 2
