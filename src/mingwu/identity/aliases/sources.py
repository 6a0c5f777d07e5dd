"""Where chains ask: the own store, and other nodes for names that are not ours.

The store answers in microseconds and is asked on the loop. Other nodes are asked over the Handle
protocol, following referrals from one configured server, with a time limit each; one that does
not answer makes a node "unreachable", never an error of the whole chain.
"""

from collections.abc import Awaitable, Callable, Iterable

from mingwu.identity.aliases.chain import Seen, Source
from mingwu.identity.client.handleclient import Resolution, resolve
from mingwu.identity.codes.code import Code
from mingwu.identity.lookup import PREFIX_HOME, prefix_of
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import MingwuError
from mingwu.wire.handle.errors import ProtocolError

Relations = Callable[[str], Iterable[tuple[str, str]]]
"""Further (kind, name) that a name leads to, e.g. from the registry; must not block for long."""

Ask = Callable[[str], Awaitable[Resolution]]
"""Asks other nodes about a name."""

_OWNER_TYPES = ("OWNER", "DESC.zh", "DESC.en")


def owner_of(store: RecordStore, name: str) -> str:
    """Who owns the prefix of a name, as its prefix record tells; empty when it does not."""
    record = store.get(f"{PREFIX_HOME}/{prefix_of(name)}")
    texts = {value.type: value.text() for value in record.values} if record is not None else {}
    return next((texts[kind] for kind in _OWNER_TYPES if texts.get(kind)), "")


def local_source(
    store: RecordStore,
    *,
    server: str = "",
    timeout_s: float = 2.0,
    ask: Ask | None = None,
    relations: Relations | None = None,
) -> Source:
    """A source over ``store``; with ``server`` ("host[:port]") it also asks for foreign names.

    ``ask`` says how: default is following referrals from that server.
    """

    async def from_server(name: str) -> Resolution:
        return await resolve(name, server, timeout_s=timeout_s)

    asked = ask or from_server

    async def look(name: str, may_ask: bool) -> Seen:
        record = store.get(name)
        more = tuple(relations(name)) if relations is not None else ()
        owner = owner_of(store, name)
        if record is not None:
            public = tuple(value for value in record.values if value.is_public)
            return Seen("found", public, "", owner, more)
        if store.is_homed(prefix_of(name)):
            return Seen("unknown", (), "", owner, more)
        if not server or not may_ask:
            return Seen("elsewhere", (), "", owner, more)
        try:
            answer = await asked(name)
        except (MingwuError, ProtocolError):
            return Seen("unreachable", (), server, owner, more)
        site = answer.path[-1] if answer.path else server
        state = "found" if answer.ok else "unknown"
        return Seen(state, answer.values, site, owner, more)

    async def names_of(code: Code) -> list[str]:
        return store.named(code.key) if code.ok else []

    return Source(look, names_of)
