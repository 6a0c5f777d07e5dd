"""The resolver over real sockets: transports, limits and bad company."""

import asyncio
import contextlib
import json
import re
import socket
import urllib.request

import pytest

from mingwu.identity.client.handleclient import ask_udp, connected, request, resolve
from mingwu.identity.client.showing import format_resolution
from mingwu.identity.records import Record
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.errors import Unavailable
from mingwu.wire.handle.bodies import Handles, OneHandle, Resolve, read_body
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.envelope import split
from mingwu.wire.handle.message import Message, decode, encode, message_length
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
NAME = "88.888.101/DEV.DCM2500.01"
PUBLIC = OpFlag.PUBLIC_ONLY


def local(server):
    return f"127.0.0.1:{server.port}"


def encoded(name=NAME, flags=PUBLIC, **more):
    return encode(request(Op.RESOLVE, Resolve(name).encode(), flags=flags, **more))


async def closed(writer):
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def read_message(reader):
    head = await reader.readexactly(20)
    return decode(head + await reader.readexactly(message_length(head) - 20))


@pytest.mark.parametrize("transport", ["udp", "tcp", ""])
async def test_a_demo_name_resolves_with_its_live_value(serving, transport):
    async with serving() as server:
        result = await resolve(NAME.lower(), local(server), transport=transport)
    assert result.ok
    live = {value.type: value for value in result.values}["MW.LIVE.die_temperature"]
    assert json.loads(live.data)["value"] == 201.5
    text = format_resolution(result)
    assert "压铸单元1" in text
    assert "201.5" in text
    body = json.loads(format_resolution(result, "json"))
    assert body["responseCode"] == 1
    assert {value["type"] for value in body["values"]} >= {"URL", "LOCATION", "HS_ADMIN"} - {
        "LOCATION"
    }


async def test_connections_stay_open_whatever_the_flags(serving):
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        # As the national client does: site info first, then resolving without any flag.
        writer.write(encode(request(Op.SITE_INFO, OneHandle("/").encode(), flags=0x19000000)))
        assert (await read_message(reader)).rc == Rc.SUCCESS
        for _ in range(3):
            writer.write(encoded(flags=0))
            assert (await read_message(reader)).rc == Rc.SUCCESS
        await closed(writer)


async def test_messages_in_one_write_and_in_single_bytes(serving):
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        ids = [5, 6, 7]
        writer.write(b"".join(encoded(request_id=number) for number in ids))
        assert [(await read_message(reader)).request_id for _ in ids] == ids
        for byte in encoded(request_id=8):
            writer.write(bytes((byte,)))
            await writer.drain()
        assert (await read_message(reader)).request_id == 8
        await closed(writer)


async def test_long_answers_come_in_packets_and_very_long_ones_by_tcp(serving):
    async with serving(udp_answer_bytes=4096) as server:
        for name, size in (("LONG", 3000), ("HUGE", 50_000)):
            value = HandleValue(1, "TEXT", b"x" * size)
            server.store.put(Record(f"88.888.101/{name}", (value,)))
        long = await resolve("88.888.101/LONG", local(server), transport="udp")
        assert len(long.values[0].data) == 3000
        by_udp = await ask_udp(
            "127.0.0.1", server.port,
            request(Op.RESOLVE, Resolve("88.888.101/HUGE").encode(), flags=PUBLIC),
        )  # fmt: skip
        assert by_udp.rc == Rc.ERROR
        huge = await resolve("88.888.101/HUGE", local(server))
        assert len(huge.values[0].data) == 50_000


async def test_questions_in_several_datagrams(serving):
    async with serving() as server:
        types = (*(f"TYPE.{number}" for number in range(90)), "URL")
        question = encode(
            request(Op.RESOLVE, Resolve(NAME, (), types).encode(), flags=PUBLIC, request_id=77)
        )
        packets = split(question)
        assert len(packets) > 1
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", server.port))
            for packet in reversed(packets):
                await loop.sock_sendall(sock, packet)
            reply = decode(await asyncio.wait_for(loop.sock_recv(sock, 65535), 5))
        assert [value.type for value in read_body(reply).values] == ["URL"]


async def test_a_flooding_source_gets_no_more_than_it_sends(serving):
    async with serving(udp_source_bytes_per_s=2048) as server:
        loop = asyncio.get_running_loop()
        question = encode(request(Op.RESOLVE, Resolve(NAME, (1,)).encode(), flags=PUBLIC))
        sent = received = busy = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", server.port))
            for _ in range(40):
                await loop.sock_sendall(sock, question)
                sent += len(question)
                reply = await asyncio.wait_for(loop.sock_recv(sock, 65535), 5)
                received += len(reply)
                busy += reply[24:28] == Rc.TOO_BUSY.to_bytes(4)
        assert busy > 20
        assert server.statistics.rate_limited == busy
        assert received < sent + 2 * 2048


