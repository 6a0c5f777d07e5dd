"""``mingwu run ROLE --config FILE``: one role in this process; the supervisor's way in."""

import argparse
from pathlib import Path

from mingwu.node.config import Role, load


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=[role.value for role in Role if role is not Role.BUS])
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--name", default="", help="which gateway, for the role gateway")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    from mingwu.node.roles import run_role

    return run_role(Role(arguments.role), load(arguments.config), arguments.name)
