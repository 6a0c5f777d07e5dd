"""Imports from the machine a node runs on: its stores opened beside the running platform.

The stores' locks keep processes apart, so an import from the command line and the web processes
write in turn; its job stands in the console like any other.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.model import Actor
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.server.process import open_store
from mingwu.node.config import Config
from mingwu.trust.roles import Permission, require
from mingwu.trust.service import Trust

CLI = "cli"


@contextmanager
def import_desk(config: Config) -> Iterator[ImportDesk]:
    """The desk of imports over the node's own stores; its lines go into the journal."""
    with ExitStack() as stack:
        trust = Trust.open(config.trust)
        stack.callback(trust.close)
        store = open_store(config.resolver)
        stack.callback(store.close)
        node = EnterpriseNode.open(config.enterprise, store)
        stack.callback(node.close)

        def note(
            actor: Actor, action: str, subject: str, address: str, detail: dict[str, Any]
        ) -> None:
            who = actor.account or actor.name
            trust.journal.append(who, f"identity.{action}", subject, address=address, detail=detail)

        desk = ImportDesk(node, note)
        stack.callback(desk.close)
        yield desk


def actor_of(config: Config, account: str) -> Actor:
    """Who imports: an account that may register, or the command line itself.

    Raises NotFound for an unknown account, Denied for one that may not.
    """
    if not account:
        return Actor(name=CLI, account=CLI, may_all=True)
    trust = Trust.open(config.trust)
    try:
        found = trust.accounts.get(account)
        require(found.role, Permission.REGISTER)
    finally:
        trust.close()
    return Actor(name=found.name, account=found.name, may_all=True)