async def test_garbage_does_not_disturb_the_others(serving):
    async with serving() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for data in (b"", b"\0" * 19, b"\xff" * 600, encoded()[:-9], b"GET / HTTP/1.1\r\n\r\n"):
                sock.sendto(data, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n\r\n\r\n")  # announces an absurd length
        assert await asyncio.wait_for(reader.read(), 5) == b""
        await closed(writer)
        assert (await resolve(NAME, local(server))).ok
        assert server.statistics.malformed >= 3


async def test_oversized_and_slow_messages_are_cut(serving):
    async with serving(message_bytes=4096, message_timeout_s=0.2) as server:
        for data in (b"\2\13\2\13" + bytes(12) + (5000).to_bytes(4), encoded()[:30]):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            assert decode(await asyncio.wait_for(reader.read(), 60)).rc == Rc.PROTOCOL_ERROR
            await closed(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        writer.write(b"GET /api/handles/x HTTP/1.1\r\nX-Slow: ")
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"resolver.http-slow"' in answer
        await closed(writer)
        assert server.statistics.slow_cut == 2


async def test_connections_per_source_are_limited(serving):
    async with serving(max_connections_per_source=3) as server:
        streams = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(encoded())
            await read_message(reader)
            streams.append(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await closed(writer)
        for stream in streams:
            await closed(stream)
        async with asyncio.timeout(60):
            while server._door.open:
                await asyncio.sleep(0.01)
        assert (await resolve(NAME, local(server), transport="tcp")).ok


async def test_referrals_are_followed_to_the_enterprise_node(serving):
    async with (
        serving("enterprise") as enterprise,
        serving("second-level", filled=False, prefixes=("88.888",)) as second,
    ):
        site = Site(
            (
                Server(
                    1, pack_address("127.0.0.1"),
                    interfaces=(Interface(2, 1, enterprise.port),),
                ),
            )
        )  # fmt: skip
        value = HandleValue(2, "HS_SITE", encode_site(site))
        second.store.put(Record("0.NA/88.888.101", (value,)))
        result = await resolve(NAME, local(second))
        assert result.ok
        assert result.path == (local(second), local(enterprise))
        stays = await resolve(NAME, local(second), follow=False)
        assert stays.rc == Rc.SERVICE_REFERRAL


async def test_referrals_in_circles_end(serving):
    async with (
        serving("a", filled=False, prefixes=("1.1",)) as one,
        serving("b", filled=False, prefixes=("1.2",)) as two,
    ):
        for here, there in ((one, two), (two, one)):
            server = Server(1, pack_address("127.0.0.1"), interfaces=(Interface(2, 1, there.port),))
            data = encode_site(Site((server,)))
            here.store.put(Record("0.NA/9.9", (HandleValue(2, "HS_SITE", data),)))
        result = await resolve("9.9/x", local(one))
        assert result.rc == Rc.SERVICE_REFERRAL
        assert "nowhere new" in result.message


async def test_nobody_there():
    with pytest.raises(Unavailable, match="No answer from 127"):
        await resolve(NAME, "127.0.0.1:9", timeout_s=0.3)


async def test_a_taken_port_is_reported(serving, tmp_path):
    async with serving() as server:
        settings = ResolverSettings(
            directory=str(tmp_path / "other"), port=server.port, http_port=0, map_bytes=2**24
        )
        store = open_store(settings)
        with pytest.raises(Unavailable) as caught:
            await ResolverServer(settings, store).start()
        assert caught.value.code == "identity.port-taken"
        store.close()


def fetch(url, method="GET", data=None, **headers):
    question = urllib.request.Request(url, method=method, data=data, headers=headers)  # noqa: S310
    with urllib.request.urlopen(question, timeout=5) as reply:  # noqa: S310
        return reply.status, dict(reply.headers), reply.read()


async def test_http_answers_and_the_tunnel(serving):
    async with serving() as server:
        base = f"http://127.0.0.1:{server.http_port}"
        status, headers, body = await asyncio.to_thread(fetch, f"{base}/api/handles/{NAME}")
        assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert json.loads(body)["handle"] == NAME
        kind = "application/x-hdl-message"
        _, headers, body = await asyncio.to_thread(
            fetch, base + "/", "POST", encoded(), **{"Content-Type": kind, "Accept": kind}
        )
        assert headers["Content-Type"] == kind
        assert decode(body).rc == Rc.SUCCESS


async def test_http_pipelining_keepalive_and_limits(serving):
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        one = f"GET /api/handles/{NAME}?index=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        none = b"GET /api/handles/88.888.101/no HTTP/1.1\r\nHost: x\r\n\r\n"
        last = f"HEAD /{NAME} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        writer.write(one + none + one + last)
        answer = await asyncio.wait_for(reader.read(), 5)
        statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
        assert statuses == [b"200", b"404", b"200", b"302"]
        await closed(writer)
        for bad, status in (
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"431"),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
            (b"NONSENSE\r\n\r\n", b"400"),
            (b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             b"400"),
        ):  # fmt: skip
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(bad)
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.split()[1] == status
            await closed(writer)


async def test_changes_over_tcp_while_others_read(serving):
    """A challenge on one connection does not hold up the rest, and is answered in order."""
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        listing = request(Op.LIST_HANDLES, OneHandle("0.NA/88.888.101").encode())
        replies = await asyncio.gather(
            client.ask(listing), resolve(NAME, local(server)), resolve(NAME, local(server))
        )
        assert replies[0].rc == Rc.AUTHENTICATION_NEEDED
        assert replies[1].ok
        assert replies[2].ok
        assert not isinstance(read_body(replies[0]), Handles)


async def test_statistics_count_by_transport_and_code(serving):
    async with serving() as server:
        await resolve(NAME, local(server), transport="udp")
        await resolve("88.888.101/none", local(server), transport="tcp")
        counted = server.statistics.snapshot()
        assert (counted["udp"], counted["tcp"], counted["answered"]) == (1, 1, 2)
        assert counted["by_code"] == {"1": 1, "100": 1}


async def test_udp_answers_carry_the_request_id_and_strays_are_ignored(serving):
    async with serving() as server:
        message = Message(op=1, body=Resolve(NAME).encode(), flags=int(PUBLIC), request_id=4242)
        reply = await ask_udp("127.0.0.1", server.port, message)
        assert reply.request_id == 4242
