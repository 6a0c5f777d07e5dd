"""One enterprise's own node with its façades on a port, and links that meet every answer."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

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
from mingwu.identity.secondlevel.links import LinkForm
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings

_BOSS = Actor(name="boss", account="boss", may_all=True)


async def linked(node: SecondLevel, folder: Path, stack: AsyncExitStack) -> None:
    """The first own node lets the second-level node in, the second refuses, the third is silent."""
    first, second, third = (one.prefix for one in node.links.targets()[:3])
    url, application = await _serve(node, first, folder, stack)
    node.links.put(first, LinkForm(url=url, application=application), "admin")
    node.links.put(second, LinkForm(url=url, application=f"{second}/App_none"), "admin")
    node.links.put(
        third, LinkForm(url="http://127.0.0.1:9", application=f"{third}/App_query"), "admin"
    )


async def _serve(
    node: SecondLevel, prefix: str, folder: Path, stack: AsyncExitStack
) -> tuple[str, str]:
    trust = Trust.open(TrustSettings(store=StoreSettings(url=sqlite_url(folder / "own-trust.db"))))
    stack.callback(trust.close)
    trust.accounts.create("partner", "a long enough password 7", Role.VIEWER)
    records = RecordStore(folder / "own-records", map_bytes=2**26, durable=False)
    stack.callback(records.close)
    store = StoreSettings(url=sqlite_url(folder / "own.db"), durable=False)
    own = EnterpriseNode.open(EnterpriseSettings(store=store, prefixes=(prefix,)), records)
    stack.callback(own.close)
    template = TemplateDef(
        prefix=prefix, version="T.1", handle=f"{prefix}/T.1", name_zh="驱动电机（模拟）",
        industry=Industry(category="C", division="38", group="381", class_="3812"),
        items=(Item(type="DESC.zh"), Item(type="DESC.en"), Item(type="COST", restricted=True)),
    )  # fmt: skip
    own.templates.create(template, actor="boss", publish=True)
    names = [
        Registration(
            name=f"{prefix}/MTR.{n:06d}", template=TemplateRef(handle=f"{prefix}/T.1"),
            values={"DESC.zh": f"驱动电机 {n}（模拟）", "DESC.en": f"drive motor {n} (simulated)",
                    "COST": "1"},
        )
        for n in range(1, 4)
    ]  # fmt: skip
    own.registrations.register(names, actor=_BOSS)
    application = f"{prefix}/App_query"
    key = (await asyncio.to_thread(node.query_key)).public().pem().decode()
    own.applications.create(application, login=application, account="partner", public_key=key)
    services = EnterpriseServices(node=own, accounts=trust.accounts, sessions=trust.sessions)
    app = Starlette(routes=[*snms.routes(services), *idhub.routes(services)])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())

    async def stop() -> None:
        server.should_exit = True
        await task

    stack.push_async_callback(stop)
    while not server.started:
        await asyncio.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", application
