"""What the argument parser finds wrong, in the terminal's language."""

import argparse
import re
from typing import NoReturn

from mingwu.cli.language import language

_WRONG_USAGE = 2
_SENTENCES = tuple(
    (re.compile(pattern, re.DOTALL), zh)
    for pattern, zh in (
        (r"the following arguments are required: (.+)", r"缺少参数：\1"),
        (r"unrecognized arguments: (.+)", r"无法识别的参数：\1"),
        (r"one of the arguments (.+) is required", r"须给出其中之一：\1"),
        (r"ambiguous option: (.+?) could match (.+)", r"选项 \1 不明确，可能是 \2"),
        (r"argument (.+?): not allowed with argument (.+)", r"参数 \1 不能与 \2 同时使用"),
        (r"argument (.+?): expected one argument", r"参数 \1 需要一个值"),
        (r"argument (.+?): expected at least one argument", r"参数 \1 至少需要一个值"),
        (r"argument (.+?): expected (\d+) arguments?", r"参数 \1 需要 \2 个值"),
        (r"argument (.+?): ignored explicit argument (.+)", r"参数 \1 不带值，却给出了 \2"),
        (
            r"argument (.+?): invalid choice: (.+?) \(choose from (.+)\)",
            r"参数 \1：没有 \2，可选 \3",
        ),
        (r"argument (.+?): invalid int value: (.+)", r"参数 \1：\2 不是整数"),
        (r"argument (.+?): invalid float value: (.+)", r"参数 \1：\2 不是数"),
        (r"argument (.+?): invalid \S+ value: (.+)", r"参数 \1：不允许的值 \2"),
        (r"argument (.+?): a number of years, at most (\d+)", r"参数 \1：应为年数，最多 \2"),
        (r"argument (.+?): (.+)", r"参数 \1：\2"),
    )
)


def told(message: str, lang: str) -> str:
    """The parser's sentence in ``lang``; one not known here stays as it is."""
    if lang == "zh":
        for pattern, zh in _SENTENCES:
            found = pattern.fullmatch(message)
            if found:
                return found.expand(zh)
    return message


class Parser(argparse.ArgumentParser):
    """An argument parser that speaks Chinese where the terminal does; so do its subcommands."""

    def error(self, message: str) -> NoReturn:
        """Usage, what is wrong, and the way to the help; exit status 2."""
        zh = language() == "zh"
        usage = self.format_usage()
        if zh:
            usage = usage.replace("usage: ", "用法：", 1)
        help_ = f"{self.prog} --help"
        step = f"全部参数见 `{help_}`" if zh else f"See `{help_}` for all arguments"
        self.exit(_WRONG_USAGE, f"{usage}{self.prog}: {told(message, language())}\n  → {step}\n")
