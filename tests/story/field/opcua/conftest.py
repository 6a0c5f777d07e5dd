"""A real OPC UA server (asyncua's) in the test's own loop, and a wire that can go deaf."""

import asyncio
import contextlib
import socket

import pytest
from asyncua import Server, ua

from mingwu.field.opcua.driver import KIND
from mingwu.field.opcua.settings import OpcuaSettings
from mingwu.kernel.plant import TagSpec

NAMESPACE = "urn:test:cell"
VT = ua.VariantType


class Plant:
    """The server with its variables by name; ``column`` is where a subscription's points go."""

    def __init__(self, server, index):
        self.server = server
        self.index = index
        self.nodes = {}
        self.port = 0
        self.folder = None

    @property
    def endpoint(self):
        return f"opc.tcp://127.0.0.1:{self.port}/cell"

    async def add(self, name, value, kind):
        node = await self.folder.add_variable(ua.NodeId(name, self.index), name, value, kind)
        await node.set_writable()
        self.nodes[name] = node
        return node

    async def write(self, name, value, kind=VT.Double, status=0):
        await self.nodes[name].write_value(
            ua.DataValue(ua.Variant(value, kind), ua.StatusCode(status))
        )

    def tag(self, number, name, **more):
        more.setdefault("period_ms", 100)
        return TagSpec(
            number=number, thing="t", name=name, address=f"nsu={NAMESPACE};s={name}", **more
        )


START = {
    "load": (1.5, VT.Double),
    "count": (7, VT.Int32),
    "on": (True, VT.Boolean),
    "program": ("O1001", VT.String),
    "speed": (2.5, VT.Float),
    "total": (9, VT.UInt64),
}


@contextlib.asynccontextmanager
async def serve(prepare=None):
    """Start a plant on a free port; ``prepare(server)`` runs before it listens. Takes seconds."""
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/cell")
    if prepare is None:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    else:
        await prepare(server)
    plant = Plant(server, await server.register_namespace(NAMESPACE))
    plant.folder = await server.nodes.objects.add_folder(plant.index, "cell")
    for name, (value, kind) in START.items():
        await plant.add(name, value, kind)
    await server.start()
    plant.port = server.bserver._server.sockets[0].getsockname()[1]
    try:
        yield plant
    finally:
        await server.stop()


@pytest.fixture(scope="module")
def serving_module():
    """:func:`serve`, for modules that prepare the server themselves."""
    return serve


@pytest.fixture
def unused_port():
    """A port nobody listens on (bound, not listening, for as long as the test runs)."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def connected():
    """:func:`opened`."""
    return opened


@pytest.fixture
def points():
    return Points()


@pytest.fixture(scope="module")
async def shared_plant():
    async with serve() as found:
        yield found


@pytest.fixture
async def plant(shared_plant):
    """The module's server with its variables as they were, and nothing else."""
    plant = shared_plant
    for name in plant.nodes.keys() - START.keys():
        await plant.nodes.pop(name).delete()
    for name, (value, kind) in START.items():
        await plant.write(name, value, kind)
        await plant.nodes[name].set_writable()
    return plant


@contextlib.asynccontextmanager
async def opened(endpoint, *, simulated=False, **settings):
    """An open driver."""
    settings.setdefault("timeout_ms", 2000)
    driver = KIND.create(OpcuaSettings(endpoint=endpoint, **settings), simulated)
    try:
        await driver.open()
        yield driver
    finally:
        await driver.close()


class Points:
    """A sink that remembers the last point of each tag number."""

    def __init__(self):
        self.value = {}
        self.quality = {}
        self.text = {}
        self.count = 0

    def __call__(self, columns):
        self.count += len(columns)
        for row, number in enumerate(columns.tag.tolist()):
            self.value[number] = float(columns.value[row])
            self.quality[number] = int(columns.quality[row])
            self.text[number] = columns.text.get(row)


class Wire:
    """A TCP relay between driver and server that can fall silent without closing."""

    def __init__(self, port):
        self.target = port
        self.port = 0
        self.hearing = asyncio.Event()
        self.hearing.set()
        self._tasks = set()
        self._server = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back))
                group.create_task(self._pump(there, writer))
        except* OSError:
            pass
        finally:
            for end in (writer, back):
                end.transport.abort()
            await asyncio.gather(writer.wait_closed(), back.wait_closed(), return_exceptions=True)

    async def _pump(self, reader, writer):
        while data := await reader.read(65536):
            await self.hearing.wait()
            writer.write(data)
        writer.close()


@pytest.fixture
async def wire(plant):
    async with Wire(plant.port) as found:
        found.endpoint = f"opc.tcp://127.0.0.1:{found.port}/cell"
        yield found
