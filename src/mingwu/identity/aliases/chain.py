"""Chains: where a code leads, over aliases and relations, owners, places and systems (clause I2.3).

From a name the walk follows HS_ALIAS ("same-as"), ALIAS.* ("alias") and REL.<kind> values; from a
code of another system all names that carry it; from a serialised GS1 key its class, from did:cn
the prefix it denotes. It goes breadth first, at most ``depth`` steps and ``most`` nodes, and no
further once there are :data:`MOST_EDGES` edges; it visits nothing twice, and marks an edge that
leads back to where the walk came from (a cycle of aliases). A name this node does not answer for is
asked of its own server where a source can do that, at most ``foreign`` times, so that one question
does not become a flood.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from mingwu.identity.aliases.book import RESOLVED_AS_HANDLES
from mingwu.identity.codes.code import Code
from mingwu.identity.codes.recognition import recognise
from mingwu.identity.records import ALIAS_TYPE, RELATION_TYPE
from mingwu.kernel.names import fold
from mingwu.wire.gs1.ai import PRIMARY_KEYS
from mingwu.wire.handle.values import HandleValue

DEPTH = 8
MOST_NODES = 200
MOST_FOREIGN = 16
MOST_EDGES = 3000  # names that all lead to all others are no graph to look at


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A code on the way. ``state``: found, unknown (asked in vain), code (no record of its own),
    unreachable or invalid; ``site`` is the server that answered.
    """

    id: str
    system: str
    kind: str
    text: str
    state: str
    label_zh: str = ""
    label_en: str = ""
    prefix: str = ""
    owner: str = ""
    place: str = ""
    site: str = ""
    depth: int = 0


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """``kind``: same-as, alias, named, class, denotes, or the kind of a relation."""

    source: str
    target: str
    kind: str
    loop: bool = False


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The graph; ``cut`` when a limit ended the walk, ``crosses`` when it spans at least two
    prefixes, two places and two code systems.
    """

    start: str
    nodes: list[Node]
    edges: list[Edge]
    cut: bool
    systems: list[str]
    prefixes: list[str]
    owners: list[str]
    places: list[str]
    crosses: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a source knows of a name."""

    state: str
    values: tuple[HandleValue, ...] = ()
    site: str = ""
    owner: str = ""
    relations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where the walk asks: ``look`` about a name (the flag: may other nodes be asked),
    ``names_of`` who carries a code.
    """

    look: Callable[[str, bool], Awaitable[Seen]]
    names_of: Callable[[Code], Awaitable[list[str]]]


@dataclass
class _Walk:
    source: Source
    depth: int
    most: int
    foreign: int
    nodes: dict[str, Node] = field(default_factory=dict)
    came: dict[str, str] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    cut: bool = False
    todo: deque[tuple[Code, str, int]] = field(default_factory=deque)

    async def run(self, start: Code) -> None:
        self.todo.append((start, "", 0))
        while self.todo:
            code, came, depth = self.todo.popleft()
            if code.key in self.nodes:
                continue
            if len(self.nodes) >= self.most or len(self.edges) >= MOST_EDGES:
                self.cut = True
                return
            self.came[code.key] = came
            await self._visit(code, depth)

    async def _visit(self, code: Code, depth: int) -> None:
        if code.system in RESOLVED_AS_HANDLES:
            name = dict(code.parts).get("name", code.canonical)
            seen = await self.source.look(name, self.foreign > 0)
            if seen.site:
                self.foreign -= 1
            self.nodes[code.key] = _node(code, name, seen, depth)
            leads = _leads(seen)
        else:
            state = "code" if code.ok else "invalid"
            self.nodes[code.key] = _node(code, code.canonical, Seen(state), depth)
            leads = _own_leads(code)
        leads += [("named", name) for name in await self.source.names_of(code)]
        self.cut = self.cut or len(leads) > self.most
        for kind, text in leads[: self.most]:
            self._lead(code, kind, text, depth)

    def _lead(self, code: Code, kind: str, text: str, depth: int) -> None:
        target = read(text)
        if target.key == code.key or (target.key, code.key) in self.edges:
            if kind == "same-as":
                self.edges[code.key, target.key] = _edge(code, target, kind, loop=True)
            return
        if depth >= self.depth and target.key not in self.nodes:
            self.cut = True
            return
        loop = kind == "same-as" and self._is_behind(code.key, target.key)
        self.edges.setdefault((code.key, target.key), _edge(code, target, kind, loop=loop))
        self.todo.append((target, code.key, depth + 1))

    def _is_behind(self, key: str, sought: str) -> bool:
        while key:
            if key == sought:
                return True
            key = self.came.get(key, "")
        return False


def read(text: str) -> Code:
    """A code for any text: a name keeps its spelling; what no system knows is "unknown"."""
    code = recognise(text)
    if code is None:
        return Code("unknown", "", text)
    if code.system in RESOLVED_AS_HANDLES and code.kind != "issuing-agency":
        bare = text.strip()
        bare = bare[4:] if bare[:4].lower() in {"hdl:", "doi:"} else bare
        return Code(code.system, code.kind, fold(bare), (*code.parts, ("name", bare)), code.fault)
    return code


async def chain(
    text: str,
    source: Source,
    *,
    depth: int = DEPTH,
    most: int = MOST_NODES,
    foreign: int = MOST_FOREIGN,
) -> Chain:
    """Follow ``text`` and give the graph; never raises for what it finds on the way."""
    start = read(text)
    walk = _Walk(source, depth, most, foreign)
    await walk.run(start)
    nodes = list(walk.nodes.values())
    found = [node for node in nodes if node.state in {"found", "code"}]
    systems = sorted({node.system for node in found})
    prefixes = sorted({node.prefix for node in found if node.prefix})
    places = sorted({node.place for node in found if node.place})
    sites = {node.place.partition("/")[0] for node in found if node.place}
    edges = [edge for edge in walk.edges.values() if edge.target in walk.nodes]
    return Chain(
        start=start.key,
        nodes=nodes,
        edges=edges,
        cut=walk.cut,
        systems=systems,
        prefixes=prefixes,
        owners=sorted({node.owner for node in found if node.owner}),
        places=places,
        crosses=min(len(systems), len(prefixes), len(sites)) > 1,
    )


def format_chain(found: Chain) -> str:
    """The graph as indented text, for the command line; each node once, loops marked."""
    nodes = {node.id: node for node in found.nodes}
    edges: dict[str, list[Edge]] = {}
    for edge in found.edges:
        edges.setdefault(edge.source, []).append(edge)
    lines: list[str] = []
    shown: set[str] = set()
    todo = [(found.start, "", 0)]
    while todo:
        key, kind, depth = todo.pop()
        node = nodes[key]
        again = key in shown
        more = [node.place, node.owner, node.site, "" if node.state == "found" else node.state]
        facts = "  ".join(filter(str.isprintable, filter(None, more)))
        text = "".join(char if char.isprintable() else "\ufffd" for char in node.text)
        arrow = f"{kind} → " if kind else ""
        line = f"{'  ' * depth}{arrow}{text}  [{node.system}]"
        lines.append(f"{line}  (above)" if again else f"{line}  {facts}".rstrip())
        if again:
            continue
        shown.add(key)
        todo += [(edge.target, edge.kind, depth + 1) for edge in reversed(edges.get(key, []))]
    return "\n".join(lines)


def _edge(source: Code, target: Code, kind: str, *, loop: bool) -> Edge:
    return Edge(source=source.key, target=target.key, kind=kind, loop=loop)


def _node(code: Code, text: str, seen: Seen, depth: int) -> Node:
    def first(kind: str) -> str:
        return next((value.text() for value in seen.values if value.type == kind), "")

    prefix = text.partition("/")[0] if code.system in RESOLVED_AS_HANDLES else ""
    return Node(
        id=code.key,
        system=code.system,
        kind=code.kind,
        text=text,
        state=seen.state,
        label_zh=first("DESC.zh"),
        label_en=first("DESC.en"),
        prefix=prefix,
        owner=seen.owner,
        place=first("LOCATION"),
        site=seen.site,
        depth=depth,
    )


def _leads(seen: Seen) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for value in seen.values:
        kind = value.type
        if not value.is_public:
            continue
        if kind == "HS_ALIAS":
            found.append(("same-as", value.text()))
        elif kind.startswith(ALIAS_TYPE):
            found.append(("alias", value.text()))
        elif kind.startswith(RELATION_TYPE):
            found.append((kind.removeprefix(RELATION_TYPE), value.text()))
    return [*found, *seen.relations]


def _own_leads(code: Code) -> list[tuple[str, str]]:
    parts = code.parts
    if not code.ok:
        return []
    if code.system == "gs1" and len(code.canonical.split("/")) > 2:  # noqa: PLR2004 - key, data
        key = next((ai for ai, _ in parts if ai in PRIMARY_KEYS), "")
        return [("class", "/".join(code.canonical.split("/")[:2]))] if key else []
    if code.system == "did" and code.kind == "cn":
        return [("denotes", f"0.NA/{dict(parts)['prefix']}")]
    if code.system == "did" and code.kind == "vaa" and "suffix" in dict(parts):
        named = dict(parts)
        return [("denotes", f"{named['prefix']}/{named['suffix']}")]
    return []
