"""``mingwu new-driver NAME``: the folder, sample and tests a new field driver starts from.

What it writes runs: a driver that reads a counter of its own, passes the conform suite's rules for
construction and compilation, and shows each place to replace.
"""

import argparse
import re
from pathlib import Path

from mingwu.cli.language import either
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, InvalidInput

FILES = {
    "src/mingwu/field/{name}/__init__.py": '"""{title} driver."""\n',
    "src/mingwu/field/{name}/settings.py": '''"""Settings of a {title} device."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class {cls}Settings(Settings, frozen=True, kw_only=True):
    """How to reach one device."""

    # Host name or address of the device.
    host: str
    # TCP port of the device.
    port: Annotated[int, Meta(ge=1, le=65535)] = 4000
    # A request unanswered after this time counts as lost, ms.
    timeout_ms: Annotated[int, Meta(ge=10)] = 1000
''',
    "src/mingwu/field/{name}/driver.py": '''"""{title} driver.

Addresses: a decimal register number. One request reads one register; say here which clause of
which standard defines the frame, and put the frame's codec into ``mingwu.wire.{name}``.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mingwu.field.base import DriverKind, mark
from mingwu.field.{name}.settings import {cls}Settings
from mingwu.kernel.batch import U32, Columns
from mingwu.kernel.catalogue import Phrase, add
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import GOOD

add(
    "{name}.bad-address",
    en=("“{{address}}” of tag {{tag}} is not a register number", "Write a decimal number, e.g. 7."),
    zh=("点位 {{tag}} 的地址“{{address}}”不是寄存器号", "请写十进制数，例如 7。"),
)
add(
    "{name}.lost",
    en=("The device at {{endpoint}} does not answer: {{fault}}", "Check power, cable and address."),
    zh=("设备 {{endpoint}} 无应答：{{fault}}", "请检查供电、线缆和地址。"),
)


@dataclass(frozen=True)
class Plan:
    """Tag numbers and their registers, in request order."""

    tag: U32
    registers: tuple[int, ...]


class {cls}Driver:
    """Reads registers of one device."""

    def __init__(self, settings: {cls}Settings, simulated: bool) -> None:
        self._settings = settings
        self._simulated = simulated
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def compile(self, tags: Sequence[TagSpec]) -> Plan:
        """Check the addresses. Raises ConfigError ``{name}.bad-address``."""
        for tag in tags:
            if not tag.address.isdecimal():
                raise ConfigError("{name}.bad-address", address=tag.address, tag=tag.name)
        numbers = np.array([tag.number for tag in tags], np.uint32)
        return Plan(numbers, tuple(int(tag.address) for tag in tags))

    async def open(self) -> None:
        """Connect. Raises Unavailable ``{name}.lost``."""
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                self._link = await asyncio.open_connection(
                    self._settings.host, self._settings.port
                )
        except (OSError, TimeoutError) as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Disconnect; may be called twice."""
        if self._link is not None:
            self._link[1].close()
            self._link = None

    async def read(self, plan: Plan) -> Columns:
        """One line per register: ask ``R<number>``, get a decimal value."""
        if self._link is None:
            raise self._lost(ConnectionError("not open"))
        reader, writer = self._link
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                writer.write(b"".join(b"R%d\\n" % register for register in plan.registers))
                lines = [await reader.readuntil(b"\\n") for _ in plan.registers]
                values = np.array([float(line) for line in lines])
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            raise self._lost(error) from error
        columns = Columns(
            plan.tag,
            np.full(len(plan.tag), time.time_ns(), np.int64),
            values,
            np.full(len(plan.tag), GOOD, np.uint8),
        )
        return mark(columns, simulated=self._simulated)

    def _lost(self, error: BaseException) -> Unavailable:
        endpoint = f"{{self._settings.host}}:{{self._settings.port}}"
        fault = str(error) or "no answer"
        return Unavailable("{name}.lost", endpoint=endpoint, fault=fault)


KIND = DriverKind(
    name="{name}",
    settings={cls}Settings,
    create={cls}Driver,
    line=lambda settings: f"{name}:{{settings.host}}:{{settings.port}}",
)
''',
    "src/mingwu/field/{name}/README.md": """# {title}

What it speaks (standard, clause), which devices were tried, what it does not do.

## Addresses
A decimal register number, e.g. `7`.

## Sample
See [sample.toml](sample.toml).
""",
    "src/mingwu/field/{name}/sample.toml": """name = "device1"
thing = "88.888.101/DEV.SAMPLE.1"
driver = "{name}"

[settings]
host = "127.0.0.1"
port = 4000

[[tags]]
number = 1
thing = "88.888.101/DEV.SAMPLE.1"
name = "temperature"
address = "7"
unit = "Cel"
""",
    "tests/story/field/{name}/test_{name}.py": '''"""{title} driver, against a peer on loopback."""

import asyncio

import pytest

from mingwu.field.{name}.driver import KIND
from mingwu.field.{name}.settings import {cls}Settings
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import is_simulated

pytestmark = pytest.mark.anyio


def tag(address: str) -> TagSpec:
    return TagSpec(number=1, thing="88.888.101/DEV.1", name="t", address=address)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(b"%d\\n" % (int(line[1:]) * 10))
    writer.close()


async def test_reads_a_register_and_keeps_the_simulated_mark():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        driver = KIND.create({cls}Settings(host="127.0.0.1", port=port), True)
        await driver.open()
        columns = await driver.read(driver.compile([tag("7")]))
        await driver.close()
    assert columns.value.tolist() == [70.0]
    assert is_simulated(int(columns.quality[0]))


async def test_nobody_there_is_unavailable():
    driver = KIND.create({cls}Settings(host="127.0.0.1", port=1), False)
    with pytest.raises(Unavailable):
        await driver.open()


def test_bad_address_is_a_configuration_fault():
    driver = KIND.create({cls}Settings(host="h"), False)
    with pytest.raises(ConfigError, match="not a register"):
        driver.compile([tag("x")])
''',
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="lower-case letters and digits, e.g. iec104")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="checkout to write into")


def run(arguments: argparse.Namespace) -> int:
    """Write the files; refuses to touch an existing driver."""
    name = arguments.name
    if not re.fullmatch(r"[a-z][a-z0-9]{1,30}", name):
        raise InvalidInput(
            "input.invalid",
            path="name",
            fault=Phrase("lower-case letters and digits only", "只能用小写字母和数字"),
        )
    folder = arguments.root / "src" / "mingwu" / "field" / name
    if folder.exists():
        raise Conflict(
            "input.invalid",
            path=str(folder),
            fault=Phrase("this driver exists already", "该驱动已存在"),
        )
    for pattern, text in FILES.items():
        path = arguments.root / pattern.format(name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name, cls=name.capitalize(), title=name.upper()), "utf-8")
        print(f"  wrote {path.relative_to(arguments.root)}")
    test = f"./dev test tests/story/field/{name}"
    print(
        either(
            f"\nNext: {test} — then replace the toy protocol by yours.",
            f"\n下一步：{test}，然后将示例协议换成您的协议。",
        )
    )
    return 0
