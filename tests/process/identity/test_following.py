"""From a root to a name, and through aliases, over real servers."""

import json
from pathlib import Path

import orjson
import pytest

from mingwu.cli.main import main
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.client.root import Root, parse_root, resolve_from, root_at
from mingwu.identity.records import Record
from mingwu.kernel.errors import InvalidInput, Unavailable
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address, read_site
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
NAME = "88.888.101/DEV.DCM2500.01"
GOLDEN = Path(__file__).parents[2] / "golden" / "handle" / "root-records.json"
DEAD_PORT = 9
NOWHERE = "0.0.0.0"  # noqa: S104 - read, not bound


def local(server):
    return f"127.0.0.1:{server.port}"


def site_value(index, port, kind="HS_SITE"):
    server = Server(1, pack_address("127.0.0.1"), interfaces=(Interface(3, 1, port),))
    return HandleValue(index, kind, encode_site(Site((server,))))


def alias(target):
    return (HandleValue(1, "HS_ALIAS", target.encode()), HandleValue(100, "HS_ADMIN", b""))


@pytest.fixture
def tree(serving):
    """A root that knows 88.888.101 by a service record whose first site is out of order."""
    import contextlib

    @contextlib.asynccontextmanager
    async def stand():
        async with (
            serving("enterprise") as enterprise,
            serving("root", filled=False, prefixes=("0.NA",)) as root,
        ):
            service = HandleValue(1, "HS_SERV", b"0.NA/0.SERV")
            root.store.put(Record("0.NA/88.888.101", (service,)))
            sites = (site_value(1, DEAD_PORT), site_value(2, enterprise.port))
            root.store.put(Record("0.NA/0.SERV", sites))
            yield enterprise, root

    return stand


async def test_from_a_root_by_service_record_past_a_dead_site(tree):
    async with tree() as (enterprise, root):
        found = await resolve_from(root_at(local(root)), NAME)
        assert found.ok
        assert found.handle == NAME
        assert found.path == (local(root), local(enterprise))
        unknown = await resolve_from(root_at(local(root)), "88.888.999/X")
        assert unknown.rc == Rc.NOT_RESPONSIBLE
        prefix = await resolve_from(root_at(local(root)), "0.NA/88.888.101")
        assert prefix.path == (local(root),)


async def test_the_deployed_form_of_a_root_file(tree, tmp_path):
    async with tree() as (enterprise, root):
        deployed = orjson.loads(GOLDEN.read_bytes())
        values = [value_to_json(site_value(3, DEAD_PORT)), value_to_json(site_value(4, root.port))]
        deployed["handles"]["0.NA/0.NA"]["values"] = values
        found = await resolve_from(parse_root(orjson.dumps(deployed)), NAME, timeout_s=1)
        assert found.ok
        assert found.path[-1] == local(enterprise)


@pytest.mark.parametrize("form", ["record", "site", "bare"])
async def test_a_root_in_the_forms_that_a_server_gives_out(tree, form):
    async with tree() as (_, root):
        site = value_to_json(site_value(1, root.port))
        bare = site["data"]["value"]
        content = {"record": {"values": [site]}, "site": {"site": bare}, "bare": bare}[form]
        assert (await resolve_from(parse_root(orjson.dumps(content)), NAME)).ok


async def test_the_public_root_records_are_a_root():
    root = parse_root(GOLDEN.read_bytes())
    sites = [v for v in orjson.loads(GOLDEN.read_bytes())["handles"]["0.NA/0.NA"]["values"]
             if v["type"] == "HS_SITE"]  # fmt: skip
    assert len(root.servers("0.NA/88.888.101")) == len(sites)
    assert all(server.endswith(":2641") for server in root.servers("0.NA/88.888.101"))


async def test_a_node_that_tells_its_name_instead_of_an_address(serving):
    """Deployed sites in clouds have no address in HS_SITE, but a host name beside it."""
    async with (
        serving("cloud", public_host="localhost") as node,
        serving("root", filled=False, prefixes=("0.NA",)) as top,
    ):
        told = node.store.get("0.NA/88.888.101").value(1)
        site = read_site(told.data)
        assert site.servers[0].address == bytes(16)
        assert dict(site.attributes)["domain"] == "localhost"
        top.store.put(Record("0.NA/88.888.101", (told,)))
        found = await resolve_from(root_at(local(top)), NAME)
        assert found.ok
        assert found.path == (local(top), f"localhost:{node.port}")


