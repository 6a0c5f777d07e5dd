"""``mingwu label NAME… --out FILE``: labels as PDF or SVG, or one symbol as SVG, DXF, PNG.

Names are resolved as ``mingwu resolve`` does, so any Handle server will do; only public values are
printed. Templates, font and addresses come from ``--config`` where that file is there. With
``--symbol`` the file holds the symbol of one name alone; DXF and PNG always do.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mingwu.cli.lab import DEFAULT_CONFIG
from mingwu.cli.language import language
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.client.showing import check
from mingwu.identity.marking import drawings
from mingwu.identity.marking.contents import Content, text_for
from mingwu.identity.marking.filling import is_simulated
from mingwu.identity.marking.lettering import Lettering
from mingwu.identity.marking.settings import MarkingSettings
from mingwu.identity.marking.sheets import Sheets, pdf, svg_page
from mingwu.identity.marking.symbols import Symbology, make_symbol
from mingwu.identity.marking.templates import BUILT_IN, chosen
from mingwu.identity.records import Record
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

_MOST_LABELS = 20_000
_TEXTS = {
    "done": (
        "{count} label(s) on {pages} page(s): {files}",
        "{count} 张标签，共 {pages} 页：{files}",
    ),
    "left": ("left out {name}: {fault}", "未打印 {name}：{fault}"),
    "symbol": ("{symbology} of {name}: {file}", "{name} 的 {symbology}：{file}"),
}


class _House(NamedTuple):
    settings: MarkingSettings
    base_url: str
    gs1_root: str


def configure(parser: argparse.ArgumentParser) -> None:
    ids = ", ".join(one.id for one in BUILT_IN)
    parser.add_argument("names", nargs="*", help="identifiers; “-” reads them from standard input")
    parser.add_argument("--out", type=Path, required=True, help="FILE.pdf, .svg, .dxf or .png")
    parser.add_argument("--template", default="a4-24", help=f"label template: {ids}, or an own one")
    parser.add_argument("--symbol", type=Symbology, help="only this symbol: qr, datamatrix, …")
    parser.add_argument("--content", type=Content, default=Content.AUTO, help="what it says")
    parser.add_argument("--module-mm", type=float, default=0.5, help="size of a module")
    parser.add_argument("--bar-mm", type=float, default=12.0, help="height of bars")
    parser.add_argument("--inverse", action="store_true", help="light modules are drawn")
    parser.add_argument("--skip", type=int, default=0, help="labels already used on the first page")
    parser.add_argument("--skip-faulty", action="store_true", help="leave out what has no mark")
    parser.add_argument("--url", default="", help="public address of the console")
    parser.add_argument("--server", default="127.0.0.1:2641", help="HOST[:PORT] that resolves")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="node's file")


def run(arguments: argparse.Namespace) -> int:
    """Write the file, tell what is in it."""
    names = [*_names(arguments.names)]
    if not 0 < len(names) <= _MOST_LABELS:
        raise InvalidInput("marking.too-many", count=len(names), most=_MOST_LABELS)
    house = _house(arguments)
    records = asyncio.run(_records(names, arguments.server))
    alone = arguments.symbol is not None or arguments.out.suffix in {".dxf", ".png"}
    return _symbol(arguments, house, records) if alone else _sheets(arguments, house, records)


def _names(given: Iterable[str]) -> Iterable[str]:
    for name in given:
        if name == "-":
            yield from filter(None, map(str.strip, sys.stdin))
        else:
            yield name


def _house(arguments: argparse.Namespace) -> _House:
    if not arguments.config.is_file():
        return _House(MarkingSettings(), arguments.url, "")
    from mingwu.node.config import load
    from mingwu.node.identityweb import gs1_root

    config = load(arguments.config)
    return _House(config.marking, arguments.url or config.console.public_url, gs1_root(config))


async def _records(names: list[str], server: str) -> list[Record]:
    found = []
    for name in names:
        result = await resolve(name, server)
        check(result, server)
        found.append(Record(result.handle, result.values))
    return found


def _sheets(arguments: argparse.Namespace, house: _House, records: list[Record]) -> int:
    sheets = Sheets(
        chosen(house.settings.templates, arguments.template),
        records,
        base_url=house.base_url,
        gs1_root=house.gs1_root,
        skip=arguments.skip,
        faulty_too=not arguments.skip_faulty,
    )
    lettering = Lettering(house.settings.font_file)
    out: Path = arguments.out
    if out.suffix == ".pdf":
        files = [out]
        out.write_bytes(pdf(sheets, lettering))
    elif out.suffix == ".svg":
        many = sheets.pages > 1
        files = [out.with_stem(f"{out.stem}-{n + 1}") if many else out for n in range(sheets.pages)]
        for number, file in enumerate(files):
            file.write_text(svg_page(sheets, number, lettering), "utf-8")
    else:
        raise InvalidInput(
            "input.invalid",
            path="--out",
            fault=Phrase("a .pdf, .svg, .dxf or .png file", "应为 .pdf、.svg、.dxf 或 .png 文件"),
        )
    for one in sheets.left_out:
        print(_say("left", name=one.name, fault=one.error.text(language())), file=sys.stderr)
    named = ", ".join(map(str, files[:3])) + (" …" if len(files) > len(files[:3]) else "")
    print(_say("done", count=len(sheets.labels), pages=sheets.pages, files=named))
    return 1 if sheets.left_out else 0


def _symbol(arguments: argparse.Namespace, house: _House, records: list[Record]) -> int:
    if len(records) != 1:
        raise InvalidInput(
            "input.invalid",
            path="NAME",
            fault=Phrase("one name for one symbol", "一个码图只能对应一个标识"),
        )
    record = records[0]
    symbology = arguments.symbol or Symbology.DATAMATRIX
    text = text_for(
        record, arguments.content, symbology, base_url=house.base_url, gs1_root=house.gs1_root
    )
    symbol = make_symbol(symbology, text)
    size = drawings.Size(
        module_mm=arguments.module_mm, bar_mm=arguments.bar_mm, inverse=arguments.inverse
    )
    simulated = is_simulated(record)
    ending = arguments.out.suffix
    if ending == ".dxf":
        data = drawings.dxf(symbol, size, simulated=simulated).encode()
    elif ending == ".png":
        data = drawings.png(symbol, size, simulated=simulated)
    elif ending == ".svg":
        data = drawings.svg(symbol, size, text, simulated=simulated).encode()
    else:
        raise InvalidInput(
            "input.invalid",
            path="--out",
            fault=Phrase("a symbol is .svg, .dxf or .png", "码图应为 .svg、.dxf 或 .png"),
        )
    arguments.out.write_bytes(data)
    print(_say("symbol", symbology=symbology, name=record.name, file=arguments.out))
    return 0


def _say(key: str, **words: object) -> str:
    return _TEXTS[key][language() == "zh"].format(**words)
