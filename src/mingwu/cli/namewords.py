"""Words of ``mingwu names``, English and Chinese."""

from mingwu.cli.language import language
from mingwu.identity.enterprise.imports.importing import Outcome
from mingwu.identity.enterprise.imports.jobs import JobState

_TEXTS = {
    "which": (
        "mingwu names import needs a FILE, or --source NAME",
        "mingwu names import 需要文件，或 --source 名称",
    ),
    "mapping": ("mapping {name}: template {template}, column names in row {head}",
                "映射 {name}：模板 {template}，列名在第 {head} 行"),
    "identifier": ("identifier", "标识编码"),
    "stopping": ("it stops after this batch …", "本批完成后停止…"),
    "progress": ("{state}: {rows} of about {total} rows, {rate} rows/s, {refused} refused",
                 "{state}：{rows} / 约 {total} 行，{rate} 行/秒，被拒绝 {refused}"),
    "ended": ("import {job}: {state} in {seconds} s", "导入 {job}：{state}，用时 {seconds} 秒"),
    "nothing": ("  nothing was stored; it would be", "  未写入任何数据，预计结果"),
    "row": ("  row {row}  {name}: {text}", "  第 {row} 行  {name}：{text}"),
    "written": ("all refused rows are in {file}", "全部被拒绝的行已写入 {file}"),
    "next.again": ("Next: run the same command again; nothing is registered twice.",
                   "下一步：重新运行同一命令，不会重复注册。"),
    "next.faults": ("Next: correct those rows and import the table again (--faults FILE has all).",
                    "下一步：改正这些行后重新导入（--faults 文件 可输出全部）。"),
    "next.import": ("Next: the same without --dry-run.", "下一步：去掉 --dry-run 再运行。"),
    "next.done": ("Next: mingwu resolve NAME, or /names in the console.",
                  "下一步：mingwu resolve 标识，或在控制台打开 /names。"),
    "columns": ("no.|when|table|what|state|rows|registered|changed|refused|by",
                "编号|时间|数据|类型|状态|行数|已注册|已变更|被拒绝|操作人"),
    "dry": ("dry run", "试运行"),
    "real": ("import", "导入"),
    "none": ("Nothing was imported yet. Next: mingwu names import FILE --template T --dry-run …",
             "尚无导入记录。下一步：mingwu names import 文件 --template 模板 --dry-run …"),
    "more": ("… and {count} before", "… 另有 {count} 条更早的记录"),
    "nomapping": ("No mapping is kept. Next: mingwu names import FILE --template T --save NAME …",
                  "尚未保存映射。下一步：mingwu names import 文件 --template 模板 --save 名称 …"),
}  # fmt: skip

STATES = {
    JobState.WAITING: ("waiting", "等待中"),
    JobState.RUNNING: ("running", "进行中"),
    JobState.DONE: ("done", "已完成"),
    JobState.CANCELLED: ("cancelled", "已取消"),
    JobState.FAILED: ("failed", "失败"),
    JobState.INTERRUPTED: ("interrupted", "已中断"),
}
OUTCOMES = {
    Outcome.REGISTERED: ("registered", "已注册"),
    Outcome.CHANGED: ("changed", "已变更"),
    Outcome.UNCHANGED: ("unchanged", "内容相同"),
    Outcome.SKIPPED: ("skipped", "已跳过"),
    Outcome.DUPLICATE: ("repeated rows", "重复行"),
    Outcome.REFUSED: ("refused", "被拒绝"),
}


def say(key: str, **words: object) -> str:
    """A sentence in the terminal's language."""
    return _TEXTS[key][language() == "zh"].format(**words)