@pytest.mark.parametrize(
    ("attributes", "host"),
    [
        ((("domain", "a.example"),), "a.example"),
        ((("domain", "a.example"), ("domain.0", "b.example")), "b.example"),
        ((("domain.1", "b.example"),), NOWHERE),
        ((("domain", "a b"),), NOWHERE),
        ((("domain", "x" * 64),), NOWHERE),
        ((), NOWHERE),
    ],
)
def test_hosts_of_servers_without_an_address(attributes, host):
    nowhere, here = Server(1, bytes(16)), Server(2, pack_address("192.0.2.7"))
    site = Site((nowhere, here), attributes=attributes)
    assert site.host_of(nowhere) == host
    assert site.host_of(here) == "192.0.2.7"


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"values":[{"index":1}]}', b'{"handles":[]}', b'{"site":1}']
)
async def test_what_is_no_root_is_said_so(document):
    with pytest.raises(InvalidInput, match="root cannot be read"):
        parse_root(document)


async def test_a_silent_root_is_unavailable():
    with pytest.raises(Unavailable):
        await resolve_from(Root((read_site(site_value(1, DEAD_PORT).data),)), NAME, timeout_s=0.3)


async def test_aliases_are_followed_over_servers_also_by_type(tree):
    async with tree() as (enterprise, root):
        root.store.put(Record("0.NA/7.7", (site_value(1, root.port),)))
        root.store.put(Record("7.7/OLD", alias(NAME)))
        for types in ((), ("DESC.",)):
            found = await resolve_from(root_at(local(root)), "7.7/OLD", types=types)
            assert (found.ok, found.handle, found.aliases) == (True, NAME, ("7.7/OLD",))
            assert "压铸单元1" in {value.text() for value in found.values}
            assert not any(value.type == "HS_ALIAS" for value in found.values)
        asked = await resolve("7.7/OLD", local(root), types=("hs_alias",), aliases=True)
        assert [value.text() for value in asked.values] == [NAME]
        raw = await resolve("7.7/OLD", local(root))
        assert raw.handle == "7.7/OLD"
        assert enterprise.store.get("7.7/OLD") is None


@pytest.mark.parametrize("length", [1, 3, 12])
async def test_alias_circles_and_long_chains_end(serving, length):
    async with serving() as server:
        names = [f"88.888.101/A{number}" for number in range(length)]
        for name, after in zip(names, (*names[1:], names[0]), strict=True):
            server.store.put(Record(name, alias(after.lower())))
        found = await resolve(names[0], local(server), aliases=True)
        assert found.rc == Rc.RECURSION_TOO_HIGH
        assert len(found.path) == min(length, 9)


async def test_a_record_with_something_to_say_is_not_left_for_its_alias(serving):
    async with serving() as server:
        both = (*alias(NAME), HandleValue(2, "URL", b"https://example.org"))
        server.store.put(Record("88.888.101/BOTH", both))
        found = await resolve("88.888.101/BOTH", local(server), aliases=True)
        assert found.handle == "88.888.101/BOTH"
        by_type = await resolve("88.888.101/BOTH", local(server), types=("URL",), aliases=True)
        assert [value.type for value in by_type.values] == ["URL"]


async def test_the_command_begins_at_a_root_file_and_at_the_nodes_own_root(tree, tmp_path, capsys):
    import asyncio

    async with tree() as (_, root):
        file = tmp_path / "root.json"
        file.write_text(json.dumps({"values": [value_to_json(site_value(1, root.port))]}))
        config = tmp_path / "node.toml"
        config.write_text('[resolver]\nroot = "root.json"\n')
        for way in (("--root", str(file)), ("--root", local(root)), ("--config", str(config))):
            assert await asyncio.to_thread(main, ["resolve", NAME, *way]) == 0
            assert "压铸单元1" in capsys.readouterr().out
        missing = ["resolve", NAME, "--root", str(tmp_path / "none.json")]
        assert await asyncio.to_thread(main, missing) == 1
        assert "→" in capsys.readouterr().err
