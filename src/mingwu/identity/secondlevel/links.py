"""Links to enterprises' own nodes: where each is asked for data, as which application of theirs.

No secret lies here: the enterprise made the application with this node's public key, and grants it
what this node may read. A link belongs to the holder who gave it; it is used while that holder has
the prefix and serves it itself, and not by whoever holds the prefix next.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Engine, Row, delete, insert, select

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import Mode
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import parse
from mingwu.store.engine import reading, writing

_L, _P, _E = schema.link, schema.prefix, schema.enterprise
Text = Annotated[str, Meta(max_length=255)]


class LinkForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``templates``: how the enterprise calls templates that questions name, where it differs."""

    url: Annotated[str, Meta(min_length=1, max_length=500)]
    application: Text
    templates: Annotated[Mapping[Text, Text], Meta(max_length=200)] = {}


class NodeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link as it is stored."""

    prefix: str
    uscc: str
    url: str
    application: str
    templates: Mapping[str, str]
    changed_by: str
    changed_at_ms: int


class Target(NamedTuple):
    """A prefix that its enterprise serves, its holder, and the link if there is one."""

    prefix: str
    uscc: str
    name: str
    link: NodeLink | None


class Links:
    """The links of one node. Synchronous, for use in threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def put(self, prefix: str, form: LinkForm, by: str) -> NodeLink:
        """Keep how a node is asked; NotFound for a prefix that no enterprise serves itself."""
        parse(form.application)
        url = node_url(form.url)
        with writing(self._engine) as connection:
            query = select(_P.c.uscc).where(_P.c.prefix == prefix, *_served_by_itself())
            uscc = connection.execute(query).scalar()
            if uscc is None:
                raise NotFound("secondlevel.prefix-unknown", prefix=prefix)
            connection.execute(delete(_L).where(_L.c.prefix == prefix))
            connection.execute(
                insert(_L).values(
                    prefix=prefix, uscc=uscc, url=url, application=form.application,
                    templates=msgspec.json.encode(form.templates).decode(), changed_by=by,
                    changed_at_ms=self._clock.time_ns() // 1_000_000,
                )
            )  # fmt: skip
            return _link(connection.execute(select(_L).where(_L.c.prefix == prefix)).one())

    def remove(self, prefix: str) -> None:
        """Forget how a node is asked; NotFound when nobody knew."""
        with writing(self._engine) as connection:
            if not connection.execute(delete(_L).where(_L.c.prefix == prefix)).rowcount:
                raise NotFound("secondlevel.link-unknown", prefix=prefix)

    def targets(self, uscc: str = "") -> list[Target]:
        """Prefixes that enterprises serve themselves (of one, if given), in their order."""
        query = (
            select(_P.c.prefix, _P.c.uscc, _E.c.name)
            .join(_E, _E.c.uscc == _P.c.uscc)
            .where(*_served_by_itself())
            .order_by(_P.c.prefix)
        )
        if uscc:
            query = query.where(_P.c.uscc == uscc)
        with reading(self._engine) as connection:
            links = {row.prefix: _link(row) for row in connection.execute(select(_L))}
            rows = connection.execute(query).all()
        return [Target(*row, _of(links.get(row.prefix), row.uscc)) for row in rows]


def node_url(text: str) -> str:
    """The base address of a node: https, or http on this machine, for tokens travel there.

    Raises InvalidInput ``input.invalid``.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port = parts.port
    except ValueError as error:
        raise InvalidInput("input.invalid", path="$.url", fault=told(error)) from error
    if not host or parts.username is not None or parts.query or parts.fragment or port == 0:
        raise InvalidInput(
            "input.invalid",
            path="$.url",
            fault=Phrase("https://HOST[:PORT][/PATH]", "应为 https://主机[:端口][/路径]"),
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(host)):
        fault = Phrase("https, or http on loopback", "应为 https；http 只可用于本机回环")
        raise InvalidInput("input.invalid", path="$.url", fault=fault)
    return text.rstrip("/")


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _served_by_itself() -> tuple[ColumnElement[bool], ...]:
    return _P.c.state == ACTIVE, _P.c.mode == Mode.OWN.value


def _of(link: NodeLink | None, uscc: str) -> NodeLink | None:
    return link if link is not None and link.uscc == uscc else None


def _link(row: Row[tuple[object, ...]]) -> NodeLink:
    return NodeLink(
        prefix=row.prefix, uscc=row.uscc, url=row.url, application=row.application,
        templates=msgspec.json.decode(row.templates, type=dict[str, str]),
        changed_by=row.changed_by, changed_at_ms=row.changed_at_ms,
    )  # fmt: skip
