"""``mingwu up FILE``: prepare the node, start its processes, keep them alive until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from mingwu.bus.diskguard import DiskGuard
from mingwu.cli.language import language
from mingwu.node import logs
from mingwu.node.config import Config, Role, load
from mingwu.node.platform import Prepared, children, prepare
from mingwu.node.supervisor import Supervisor

PROGRESS_S = 0.2
SLOW_S = 60.0

_TEXTS = {
    "starting": ("Starting {count} processes …", "正在启动 {count} 个进程……"),
    "up": ("  up    {name:<14} after {seconds:.1f} s", "  就绪  {name:<14} {seconds:.1f} 秒"),
    "died": (
        "  died  {name:<14} exit {code}; restarting, see {log}\n        {words}",
        "  退出  {name:<14} 退出码 {code}；正在重启，见 {log}\n        {words}",
    ),
    "hindered": (
        "  wait  {name:<14} {words}\n        {step}",
        "  等待  {name:<14} {words}\n        {step}",
    ),
    "slow": (
        "  still waiting for: {names} (logs in {log})",
        "  仍在等待：{names}（日志在 {log}）",
    ),
    "console": ("\n  Console   {url}", "\n  控制台    {url}"),
    "api": ("  API       {url}/api/docs", "  接口      {url}/api/docs"),
    "resolver": (
        "  Names     {host}:{port} (UDP, TCP), {url}/api/handles/NAME",
        "  标识解析  {host}:{port}（UDP、TCP），{url}/api/handles/标识",
    ),
    "password": (
        "  Log in    {user} / {password}   (shown only now; you choose another at first login)",
        "  登录      {user} / {password}   （仅显示这一次；首次登录后请修改）",
    ),
    "stop": ("\nCtrl-C stops everything.", "\n按 Ctrl-C 停止全部。"),
    "stopping": ("\nStopping …", "\n正在停止……"),
    "stopped": ("Stopped. Your data stays in {data}.", "已停止。数据保留在 {data}。"),
}


def say(key: str, **words: object) -> None:
    """Print a sentence in the terminal's language."""
    print(_TEXTS[key][language() == "zh"].format(**words), flush=True)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="configuration file; see `mingwu sample-config`")


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    return start(load(arguments.file))


def start(config: Config, *, hints: tuple[str, ...] = ()) -> int:
    """Prepare, supervise, report. ``hints`` are printed once everything serves."""
    logs.start("WARNING")
    prepared = prepare(config)
    asyncio.run(_supervise(config, prepared, hints))
    say("stopped", data=config.data)
    return 0


async def _supervise(config: Config, prepared: Prepared, hints: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    supervisor = Supervisor(children(config), config.data / "log")
    running = asyncio.create_task(supervisor.run(stop))
    beside = [asyncio.create_task(_tell(supervisor, config, prepared, hints))]
    if Role.BUS in config.node.roles:
        beside.append(asyncio.create_task(DiskGuard(config.bus_server).run(stop)))
    await stop.wait()
    say("stopping")
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    await running


async def _tell(
    supervisor: Supervisor, config: Config, prepared: Prepared, hints: tuple[str, ...]
) -> None:
    """Follow the children's states; once all are up, say where to look."""
    began = time.monotonic()
    seen: dict[str, str] = {}
    say("starting", count=len(supervisor.status()))
    welcomed = warned = False
    while True:
        for status in supervisor.status():
            if seen.get(status.name) != status.state:
                seen[status.name] = status.state
                if status.state == "up":
                    say("up", name=status.name, seconds=time.monotonic() - began)
                elif status.state == "hindered" and status.hindrance is not None:
                    lang = language()
                    words, step = status.hindrance.text(lang), status.hindrance.next_step(lang)
                    say("hindered", name=status.name, words=words, step=step)
                elif status.state == "down":
                    log = config.data / "log" / f"{status.name}.log"
                    words = _last_words(log)
                    say("died", name=status.name, code=status.exit_code, log=log, words=words)
        waiting = [name for name, state in seen.items() if state != "up"]
        if not waiting and not welcomed:
            welcomed = True
            _welcome(config, prepared, hints)
        if waiting and not welcomed and not warned and time.monotonic() - began > SLOW_S:
            warned = True
            say("slow", names=", ".join(waiting), log=config.data / "log")
        await asyncio.sleep(PROGRESS_S)


def _last_words(log: Path) -> str:
    """The last line a process wrote: mostly the reason it ended."""
    try:
        tail = log.read_bytes()[-4096:].decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(tail) if line.strip()), "")


def _welcome(config: Config, prepared: Prepared, hints: tuple[str, ...]) -> None:
    say("console", url=f"http://{config.console.host}:{config.console.port}")
    if prepared.first_password:
        say("password", user="admin", password=prepared.first_password)
    api = config.api if Role.API in config.node.roles else config.console
    say("api", url=f"http://{api.host}:{api.port}")
    resolver = config.resolver
    say(
        "resolver",
        host=resolver.host,
        port=resolver.port,
        url=f"http://{resolver.host}:{resolver.http_port}",
    )
    for line in hints:
        print(line)
    say("stop")
    sys.stdout.flush()
