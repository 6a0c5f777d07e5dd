"""``mingwu handle …``: register and change names at any Handle server, and make keys for it.

Who changes something says who it is: ``--as INDEX:HANDLE`` with ``--key`` (PEM of an RSA, DSA or
SM2 key, HS_PUBKEY) or ``--secret-file`` (HS_SECKEY; without either the secret is asked for).
``--login key|password`` logs in first as the national nodes want it. With ``--root`` the change
goes to the primary site of the name's prefix. Exit status: 0 done, 1 refused or unreachable, 2
wrong usage.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from mingwu.cli import handlekeys, handlevalues, roots
from mingwu.cli.handlewords import next_step, say
from mingwu.identity.client import adminclient
from mingwu.identity.client.adminclient import Asking
from mingwu.identity.client.certified import home_servers
from mingwu.identity.client.credentials import (
    Credentials,
    SecretCredentials,
    credentials,
)
from mingwu.identity.client.handleclient import connected, parse_server, resolve
from mingwu.identity.client.root import admin_server, home_of
from mingwu.identity.client.sessionclient import open_session
from mingwu.identity.client.showing import check
from mingwu.identity.lookup import prefix_of
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.wire.handle.jsonform import data_to_json, value_to_json
from mingwu.wire.handle.site import encode_site
from mingwu.wire.handle.values import HandleValue

Deed = Callable[[argparse.Namespace, Asking, Credentials], Awaitable[None]]


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (what, _) in _CHANGES.items():
        action = actions.add_parser(name, help=what, description=what)
        action.add_argument(
            "name", help="identifier, or prefix" if "home" in name else "identifier"
        )
        if name in {"create", "add", "modify"}:
            handlevalues.configure(action)
        if name == "remove":
            action.add_argument("indexes", nargs="+", help="indexes of the values")
        if name in {"create", "add"}:
            action.add_argument("--overwrite", action="store_true", help="replace what is there")
        if name == "create":
            action.add_argument("--mint", action="store_true", help="the server makes the suffix")
        action.add_argument("--dry-run", action="store_true", help="show what would be sent")
        _identity(action)
    for name, what in (
        ("list", "names under a prefix"),
        ("prefixes", "prefixes that the server is responsible for"),
        ("read", "values of a name, with the restricted ones that you may read"),
        ("login", "prove an identity to a national node, and nothing else"),
    ):
        action = actions.add_parser(name, help=what, description=what)
        if name in {"list", "read"}:
            action.add_argument("name", help="prefix" if name == "list" else "identifier")
        if name == "read":
            action.add_argument("--type", action="append", default=[], help="only of this type")
            action.add_argument("--index", action="append", default=[], type=int, help="only this")
        _identity(action)
    _site(actions.add_parser("site", help="the server's site record, or the sites of a prefix"))
    handlekeys.configure(actions.add_parser("key", help="make a key, and the value to store"))


def _identity(parser: argparse.ArgumentParser) -> None:
    roots.configure(parser)
    parser.add_argument("--as", dest="who", metavar="INDEX:HANDLE", help="who you are")
    held = parser.add_mutually_exclusive_group()
    held.add_argument("--key", type=Path, help="your private key: PEM, or a .bin of Handle tools")
    held.add_argument("--secret-file", type=Path, help="file with your secret (HS_SECKEY)")
    parser.add_argument("--passphrase-file", type=Path, help="file with the key's passphrase")
    parser.add_argument(
        "--encrypt", action="store_true", help="in a session with a Diffie-Hellman key"
    )
    parser.add_argument("--login", choices=["key", "password"], help="log in first (2001, 2000)")


def _site(parser: argparse.ArgumentParser) -> None:
    roots.configure(parser)
    parser.add_argument("name", nargs="?", help="prefix; without it the server's own site")


def run(arguments: argparse.Namespace) -> int:
    """Do it and say what to do next; a server's refusal is an error with its meaning."""
    if arguments.action == "key":
        return handlekeys.run(arguments)
    if arguments.action == "site":
        return asyncio.run(_show_site(arguments))
    values = handlevalues.given(arguments) if "values" in arguments else ()
    if arguments.action == "remove":
        arguments.indexes = tuple(handlevalues.index_of(text) for text in arguments.indexes)
    arguments.values = values
    if getattr(arguments, "dry_run", False):
        return _show_change(arguments)
    who = _credentials(arguments)
    return asyncio.run(_carry_out(arguments, who))


async def _carry_out(arguments: argparse.Namespace, who: Credentials) -> int:
    host, port = parse_server(await _server(arguments))
    async with connected(host, port) as plain:
        client: Asking = plain
        if arguments.encrypt:
            client = await open_session(plain, server_key=await _server_key(arguments, host, port))
        if arguments.login or arguments.action == "login":
            password = arguments.login == "password"
            client.session_id = await adminclient.login(client, who, password=password)
        await _DEEDS[arguments.action](arguments, client, who)
    return 0


async def _server_key(arguments: argparse.Namespace, host: str, port: int) -> bytes:
    """The key of the server by signed answers from the root down; else empty, and said so."""
    _, root = roots.begin(arguments)
    name = getattr(arguments, "name", "")
    if root is not None and name:
        prefix = prefix_of(name) if "/" in name else name
        for server in await home_servers(root, prefix):
            if (server.host, server.port) == (host, port):
                return server.key
    print(say("not-verified", server=f"{host}:{port}"), file=sys.stderr)
    return b""


