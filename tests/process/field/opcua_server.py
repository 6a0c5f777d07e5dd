"""An OPC UA server to be started and killed: ``opcua_server.py PORT TAGS`` (port 0: a free one).

Prints its port when it listens; every 50 ms it writes the next number to every tag, so that what
a client sees tells whether anything was left out. Ends when its standard input does, or by SIGKILL.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import sys

from asyncua import Server, ua

NAMESPACE = "urn:test:cell"
PERIOD_S = 0.05


async def main(port, tags):
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/cell")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    folder = await server.nodes.objects.add_folder(index, "cell")
    nodes = []
    for n in range(tags):
        node = await folder.add_variable(ua.NodeId(f"v{n}", index), f"v{n}", 0.0)
        nodes.append(node.nodeid)
    await folder.add_variable(ua.NodeId("program", index), "program", "O1")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 1) or ended.set())
    async with server:
        print(server.bserver._server.sockets[0].getsockname()[1], flush=True)
        for value in itertools.count(1.0):
            for node in nodes:
                await server.write_attribute_value(node, ua.DataValue(ua.Variant(value)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await ended.wait()
                    return


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
