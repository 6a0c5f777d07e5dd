"""``mingwu usage verify FILES --key PEM``: count an exported usage log again, from outside.

The sealed segments and the node's public key are all that is needed; nothing is asked of the node.
"""

import argparse
from pathlib import Path

import msgspec

from mingwu.cli.language import language
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

_TEXTS = {
    "sound": (
        "{segments} segments are as sealed and signed by {keys}, in an unbroken row; head {head}",
        "{segments} 个日志段均与封存和签名（{keys}）一致，前后相接；末段摘要 {head}",
    ),
    "unsound": ("The log is NOT sound: {count} finding(s)", "日志不可信：发现 {count} 处问题"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["verify"])
    parser.add_argument("files", nargs="+", type=Path, help="sealed segments (.mwu)")
    parser.add_argument("--key", type=Path, required=True, help="the node's public-key.pem")
    parser.add_argument(
        "--known", action="append", default=[], help="NUMBER=SHA256 noted earlier, repeatable"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the statistics as JSON when the log is sound, else the findings; 1 for those."""
    try:
        key = arguments.key.read_bytes()
        done = reaggregate(arguments.files, key, known=_known(arguments.known))
    except OSError as error:
        raise InvalidInput("input.invalid", path=error.filename, fault=told(error)) from error
    zh = language() == "zh"
    if not done.sound:
        for finding in done.findings:
            print(f"  {finding.file}: {finding.fault}")
        print(_TEXTS["unsound"][zh].format(count=len(done.findings)))
        return 1
    print(msgspec.json.format(msgspec.json.encode(done.report), indent=2).decode())
    print(
        _TEXTS["sound"][zh].format(
            segments=done.segments, head=done.head, keys=", ".join(done.key_ids) or "—"
        )
    )
    return 0


def _known(words: list[str]) -> dict[int, str]:
    known = {}
    for word in words:
        number, sign, digest = word.partition("=")
        if not sign or not number.isdecimal():
            raise InvalidInput(
                "input.invalid",
                path=word,
                fault=Phrase("write it as NUMBER=SHA256", "请写成 段号=SHA256"),
            )
        known[int(number)] = digest.lower()
    return known
