"""The enterprise node behind an own resolver: templates, names, façades for existing systems.

Two of the enterprises offer the SNMS and IDHub façades, so that the second-level node's unified
queries can ask them. The first has made an application identity with the second-level node's public
key and lets it read; the second has not, and refuses.
"""

import asyncio
from contextlib import ExitStack, suppress
from pathlib import Path

from starlette.applications import Starlette

from mingwu.api.serve import serve
from mingwu.api.settings import ApiSettings
from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.facades import idhub, snms
from mingwu.identity.enterprise.model import (
    Actor,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Conflict
from mingwu.lab.enterprises.trade import ITEMS, Enterprise, described
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.passwords import generate_password
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings

_BOSS = Actor(name="simulated enterprise", may_all=True)
_PARTNER = "second-level-node"
_TYPES = ("simulated", *ITEMS[1:])  # types of the name service are no items of templates


def application(one: Enterprise) -> str:
    """The identity under which the second-level node comes to an enterprise."""
    return f"{one.prefix}/App_query"


class Facade:
    """One enterprise's node over the record store that its resolver answers from. Blocks."""

    def __init__(self, one: Enterprise, records: RecordStore, directory: Path) -> None:
        self.enterprise, self._records = one, records
        directory.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        with self._stack:
            store = StoreSettings(url=sqlite_url(directory / "trust.db"), durable=False)
            self._trust = Trust.open(TrustSettings(store=store))
            self._stack.callback(self._trust.close)
            store = StoreSettings(url=sqlite_url(directory / "enterprise.db"), durable=False)
            settings = EnterpriseSettings(store=store, prefixes=(one.prefix,))
            self._node = EnterpriseNode.open(settings, records)
            self._stack.callback(self._node.close)
            self._fill()
            self._stack = self._stack.pop_all()

    def close(self) -> None:
        """Give the stores back."""
        self._stack.close()

    def _fill(self) -> None:
        """Template and names, and the account of the second-level node, unless they are there."""
        one = self.enterprise
        handle = f"{one.prefix}/T.1"
        template = TemplateDef(
            prefix=one.prefix, version="T.1", handle=handle, name_zh=f"{one.trade.zh}（模拟）",
            industry=Industry(category="C", division="38", group="381", class_="3812"),
            items=tuple(Item(type=kind) for kind in _TYPES),
        )  # fmt: skip
        with suppress(Conflict):  # from an earlier start
            self._node.templates.create(template, actor=_BOSS.name, publish=True)
        with suppress(Conflict):
            self._trust.accounts.create(_PARTNER, generate_password(), Role.VIEWER)
        if self._records.count_names(one.prefix) >= one.names:
            return
        names = [
            Registration(
                name=one.identifier(number), template=TemplateRef(handle=handle),
                values=dict(zip(_TYPES, described(one, number), strict=True)),
            )
            for number in range(one.names)
        ]  # fmt: skip
        self._node.registrations.register(names, actor=_BOSS)

    def admit(self, public_key: str) -> None:
        """Let whoever has the key (PEM) read as :func:`application`."""
        name = application(self.enterprise)
        with suppress(Conflict):  # from an earlier start
            self._node.applications.create(
                name, login=name, account=_PARTNER, public_key=public_key
            )

    async def run(self, port: int, stop: asyncio.Event) -> None:
        """Serve the façades until ``stop``."""
        services = EnterpriseServices(
            node=self._node, accounts=self._trust.accounts, sessions=self._trust.sessions
        )
        app = Starlette(routes=[*snms.routes(services), *idhub.routes(services)])
        await serve(app, ApiSettings(port=port), stop)