async def _server(arguments: argparse.Namespace) -> str:
    """Where the request goes: the given server, or the primary site that a root leads to."""
    server, root = roots.begin(arguments)
    if root is None or not getattr(arguments, "name", ""):
        return server
    return await admin_server(root, arguments.name)


def _credentials(arguments: argparse.Namespace) -> Credentials:
    if not arguments.who:
        raise InvalidInput("input.invalid", path="--as", fault=say("identity"))
    who = handlevalues.key_name(arguments.who)
    try:
        if arguments.key:
            held = arguments.key.read_bytes()
            return credentials(who, held, handlekeys.passphrase(arguments, arguments.key, held))
        if arguments.secret_file:
            # An editor's line end at the end of the file is no part of the secret.
            return SecretCredentials(who, arguments.secret_file.read_bytes().rstrip(b"\r\n"))
    except OSError as error:
        path = error.filename or str(arguments.key or arguments.secret_file)
        raise InvalidInput("input.invalid", path=path, fault=told(error)) from error
    return SecretCredentials(who, getpass.getpass(say("ask-secret", who=who)).encode())


def _printed(values: tuple[HandleValue, ...]) -> None:
    content = [value_to_json(value) for value in values]
    print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def _show_change(arguments: argparse.Namespace) -> int:
    server, root = roots.begin(arguments)
    who = arguments.who or say("nobody")
    print(say("dry", server=arguments.root if root else server, who=who))
    print(f"{arguments.action} {arguments.name}")
    if arguments.action == "remove":
        print(*arguments.indexes)
    if arguments.values:
        _printed(arguments.values)
    next_step("next-send")
    return 0


# -- what is done -----------------------------------------------------------------------------


def _done(client: Asking, key: str, name: str, what: object = "") -> None:
    print(say(key, name=name, what=what, server=client.server))
    if key not in {"deleted", "homed", "unhomed"}:
        next_step("next-look", name=name, server=client.server)
    if key == "homed":
        next_step("next-create", name=name, server=client.server)


def _indexes(values: tuple[HandleValue, ...]) -> str:
    return ", ".join(str(value.index) for value in values)


async def _create(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    name = await adminclient.create(
        client, who, arguments.name, arguments.values,
        overwrite=arguments.overwrite, mint=arguments.mint,
    )  # fmt: skip
    _done(client, "created", name)
    if not any(fold(value.type) == "HS_ADMIN" for value in arguments.values):
        next_step("next-admin")


async def _add(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    await adminclient.add_values(
        client, who, arguments.name, arguments.values, overwrite=arguments.overwrite
    )
    _done(client, "added", arguments.name, _indexes(arguments.values))


async def _modify(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    await adminclient.modify_values(client, who, arguments.name, arguments.values)
    _done(client, "modified", arguments.name, _indexes(arguments.values))


async def _remove(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    await adminclient.remove_values(client, who, arguments.name, arguments.indexes)
    _done(client, "removed", arguments.name, ", ".join(map(str, arguments.indexes)))


async def _delete(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    await adminclient.delete(client, who, arguments.name)
    _done(client, "deleted", arguments.name)


async def _home(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    homed = arguments.action == "home"
    await adminclient.home_prefix(client, who, arguments.name, homed=homed)
    _done(client, "homed" if homed else "unhomed", arguments.name)


async def _list(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    names = await adminclient.list_names(client, who, prefix_of(arguments.name))
    sys.stdout.writelines(f"{name}\n" for name in names)
    print(say("listed", count=len(names), name=arguments.name), file=sys.stderr)


async def _read(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    values = await adminclient.read_values(
        client, who, arguments.name, arguments.index, arguments.type
    )
    _printed(values)


async def _prefixes(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    del arguments
    names = await adminclient.list_prefixes(client, who)
    sys.stdout.writelines(f"{name}\n" for name in names)
    print(say("prefixes", count=len(names), server=client.server), file=sys.stderr)


async def _logged_in(arguments: argparse.Namespace, client: Asking, who: Credentials) -> None:
    del arguments
    print(say("logged-in", server=client.server, who=who.who))


_CHANGES: dict[str, tuple[str, Deed]] = {
    "create": ("register a name", _create),
    "add": ("add values to a name", _add),
    "modify": ("replace values of a name", _modify),
    "remove": ("remove values of a name", _remove),
    "delete": ("deregister a name", _delete),
    "home": ("make the server responsible for a prefix", _home),
    "unhome": ("take a prefix from the server", _home),
}
_DEEDS: dict[str, Deed] = {
    **{name: deed for name, (_, deed) in _CHANGES.items()},
    "list": _list,
    "read": _read,
    "prefixes": _prefixes,
    "login": _logged_in,
}


async def _show_site(arguments: argparse.Namespace) -> int:
    server, root = roots.begin(arguments)
    if arguments.name:
        prefix = prefix_of(arguments.name) if "/" in arguments.name else arguments.name
        found = (
            await home_of(root, prefix)
            if root
            else await resolve(f"0.NA/{prefix}", server, types=("HS_SITE", "HS_SERV"))
        )
        _printed(check(found, server).values)
        return 0
    async with connected(*parse_server(server)) as client:
        site = await adminclient.site_info(client)
    shown = data_to_json("HS_SITE", encode_site(site))["value"]
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    return 0
