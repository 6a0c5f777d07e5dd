"""``mingwu scan IMAGE``: the symbols of a picture, and what the things they name answer.

Reading happens here, without a node. A name found in a symbol is then resolved at ``--server``,
unless ``--offline``.
"""

import argparse
import asyncio
from pathlib import Path

from mingwu.cli.language import language
from mingwu.identity.client.handleclient import Resolution, resolve
from mingwu.identity.marking.reading import Seen, decode, reading_of
from mingwu.identity.marking.settings import MarkingSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, MingwuError

_TEXTS = {
    "nothing": ("No symbol was found in {file}", "未在 {file} 中找到码"),
    "next": (
        "Take the picture closer, sharper, without glare.",
        "请靠近拍摄，保持清晰，避免反光。",
    ),
    "unknown": ("not registered at {server}", "未在 {server} 注册"),
    "simulated": ("simulated", "仿真"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, help="PNG, JPEG, WebP, GIF or BMP")
    parser.add_argument("--server", default="127.0.0.1:2641", help="HOST[:PORT] that resolves")
    parser.add_argument("--offline", action="store_true", help="only read, ask nobody")


def run(arguments: argparse.Namespace) -> int:
    """Print each symbol; 1 when there is none."""
    settings = MarkingSettings()
    try:
        data = arguments.image.read_bytes()
    except OSError as error:
        fault = told(error)
        raise InvalidInput("input.invalid", path=str(arguments.image), fault=fault) from error
    found = decode(data, most_bytes=settings.image_bytes, most_pixels=settings.image_pixels)
    if not found:
        print(_say("nothing", file=arguments.image))
        print(f"  → {_say('next')}")
        return 1
    for seen in found:
        print(f"{seen.symbology}  {seen.shown}")
        for line in _about(seen, arguments):
            print(f"  {line}")
    return 0


def _about(seen: Seen, arguments: argparse.Namespace) -> list[str]:
    code = reading_of(seen.text)
    if code is None:
        return []
    lines = [f"{code.system}: {code.canonical}"]
    if code.fault is not None:
        return [*lines, code.fault.text(language())]
    if arguments.offline or code.system not in {"vaa", "handle"}:
        return lines
    try:
        answer = asyncio.run(resolve(code.canonical, arguments.server))
    except MingwuError as error:
        return [*lines, error.text(language())]
    if not answer.ok:
        return [*lines, _say("unknown", server=arguments.server)]
    return [*lines, *_texts(answer)]


def _texts(answer: Resolution) -> list[str]:
    texts = {value.type: value.text() for value in answer.values}
    wanted = ("DESC.zh", "DESC.en") if language() == "zh" else ("DESC.en", "DESC.zh")
    mark = f" ({_say('simulated')})" if texts.get("MW.SIMULATED") == "true" else ""
    lines = [next((texts[kind] for kind in wanted if kind in texts), answer.handle) + mark]
    return [*lines, *filter(None, [texts.get("LOCATION"), texts.get("URL")])]


def _say(key: str, **words: object) -> str:
    return _TEXTS[key][language() == "zh"].format(**words)
