"""``mingwu lab …``: faults of the simulated plant, and its plant file.

mingwu lab fault list
mingwu lab fault start die-temperature-drift M0187 k_per_min=1.5
mingwu lab fault stop die-temperature-drift M0187
mingwu lab plant-file > plant.toml
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from mingwu.cli.language import either, language
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.lab.control import send_fault
from mingwu.node.config import load

DEFAULT_CONFIG = Path(".run/demo/mingwu.toml")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["fault", "plant-file"])
    parser.add_argument("action", nargs="?", choices=["list", "start", "stop"], default="list")
    parser.add_argument("name", nargs="?", default="", help="fault, e.g. dead-device")
    parser.add_argument("target", nargs="?", default="", help="device, mould or identifier")
    parser.add_argument("parameter", nargs="*", help="NAME=VALUE of the fault")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="of the running demo")


def run(arguments: argparse.Namespace) -> int:
    """Talk to the plant's control, or print the plant file of the configured plant."""
    config = load(arguments.config)
    if arguments.what == "plant-file":
        from mingwu.lab.plant.s1 import plant_file
        from mingwu.registry import plantfile

        sys.stdout.write(plantfile.dump(plant_file(config.lab)))
        return 0
    answer = send_fault(
        f"{config.lab.host}:{config.lab.control_port}",
        arguments.name,
        arguments.target,
        arguments.action,
        **_parameters(arguments.parameter),
    )
    _show(answer)
    return 0


def _parameters(words: list[str]) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise InvalidInput(
                "input.invalid", path=word, fault=Phrase("write it as NAME=VALUE", "请写成 名称=值")
            )
        try:
            found[key] = float(value)
        except ValueError:
            found[key] = value
    return found


def _show(answer: dict[str, Any]) -> None:
    if "known" not in answer:
        print(" ".join(f"{key}={value}" for key, value in answer.items()))
        return
    for fault in answer["known"]:
        title = fault.get(language(), "")
        parameters = " ".join(f"{k}={v}" for k, v in fault.get("parameters", {}).items())
        print(f"  {fault['name']:<24} {title}  {parameters}")
        if targets := fault.get("targets"):
            print(f"  {'':<24} {' '.join(targets[:8])}{' …' if len(targets) > 8 else ''}")  # noqa: PLR2004
    active = answer.get("active", [])
    at_work = either("at work:", "正在进行的故障：")
    print(f"\n{at_work if active else either('no fault is at work', '当前没有故障')}")
    for fault in active:
        print(f"  {fault['name']} → {fault['target']}")
    print(
        either(
            "Next: mingwu lab fault start NAME TARGET", "下一步：mingwu lab fault start 名称 对象"
        )
    )
