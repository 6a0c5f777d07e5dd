"""Who the 60 enterprises are, and what the names of their products are.

All made up. The first ones run nodes of their own (motors); the others are hosted (battery packs,
e-drives, charging piles). The first hosted one registers a sixth of all identifiers, and nobody
else ever asks for them. Every name can be told from its number alone, so whoever asks needs no
list.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.lab.enterprises.settings import ENTERPRISES, EnterpriseLabSettings

_FIRST = 1000  # enterprise 7 has the prefix <node>.1007
_REGISTERS_MUCH = 6
_ALPHABET = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_TAIL = bytes(_ALPHABET[at % len(_ALPHABET)] for at in range(256))
ITEMS = ("MW.SIMULATED", "LOCATION", "DESC.zh", "DESC.en")
_PLACES = ("杭州/萧山", "合肥/经开区", "常州/金坛", "宁德/蕉城", "上海/嘉定", "广州/番禺")


@dataclass(frozen=True, slots=True)
class Trade:
    """What some of them make; ``industry`` is a code of GB/T 4754, ``head`` opens the suffix."""

    industry: str
    head: str
    zh: str
    en: str


MOTOR = Trade("C3812", "MTR", "驱动电机", "drive motor")
BATTERY = Trade("C3841", "BAT", "动力电池包", "battery pack")
E_DRIVE = Trade("C3670", "EDU", "电驱动总成", "e-drive")
CHARGER = Trade("C3829", "CHG", "充电桩", "charging pile")
_HOSTED = (E_DRIVE, BATTERY, CHARGER)


@dataclass(frozen=True, slots=True)
class Enterprise:
    """Number 1 to 60; ``names`` is how many identifiers it has."""

    number: int
    prefix: str
    trade: Trade
    mode: Mode
    names: int
    place: str

    @property
    def name(self) -> str:
        """Its name, marked as made up."""
        return f"模拟{self.trade.zh}企业{self.number:02d}"

    def suffix(self, number: int) -> str:
        """What stands behind the slash of its identifier ``number``."""
        head = self.trade.head
        if self.trade is BATTERY:  # the shape of GB/T 34014: 24 characters
            digest = hashlib.blake2b(f"{self.prefix} {number}".encode(), digest_size=16).digest()
            return f"{head}.{number:08d}{digest.translate(_TAIL).decode()}"
        return f"{head}.{number:06d}" if self.trade is MOTOR else f"{head}.2026-{number:08d}"

    def identifier(self, number: int) -> str:
        """Its identifier ``number``, from 0."""
        return f"{self.prefix}/{self.suffix(number)}"


def enterprises(settings: EnterpriseLabSettings) -> list[Enterprise]:
    """All 60 in order: own nodes, then the one that registers much, then the other hosted ones."""
    own, total = settings.own_nodes, settings.identifiers
    hosted = ENTERPRISES - own
    rest = total - total // _REGISTERS_MUCH
    found = [
        _enterprise(settings, at + 1, MOTOR, Mode.OWN, settings.own_names) for at in range(own)
    ]
    found.append(_enterprise(settings, own + 1, E_DRIVE, Mode.HOSTED, total // _REGISTERS_MUCH))
    for at in range(1, hosted):
        share = rest // (hosted - 1) + (at <= rest % (hosted - 1))
        trade = _HOSTED[at % len(_HOSTED)]
        found.append(_enterprise(settings, own + 1 + at, trade, Mode.HOSTED, share))
    return found


def _enterprise(
    settings: EnterpriseLabSettings, number: int, trade: Trade, mode: Mode, names: int
) -> Enterprise:
    prefix = f"{settings.prefix}.{_FIRST + number}"
    return Enterprise(number, prefix, trade, mode, names, _PLACES[number % len(_PLACES)])


def registers_much(all_: Sequence[Enterprise]) -> Enterprise:
    """The tenant whose identifiers nobody else asks for."""
    return next(one for one in all_ if one.mode is Mode.HOSTED)


def form(one: Enterprise, site: SiteForm | None = None) -> ApplicationForm:
    """Its application for a prefix."""
    first = f"91330000MB{one.number:07d}"
    return ApplicationForm(
        prefix=one.prefix,
        organisation=Organisation(
            uscc=first + check_digit(first), name=one.name,
            name_en=f"Simulated {one.trade.en} maker {one.number:02d}",
            industry=one.trade.industry, region="330100", address=f"{one.place}（模拟）",
        ),
        legal_person=Person(name=f"模拟法人{one.number:02d}"),
        contact=Person(name=f"模拟联系人{one.number:02d}", phone=f"0571-8{one.number:07d}"),
        mode=one.mode,
        site=site if one.mode is Mode.OWN else None,
        purpose="模拟数据 / simulated data",
    )  # fmt: skip


def stranger(
    node: str, number: int, mode: Mode = Mode.HOSTED, site: SiteForm | None = None
) -> ApplicationForm:
    """The application of an enterprise to choose, under ``node``; odd numbers make batteries."""
    trade = BATTERY if number % 2 else E_DRIVE
    return form(Enterprise(number, f"{node}.{_FIRST + number}", trade, mode, 0, _PLACES[0]), site)


def described(one: Enterprise, number: int) -> tuple[str, str, str, str]:
    """What its own node tells about product ``number``, in the order of ``ITEMS``."""
    zh, en = one.trade.zh, one.trade.en
    return "true", one.place, f"{zh} {number:06d}（模拟）", f"{en} {number:06d} (simulated)"


def motor_in(one: Enterprise, number: int, own: Sequence[Enterprise]) -> str:
    """The motor, made by another enterprise, that sits in e-drive ``number``."""
    maker = own[(one.number + number) % len(own)]
    return maker.identifier(number % maker.names)


def items(one: Enterprise, own: Sequence[Enterprise], start: int = 0) -> Iterator[HostedItem]:
    """Its identifiers from number ``start`` on, with their values, as they are registered."""
    trade = one.trade
    for number in range(start, one.names):
        values = {
            "MW.SIMULATED": "true",
            "DESC.zh": f"{trade.zh} {number:06d}（模拟）",
            "DESC.en": f"{trade.en} {number:06d} (simulated)",
            "LOCATION": one.place,
            "batch": f"L{number // 500:05d}",
            "t9.product": trade.zh,
            "t9.product_type": trade.head,
        }
        if trade is E_DRIVE and own:
            values["REL.contains"] = motor_in(one, number, own)
        yield HostedItem(name=one.identifier(number), template=f"{one.prefix}/T.1", values=values)
