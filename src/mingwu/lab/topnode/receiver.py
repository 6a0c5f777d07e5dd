"""The simulated top node's receiver: validates sync and monitoring tables, keeps deposits.

A message counts once (by its number and node), is checked row by row against the declared tables,
and is written down before it is acknowledged. Bodies must be signed by an admitted node.
"""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from mingwu.identity.secondlevel.synctables import TABLES
from mingwu.identity.secondlevel.upstream import ESCROW_PATH, HEADERS, SYNC_PATH
from mingwu.lab.topnode.journal import append, lines
from mingwu.lab.topnode.settings import KnownNode
from mingwu.trust import sm2

_MOST_BYTES = 2**30 + 4096
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,200}\.(sealed|sig|json)")


class TableMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a table as it comes in."""

    id: int
    table: str
    node: str
    period: str
    made_at: str
    rows: list[dict[str, Any]]


class Receiver:
    """Tables and deposits of admitted nodes (by appId), kept under ``directory``."""

    def __init__(self, directory: Path, nodes: Mapping[str, KnownNode]) -> None:
        self._directory = directory
        self._nodes = nodes
        self._log = directory / "received.jsonl"
        self._seen: set[tuple[str, int]] = set()
        self.rows: Counter[str] = Counter()
        self.refused: list[str] = []
        self.deposits: dict[str, list[str]] = {}
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._writing = asyncio.Lock()
        self._load()

    def _load(self) -> None:
        (self._directory / "escrow").mkdir(parents=True, exist_ok=True)
        for line in lines(self._log):
            kept = msgspec.json.decode(line, type=TableMessage)
            self._seen.add((kept.node, kept.id))
            self.rows[kept.table] += len(kept.rows)
        for node in self._nodes.values():
            folder = self.folder(node.prefix)
            found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
            self.deposits[node.prefix] = [path.stem for path in found]

    def folder(self, prefix: str) -> Path:
        """Where a node's deposits lie."""
        folder = self._directory / "escrow" / prefix
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def start(self, host: str, port: int, more: Iterable[web.RouteDef] = ()) -> Self:
        """Listen; ``more`` are routes of other services on the same port."""
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_post(SYNC_PATH + "/{table}", self._table)
        app.router.add_post(ESCROW_PATH + "/{name}", self._deposit)
        app.router.add_get("/state", self._state)
        app.router.add_routes(more)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def close(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _body(self, request: web.Request) -> tuple[KnownNode, bytes]:
        body = await request.read()
        node = self._nodes.get(request.headers.get(HEADERS["app"], ""))
        if node is None or request.headers.get(HEADERS["prefix"]) != node.prefix:
            raise web.HTTPUnauthorized(text="not an admitted node")
        try:
            signature = bytes.fromhex(request.headers.get(HEADERS["signature"], ""))
        except ValueError as error:
            raise web.HTTPUnauthorized(text="signature is not hex") from error
        signed = request.path.encode() + b"\n" + body
        point = bytes.fromhex(node.public_key)
        if not await asyncio.to_thread(sm2.verify, point, signed, signature):
            raise web.HTTPUnauthorized(text="signature is wrong")
        return node, body

    async def _table(self, request: web.Request) -> web.Response:
        node, body = await self._body(request)
        fault = ""
        try:
            message = msgspec.json.decode(body, type=TableMessage)
            fault = _fault(message, node, request.match_info["table"])
        except msgspec.DecodeError as error:
            fault = str(error)
        if fault:
            self.refused.append(fault)
            raise web.HTTPUnprocessableEntity(text=fault)
        async with self._writing:  # a sender that lost patience may send twice at once
            if (message.node, message.id) not in self._seen:
                await asyncio.to_thread(append, self._log, msgspec.json.encode(message))
                self._seen.add((message.node, message.id))
                self.rows[message.table] += len(message.rows)
        return web.json_response({"acknowledged": message.id})

    async def _deposit(self, request: web.Request) -> web.Response:
        node, body = await self._body(request)
        name = request.match_info["name"]
        if not _FILE.fullmatch(name) or not name.startswith(node.prefix + "_"):
            raise web.HTTPUnprocessableEntity(text="bad file name")
        await asyncio.to_thread(_store, self.folder(node.prefix) / name, body)
        if name.endswith(".json"):
            kept = self.deposits.setdefault(node.prefix, [])
            if (id_ := name.removesuffix(".json")) not in kept:
                kept.append(id_)
        return web.json_response({"acknowledged": name})

    async def _state(self, request: web.Request) -> web.Response:
        del request
        shown = {"simulated": True, "rows": self.rows, "deposits": self.deposits,
                 "refused": self.refused[-20:]}  # fmt: skip
        return web.json_response(shown)


def _fault(message: TableMessage, node: KnownNode, table: str) -> str:
    """What is wrong with a message, empty when nothing is."""
    declared = TABLES.get(table)
    if declared is None or message.table != table:
        return f"unknown table {table}"
    if message.node != node.prefix:
        return f"{message.node} is not {node.prefix}"
    if message.period != declared.period.value:
        return f"{table} is {declared.period.value}"
    for at, row in enumerate(message.rows):
        try:
            msgspec.convert(row, declared.row)
        except msgspec.ValidationError as error:
            return f"{table} row {at}: {error}"
    return ""


def _store(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
