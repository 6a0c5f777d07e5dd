"""An unmodified PyHandle client reads and writes our records over HTTP."""

import asyncio

import pytest

pytestmark = [
    pytest.mark.anyio,
    # PyHandle's own source has escape sequences that Python warns about when it compiles them.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning"),
]
NAME = "88.888.101/DEV.DCM2500.01"


def client_for(server, *, writing=False):
    from pyhandle.client.resthandleclient import RESTHandleClient
    from pyhandle.clientcredentials import PIDClientCredentials

    url = f"http://127.0.0.1:{server.http_port}"
    if not writing:
        return RESTHandleClient.instantiate_for_read_access(url)
    credentials = PIDClientCredentials(
        client="rest",
        handle_server_url=url,
        username="301:0.NA/88.888.101",
        password="correct horse",
        handleowner="301:0.NA/88.888.101",
    )
    return RESTHandleClient.instantiate_with_credentials(credentials)


async def test_reading_a_demo_name(serving):
    async with serving() as server:
        client = client_for(server)
        record = await asyncio.to_thread(client.retrieve_handle_record, NAME)
        assert record["DESC.zh"] == "压铸单元1"
        assert '"value":201.5' in record["MW.LIVE.die_temperature"]
        missing = await asyncio.to_thread(client.retrieve_handle_record, "88.888.101/none")
        assert missing is None


async def test_registering_changing_and_deleting(serving):
    async with serving() as server:
        client = await asyncio.to_thread(client_for, server, writing=True)
        name = "88.888.101/PYHANDLE.1"

        def work():
            yield client.register_handle(name, location="https://example.org/a", BATCH="B1")
            client.modify_handle_value(name, BATCH="B2", NOTE="n")
            yield client.get_value_from_handle(name, "BATCH")
            client.delete_handle_value(name, "NOTE")
            yield client.get_value_from_handle(name, "NOTE")
            client.delete_handle(name)
            yield client.retrieve_handle_record(name)

        assert await asyncio.to_thread(lambda: list(work())) == [name, "B2", None, None]
