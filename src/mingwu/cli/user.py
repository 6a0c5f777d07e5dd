"""``mingwu user …``: accounts, from the machine the node runs on (first days and bad days)."""

import argparse
from pathlib import Path

from mingwu.cli.language import either
from mingwu.node.config import load
from mingwu.trust.passwords import generate_password
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["list", "add", "reset-password", "disable", "enable"])
    parser.add_argument("name", nargs="?", help="account")
    parser.add_argument("--role", choices=[role.value for role in Role], default="viewer")
    parser.add_argument("--config", type=Path, required=True, help="configuration file")


def run(arguments: argparse.Namespace) -> int:
    """Passwords are generated and printed once; they must be changed at the next login."""
    trust = Trust.open(load(arguments.config).trust)
    try:
        if arguments.action == "list":
            for account in trust.accounts.list():
                state = "" if account.enabled else either("  (disabled)", "  （已停用）")
                print(f"{account.name:<24} {account.role.value}{state}")
            return 0
        if not arguments.name:
            command = f"mingwu user {arguments.action}"
            print(either(f"{command} needs an account name", f"{command} 需要账号名"))
            return 2
        _change(trust, arguments)
        trust.journal.append("cli", f"account.{arguments.action}", arguments.name)
    finally:
        trust.close()
    return 0


def _change(trust: Trust, arguments: argparse.Namespace) -> None:
    name: str = arguments.name
    if arguments.action == "disable":
        trust.accounts.set_enabled(name, enabled=False)
        print(
            either(
                f"{name} may no longer log in; open sessions were ended",
                f"{name} 已不能登录，现有会话已结束",
            )
        )
    elif arguments.action == "enable":
        trust.accounts.set_enabled(name, enabled=True)
        print(either(f"{name} may log in again", f"{name} 可以重新登录"))
    else:
        if arguments.action == "add":
            password = generate_password()
            trust.accounts.create(name, password, Role(arguments.role), must_change=True)
        else:
            password = trust.accounts.reset_password(name)
        print(
            f"{name} / {password}   "
            + either(
                "(shown only now; to be changed at the next login)",
                "（仅显示这一次；下次登录须修改）",
            )
        )
