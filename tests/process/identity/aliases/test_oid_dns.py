"""OIDs over real sockets: dnspython's resolver, dig, floods, slow and broken clients."""

import asyncio
import shutil
import socket

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.dnsserver import OidDnsServer
from mingwu.identity.aliases.settings import OidDnsSettings
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import Unavailable
from mingwu.wire.handle.values import HandleValue

pytestmark = [pytest.mark.process, pytest.mark.anyio]

NAME = "7.5.2.156.2.1.oid-res.org"
MANY = "9.5.2.156.2.1.oid-res.org"


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    many = tuple(HandleValue(n, "URL", b"https://example.org/" + b"y" * 90) for n in range(1, 40))
    store.put_many([
        Record("88.888.101/A", (HandleValue(1, "URL", b"https://example.org/a"),)),
        Record("88.888.101/MANY", many),
    ])  # fmt: skip
    book = AliasBook(store)
    book.add("88.888.101/A", "1.2.156.2.5.7")
    book.add("88.888.101/MANY", "1.2.156.2.5.9")
    yield store
    store.close()


def resolver(server: OidDnsServer) -> dns.asyncresolver.Resolver:
    found = dns.asyncresolver.Resolver(configure=False)
    found.nameservers, found.port, found.lifetime = ["127.0.0.1"], server.port, 5
    return found


async def test_a_resolver_library_finds_the_answers(store):
    async with OidDnsServer(OidDnsSettings(port=0), store) as server:
        for tcp in (False, True):
            found = await resolver(server).resolve(NAME, "NAPTR", tcp=tcp)
            services = {one.service: one.regexp for one in found}
            assert services[b"ORS+UINF"] == b"!^.*$!https://example.org/a!"
        whole = await resolver(server).resolve(MANY, "NAPTR")  # too long for UDP: it comes by TCP
        assert len(whole) == 40
        with pytest.raises(dns.resolver.NoAnswer):
            await resolver(server).resolve("1." + NAME, "NAPTR")
        with pytest.raises(dns.resolver.NXDOMAIN):
            await resolver(server).resolve("www.oid-res.org", "NAPTR")


async def test_dig_reads_them(store):
    if not shutil.which("dig"):
        pytest.skip("no dig: apt install bind9-dnsutils")
    async with OidDnsServer(OidDnsSettings(port=0), store) as server:
        process = await asyncio.create_subprocess_exec(
            "dig", "@127.0.0.1", "-p", str(server.port), NAME, "NAPTR", "+norec", "+tries=1",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    text = out.decode()
    assert "status: NOERROR" in text
    assert "flags: qr aa" in text
    assert '"ORS+UINF" "!^.*$!https://example.org/a!"' in text


async def test_a_flood_gets_little_and_is_sent_to_tcp(store):
    settings = OidDnsSettings(port=0, source_bytes_per_s=2048)
    async with OidDnsServer(settings, store) as server:
        query = dns.message.make_query(NAME, "NAPTR", use_edns=0).to_wire()
        received = await asyncio.to_thread(_flood, server.port, query, 400)
    whole = [one for one in received if not dns.message.from_wire(one).flags & dns.flags.TC]
    short = [one for one in received if dns.message.from_wire(one).flags & dns.flags.TC]
    assert sum(map(len, whole)) <= 2 * 2048  # a second may end within the flood
    assert short
    assert all(len(one) <= len(query) for one in short)


def _flood(port: int, query: bytes, count: int) -> list[bytes]:
    found: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        for _ in range(count):
            sock.sendto(query, ("127.0.0.1", port))
        try:
            while True:
                found.append(sock.recv(4096))
        except TimeoutError:
            return found


async def test_garbage_and_slow_clients_are_shut_out_and_others_served(store):
    settings = OidDnsSettings(port=0, idle_timeout_s=0.4, max_connections=8)
    async with OidDnsServer(settings, store) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for data in (b"", b"\0", b"\xff" * 600, b"\0" * 12):
                sock.sendto(data, ("127.0.0.1", server.port))
        slow = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in slow:
            writer.write(b"\x00")  # half of a length
        third, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await third.read() == b""  # two of eight is one source's share
        writer.close()
        assert await slow[0][0].read() == b""  # cut when it took too long
        for _, writer in slow:
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\xff\xff")  # a question of 65,535 bytes
        assert await reader.read() == b""
        writer.close()
        assert await resolver(server).resolve(NAME, "NAPTR", tcp=True)


async def test_several_questions_on_one_connection(store):
    async with OidDnsServer(OidDnsSettings(port=0), store) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for name in (NAME, MANY, NAME):
            query = dns.message.make_query(name, "NAPTR").to_wire()
            writer.write(len(query).to_bytes(2, "big") + query)
        for count in (2, 40, 2):
            size = int.from_bytes(await reader.readexactly(2), "big")
            reply = dns.message.from_wire(await reader.readexactly(size))
            assert (reply.rcode(), len(reply.answer[0])) == (dns.rcode.NOERROR, count)
        writer.close()


async def test_a_taken_port_is_told(store):
    async with OidDnsServer(OidDnsSettings(port=0), store) as server:
        with pytest.raises(Unavailable) as told:
            await OidDnsServer(OidDnsSettings(port=server.port), store).__aenter__()
    assert told.value.code == "oid-dns.port"
