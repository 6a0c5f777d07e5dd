"""The historian answers clickhouse-connect, sync and async, as a ClickHouse server does."""

import asyncio
import http.client
import json
import zlib

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from mingwu.history import native

USER = {"username": "mingwu", "password": "pw"}


@pytest.fixture(scope="session")
def address(historian):
    return {"host": "127.0.0.1", "port": historian.settings.port}


@pytest.fixture(scope="session")
def client(address):
    client = clickhouse_connect.get_client(**address, **USER)
    yield client
    client.close()


@pytest.fixture
def table(client):
    client.command("CREATE DATABASE IF NOT EXISTS protocol")
    client.command("CREATE TABLE protocol.t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    yield "protocol.t"
    client.command("DROP TABLE protocol.t")


def ask(historian, method: str, path: str, body: bytes = b"", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", historian.settings.port, timeout=30)
    headers = {"X-ClickHouse-User": "mingwu", "X-ClickHouse-Key": "pw", **headers}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def test_insert_and_query(client, table):
    client.insert(table, [[1, "one"], [2, "zwei ✓"]], column_names=["a", "b"])
    found = client.query(f"SELECT * FROM {table} ORDER BY a").result_rows
    assert found == [(1, "one"), (2, "zwei ✓")]


@pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
def test_arrow_in_and_out(address, table, compress):
    client = clickhouse_connect.get_client(**address, **USER, compress=compress)
    client.insert_arrow(table, pa.table({"a": pa.array([7], pa.uint32()), "b": ["sieben"]}))
    client.insert(table, [[8, "acht"]], column_names=["a", "b"])
    assert client.query_arrow(f"SELECT * FROM {table} ORDER BY a").to_pydict() == {
        "a": [7, 8],
        "b": ["sieben", "acht"],
    }
    client.close()


@pytest.mark.parametrize("count", [3, 20_000])
def test_parameters(client, count):
    """Few go in the address, many in a form."""
    numbers = list(range(count))
    found = client.query(
        "SELECT count() FROM numbers(30000) WHERE number IN {wanted:Array(UInt64)}",
        parameters={"wanted": numbers},
    )
    assert found.result_rows == [(count,)]
    assert client.command(
        "SELECT {s:String}", parameters={"s": "it's \\ \n"}
    ) == "it's \\ \n".replace("\\", "\\\\").replace("\n", "\\n").replace("'", "\\'")


def test_settings_of_one_query_do_not_stay(client):
    get = "SELECT getSetting('max_block_size')"
    before = client.command(get)
    assert client.command(get, settings={"max_block_size": 4321}) == 4321
    assert {client.command(get) for _ in range(12)} == {before}


def test_errors_have_code_and_text(client):
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT * FROM nowhere")
    assert caught.value.code == 60
    with pytest.raises(DatabaseError) as caught:
        client.command("SELEC 1")
    assert caught.value.code == 62


def test_a_refused_setting_does_not_break_the_session(historian):
    for _ in range(8):
        answer, _ = ask(historian, "POST", "/?nosuchsetting=1", b"SELECT 1")
        assert answer.getheader("X-ClickHouse-Exception-Code") == "115"
    answer, data = ask(historian, "POST", "/", b"SELECT 1")
    assert (answer.status, data) == (200, b"1\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-ClickHouse-Key": "wrong"},
        {"X-ClickHouse-User": "other"},
        {"X-ClickHouse-Key": ""},
        {"Authorization": "Basic !!!", "X-ClickHouse-Key": ""},
    ],
)
def test_wrong_credentials(historian, headers):
    answer, data = ask(historian, "POST", "/", b"SELECT 1", **headers)
    assert answer.status == 403
    assert answer.getheader("X-ClickHouse-Exception-Code") == "516"
    assert b"AUTHENTICATION_FAILED" in data


def test_ping_needs_no_password(historian):
    answer, data = ask(historian, "GET", "/ping", **{"X-ClickHouse-Key": ""})
    assert (answer.status, data) == (200, b"Ok.\n")


def test_formats_and_headers(historian):
    answer, data = ask(historian, "GET", "/?query=SELECT%201%20AS%20a&default_format=JSON")
    assert json.loads(data)["data"] == [{"a": 1}]
    assert answer.getheader("X-ClickHouse-Format") == "JSON"
    assert json.loads(answer.getheader("X-ClickHouse-Summary"))["read_rows"] == "1"
    answer, data = ask(historian, "POST", "/", b"SELECT 'x' AS b FORMAT Native")
    assert native.decode(data) == {"b": ["x"]}
    answer, data = ask(
        historian, "POST", "/", zlib.compress(b"SELECT 2"), **{"Content-Encoding": "deflate"}
    )
    assert data == b"2\n"
    answer, _ = ask(historian, "POST", "/", b"SELECT 2", **{"Content-Encoding": "snappy"})
    assert answer.status == 415


def test_malformed_inserts_store_nothing(client, table, historian):
    for body in (b"\x02\x05garbage", b"\x01\x01\x01a\x06UInt32\x01"):
        answer, _ = ask(
            historian, "POST", f"/?query=INSERT%20INTO%20{table}%20FORMAT%20Native", body
        )
        assert answer.status >= 400
    assert client.command(f"SELECT count() FROM {table}") == 0


def test_limits_end_a_query(historian):
    answer, data = ask(historian, "POST", "/", b"SELECT groupArray(number) FROM numbers(100000000)")
    assert answer.getheader("X-ClickHouse-Exception-Code") == "241", data
    answer, data = ask(historian, "POST", "/", b"SELECT repeat('x', 10000) FROM numbers(4000)")
    assert answer.getheader("X-ClickHouse-Exception-Code") == "396", data
    answer, _ = ask(historian, "POST", "/", b"", **{"Content-Length": str(1 << 31)})
    assert answer.status == 413


@pytest.mark.anyio
async def test_a_heavy_query_delays_neither_inserts_nor_queries(address, table):
    """Lanes: one session per thread, and inserts have threads of their own."""
    client = await clickhouse_connect.get_async_client(
        **address, **USER, autogenerate_session_id=False
    )
    asleep = "SELECT sum(sleepEachRow(0.5)) FROM numbers(12) SETTINGS max_block_size = 1"
    heavy = asyncio.create_task(client.command(asleep))
    await asyncio.sleep(0.1)
    assert await client.command("SELECT 1") == 1
    await client.insert(table, [[1, "x"]], column_names=["a", "b"])
    assert await asyncio.gather(*(client.command("SELECT 1") for _ in range(12))) == [1] * 12
    assert not heavy.done(), "all of that took longer than a query of six seconds"
    await heavy
    await client.close()


@pytest.mark.anyio
async def test_too_many_requests_are_refused_not_queued_for_ever(historian):
    async def one() -> str:
        answer, _ = await asyncio.to_thread(
            ask, historian, "POST", "/", b"SELECT sleep(0.5), rand() FORMAT Null"
        )
        return f"{answer.status} {answer.getheader('Retry-After')}"

    loop = asyncio.get_running_loop()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(90) as pool:
        loop.set_default_executor(pool)
        limit = historian.settings.max_waiting
        waiting = [asyncio.create_task(one()) for _ in range(limit + 20)]
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused = {task.result() for task in done}
        assert refused == {"503 1"}
        _, status = await asyncio.to_thread(ask, historian, "GET", "/status")
        assert json.loads(status)["lanes"]["reader"]["waiting"] <= limit
        await asyncio.wait(rest, timeout=60)
