"""A name open to everybody is the same by every way: façades, HTTP, Handle protocol."""

import json

import pytest

from mingwu.identity.access.ownvalues import fault_of
from mingwu.identity.enterprise.model import Actor
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.identity.server.process import site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.errors import Unavailable
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import OpFlag, Rc
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
NAME, OTHER = f"{PREFIX}/O.1", f"{PREFIX}/O.2"
STRANGER = Actor(name="eve", account="eve")


@pytest.fixture
def registered(node, boss, part):
    items = [part(suffix, inspector="王") for suffix in ("O.1", "O.2")]
    assert all(one.ok for one in node.registrations.register(items, actor=boss))
    return node


@pytest.fixture
def told(registered, store):
    """``told(name)``: what a stranger reads of the restricted item, by each way."""
    resolver = Resolver(store, site_of(ResolverSettings(), 2641, 8000))
    node = registered

    def by_handle(name, flags):
        body = Resolve(name, (), ("inspector",)).encode()
        reply = decode(resolver.answer(encode(Message(op=1, body=body, flags=flags))))
        if reply.rc != Rc.SUCCESS:
            return reply.rc
        return [value.data.decode() for value in read_body(reply).values]

    def by_http(name):
        reply = HttpFace(resolver).answer(HttpRequest("GET", f"/api/handles/{name}"))
        values = {one["type"]: one["data"] for one in json.loads(reply.body)["values"]}
        return values.get("inspector", {}).get("value")

    def tell(name):
        identifier = node.register.get(name)
        template = node.register.template_of(name)
        shown = node.visible(identifier, template, STRANGER)
        resolver.begin()
        try:
            return (
                [value.value for value in identifier.values if value.index in shown & {2004}],
                by_http(name),
                by_handle(name, OpFlag(0)),
                by_handle(name, OpFlag.PUBLIC_ONLY),
            )
        finally:
            resolver.end()

    return tell


CLOSED = ([], None, Rc.AUTHENTICATION_NEEDED, Rc.VALUES_NOT_FOUND)
OPEN = (["王"], "王", ["王"], ["王"])


def test_opened_and_closed_by_every_way_at_once(registered, told, boss, part):
    node = registered
    assert told(NAME) == CLOSED
    node.set_access(NAME.lower(), own=True, is_public=True)
    assert told(NAME) == OPEN
    assert told(OTHER) == CLOSED
    node.registrations.change([part("O.1", grade="A")], actor=boss, merge=True)
    assert told(NAME) == OPEN
    node.set_access(NAME, own=True)
    assert told(NAME) == CLOSED
    node.set_access(NAME, own=True, is_public=True)
    node.set_access(NAME, own=False)
    assert told(NAME) == CLOSED


def test_a_name_registered_again_is_as_open_as_before(registered, told, boss, part):
    node = registered
    node.set_access(NAME, own=True, is_public=True)
    node.registrations.deregister([NAME], actor=boss)
    node.registrations.register([part("O.1", inspector="王")], actor=boss)
    assert told(NAME) == OPEN


def test_the_record_says_that_it_is_open(registered, store):
    registered.set_access(NAME, own=True, is_public=True)
    assert store.get(NAME).value(1012) == HandleValue(
        1012, "MW.ACCESS", b"open", timestamp=store.get(NAME).value(1001).timestamp
    )
    assert store.get(OTHER).value(1012) is None
    assert "MW.ACCESS" in fault_of(HandleValue(1012, "mw.access", b"open"))


def test_a_crash_leaves_nothing_open_that_nobody_opened(
    registered, told, store, settings, monkeypatch
):
    node = registered

    def full(*_):
        raise Unavailable("store.projection-unwritable", path="names", fault="full")

    with monkeypatch.context() as broken:
        broken.setattr(store.projection, "write", full)
        with pytest.raises(Unavailable):
            node.set_access(NAME, own=True, is_public=True)
    assert told(NAME)[1:] == CLOSED[1:]
    again = EnterpriseNode.open(settings, store)
    assert told(NAME) == OPEN
    with monkeypatch.context() as broken:
        broken.setattr(store.projection, "write", full)
        with pytest.raises(Unavailable):
            again.set_access(NAME, own=False)
    assert told(NAME) == OPEN, "refused as a whole"
    again.close()
