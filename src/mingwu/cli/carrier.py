"""``mingwu carrier make|renew|run|show DIR``: an active carrier on this machine.

``make`` personalises it with the authority of a node and prints what that node must be told (the
body of ``POST /api/identity/carriers``; with ``--replace`` that of ``…/SERIAL/commands``, for
hardware that takes a carrier's place). ``renew`` gives the same key a new certificate. ``run`` is
the reference agent: each line of standard input, a JSON object of readings, is one observation; it
is on the disk before it is sent and waits there while the platform is away. What the platform says
goes to standard output, a JSON object a line. ``show`` reads the profile. A token's PIN is read
from a file and stands in no argument.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from mingwu.cli.lab import DEFAULT_CONFIG
from mingwu.cli.language import language
from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.buffer import SampleBuffer
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.connecting import Ways
from mingwu.identity.carriers.frames import Readings
from mingwu.identity.carriers.http import Command
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.personalising import (
    KeyMaker,
    Opened,
    Personaliser,
    SealedFiles,
    TokenKeys,
    opened,
)
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.identity.carriers.setup import prepare
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.node.config import load

_MOST_WAITING = 1_000_000
_MOST_YEARS = 50
_FORMS = ("uicc", "chip", "module", "terminal")
_TEXTS = {
    "bad-line": ("left out a line: {fault}", "已忽略一行：{fault}"),
    "waiting": ("{count} observation(s) wait in the carrier", "载体中还有 {count} 条数据待上报"),
    "renewed": (
        "{serial}: renewed. The node learns it at the next contact, or by this body: {place}",
        "{serial}：证书已更新。节点在下次联络时获知，也可将此内容 POST 到 {place}",
    ),
    "replacing": (
        "{serial}: made to replace; the old key is refused once this is sent: POST {place}",
        "{serial}：替换载体已制作。请将此内容 POST 到 {place}，此后旧密钥将被拒绝。",
    ),
    "made": (
        "{serial}: key in {protection}. Tell the node: POST /api/identity/carriers with this body.",
        "{serial}：密钥存于 {protection}。请以此内容 POST 到节点的 /api/identity/carriers。",
    ),
}
_DAY_S, _YEAR_S = 86_400, 365 * 86_400
_read_line = msgspec.json.Decoder(Readings).decode


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("make", help="key, certificate and profile into a folder")
    run_ = actions.add_parser("run", help="report what comes on standard input")
    show = actions.add_parser("show", help="what the carrier knows")
    renew = actions.add_parser("renew", help="a new certificate for the same key")
    for one in (make, renew, run_, show):
        one.add_argument("directory", type=Path, help="the carrier's folder")
    for one in (make, renew):
        one.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the node's file")
        one.add_argument(
            "--years", type=_years, default=5.0, help="how long its certificate is valid"
        )
    make.add_argument("--replace", action="store_true", help="takes a known carrier's place")
    make.add_argument("--serial", required=True, help="serial number")
    make.add_argument("--prefix", required=True, help="prefix of its identifier")
    make.add_argument("--suffix", required=True, help="suffix of its identifier")
    make.add_argument("--platform", required=True, help="https://, mqtts://, mqtt:// or coap://…")
    make.add_argument("--form", choices=_FORMS, default="module", help="what it is built as")
    make.add_argument("--owner", default="", help="whose it is")
    make.add_argument("--holder", default="", help="who has it")
    make.add_argument("--token-module", default="", help="PKCS#11 library; without: sealed file")
    make.add_argument("--token", default="mingwu-carriers", help="label of the token")
    make.add_argument("--pin-file", type=Path, help="file with the user PIN, mode 600")
    run_.add_argument("--tls-ca", default="", help="PEM of the platform's or broker's authority")
    run_.add_argument("--user", default="", help="at the broker")
    run_.add_argument("--password-file", type=Path, help="of that user")


def _years(text: str) -> float:
    try:
        years = float(text)
    except ValueError:
        years = 0.0
    if not 0 < years <= _MOST_YEARS:
        fault = Phrase(f"a number of years, at most {_MOST_YEARS}", f"应为年数，最多 {_MOST_YEARS}")
        raise argparse.ArgumentTypeError(fault)
    return years


def run(arguments: argparse.Namespace) -> int:
    """1 when observations are left waiting or lines were left out."""
    if arguments.action == "make":
        return _make(arguments)
    if arguments.action == "renew":
        return _renew(arguments)
    if arguments.action == "show":
        return _show(arguments.directory)
    return asyncio.run(_run(arguments))


def _say(text: str, **given: object) -> None:
    print(_TEXTS[text][language() == "zh"].format(**given), file=sys.stderr)


def _tell(body: object) -> None:
    print(msgspec.json.encode(body).decode(), flush=True)


def _make(arguments: argparse.Namespace) -> int:
    ways = Ways.of(arguments.platform)
    keys: KeyMaker = SealedFiles()
    if arguments.token_module:
        if arguments.pin_file is None:
            raise InvalidInput(
                "input.invalid",
                path="--pin-file",
                fault=Phrase("a token needs one", "使用令牌时必须给出"),
            )
        keys = TokenKeys(arguments.token_module, arguments.token, arguments.pin_file.absolute())
    authority = prepare(load(arguments.config).data / "secrets").authority
    made = Personaliser(
        authority, arguments.platform, arguments.prefix, int(time.time()), arguments.years,
        ways.kind.value, keys,
    ).open(arguments.directory, arguments.serial, form=arguments.form)  # fmt: skip
    profile = made.profile
    if (profile.serial, profile.prefix) != (arguments.serial, arguments.prefix):
        fault = Phrase(
            f"it is {profile.serial} under {profile.prefix} already",
            f"已是 {profile.prefix} 下的 {profile.serial}",
        )
        raise InvalidInput("input.invalid", path=str(arguments.directory), fault=fault)
    if arguments.replace:
        _tell(_replacement(made))
        _say("replacing", serial=profile.serial, place=_commands(profile.serial))
        return 0
    _tell(
        NewUnit(
            serial=profile.serial, certificate=profile.certificate, prefix=profile.prefix,
            suffix=arguments.suffix, form=profile.form, bearer=profile.bearer,
            owner=arguments.owner, holder=arguments.holder, oscore_secret=made.oscore_secret,
        )
    )  # fmt: skip
    _say("made", serial=profile.serial, protection=profile.protection)
    return 0


def _commands(serial: str) -> str:
    return f"/api/identity/carriers/{serial}/commands"


def _replacement(made: Opened) -> Command:
    return Command(
        action="certificate",
        certificate=made.profile.certificate,
        oscore_secret=made.oscore_secret,
    )


def _renew(arguments: argparse.Namespace) -> int:
    made = opened(arguments.directory)
    now_s = int(time.time())
    certificate = prepare(load(arguments.config).data / "secrets").authority.issue(
        made.profile.serial, made.key.public(), start_s=now_s - _DAY_S,
        end_s=now_s + int(arguments.years * _YEAR_S), protection=made.key.protection,
    )  # fmt: skip
    profile = msgspec.structs.replace(made.profile, certificate=certificate)
    ProfileFile(arguments.directory / "profile.mwp").save(profile)
    _tell(Command(action="certificate", certificate=certificate))
    _say("renewed", serial=profile.serial, place=_commands(profile.serial))
    return 0


def _show(directory: Path) -> int:
    profile = ProfileFile(directory / "profile.mwp").load()
    buffer = SampleBuffer(directory / "buffer.sqlite", _MOST_WAITING)
    try:
        waiting = {"waiting": len(buffer), "dropped": buffer.dropped}
    finally:
        buffer.close()
    shown: dict[str, Any] = {
        name: getattr(profile, name)
        for name in (
            "serial", "identifier", "form", "protection", "bearer", "address", "platform",
            "counter", "sequence", "parameter_version", "parameters", "blocked", "simulated",
        )
    }  # fmt: skip
    end_s = read_certificate(profile.certificate).end_s
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end_s))
    shown |= {"key": profile.key_handle, "certificate_until": until, **waiting}
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
    return 0


async def _run(arguments: argparse.Namespace) -> int:
    directory = arguments.directory
    carrier = await asyncio.to_thread(opened, directory)
    password = arguments.password_file.read_text("utf-8").strip() if arguments.password_file else ""
    ways = Ways.of(
        carrier.profile.address, tls_ca=arguments.tls_ca, user=arguments.user, password=password
    )
    bearer = await asyncio.to_thread(
        ways.open, carrier.profile.serial, directory, carrier.device_secret
    )
    try:
        return await _report_lines(directory, carrier, bearer)
    finally:
        await bearer.close()


async def _report_lines(directory: Path, carrier: Opened, bearer: Any) -> int:
    def accept(parameters: Any) -> str:
        _tell({"parameters": parameters})
        return ""

    agent = CarrierAgent(
        directory, carrier.key, bearer, accept=accept, buffer_samples=_MOST_WAITING
    )
    left_out = 0
    try:
        await _send(agent)
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                agent.measure(_read_line(line))
            except msgspec.DecodeError as error:
                _say("bad-line", fault=error)
                left_out += 1
                continue
            await _send(agent)
        if len(agent.buffer):
            _say("waiting", count=len(agent.buffer))
        return 1 if left_out or len(agent.buffer) else 0
    finally:
        agent.close()


async def _send(agent: CarrierAgent) -> None:
    """Upload what waits; a platform that is away is told of, the observations stay."""
    had = agent.profile.identifier
    try:
        await agent.power_on()
        had = _tell_name(agent, had)
        taken = await agent.report()
    except MingwuError as error:
        lang = language()
        print(f"mingwu: {error.text(lang)} [{error.code}]", file=sys.stderr)
        return
    finally:
        _tell_name(agent, had)
    if taken:
        _tell({"reported": taken})


def _tell_name(agent: CarrierAgent, had: str) -> str:
    name = agent.profile.identifier
    if name != had:
        _tell({"identifier": name})
    return name
