"""OPC UA server of a machining line: values by exception, faults on the wire.

A value is written only when it moved by its resolution, because every write costs the server a
notification for every client (about 50 µs). Faults of the endpoint reach the wire through the
transport: late, as noise, or not at all; faults of a machine show as bad status or NaN.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes
from cryptography.x509.oid import ExtendedKeyUsageOID

from mingwu.kernel.plant import ValueType
from mingwu.lab.gate import Gate
from mingwu.lab.physics.laws import Readings, Value
from mingwu.lab.plant.milling import NAMESPACE
from mingwu.lab.servers.addressspace import VARIANT, Machine, Point, build

# asyncua tells every lost client and every wrong byte; here both are wanted, and told by us.
for _name_of_log in ("asyncua.server", "asyncua.crypto", "asyncua.common"):
    logging.getLogger(_name_of_log).setLevel(logging.CRITICAL)

_StatusCode: Any = ua.StatusCode  # annotated with a wire type, takes plain numbers
_GOOD = _StatusCode(StatusCodes.Good)
_BAD = _StatusCode(StatusCodes.BadCommunicationError)


class _Shown(ua.DataValue):
    """A value that copies as itself: asyncua keeps a deep copy per client of what cannot change."""

    def __deepcopy__(self, _memo: dict[int, object]) -> "_Shown":
        return self


class _Transport(asyncio.Transport):
    """What a server writes, as the endpoint's gate lets it through."""

    def __init__(self, inner: asyncio.Transport, gate: Gate, noise: Random) -> None:
        super().__init__()
        self._inner, self._gate, self._noise = inner, gate, noise

    def write(self, data: Any) -> None:
        if self._gate.garbage:
            data = self._noise.randbytes(len(data))
        if self._gate.delay_s > 0:
            asyncio.get_running_loop().call_later(self._gate.delay_s, self._send, bytes(data))
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        # Subscriptions still publish to a client that has just gone.
        if not self._inner.is_closing():
            self._inner.write(data)

    def close(self) -> None:
        self._inner.close()

    def abort(self) -> None:
        self._inner.abort()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)


class _Protocol(OPCUAProtocol):
    gate: Gate
    noise: Random

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        if self.gate.dead:
            stream.abort()
        else:
            super().connection_made(_Transport(stream, self.gate, self.noise))


class _Listener(BinaryServer):
    gate: Gate
    noise: Random

    def _make_protocol(self) -> _Protocol:
        made = _Protocol(
            iserver=self.iserver,
            policies=self._policies,
            clients=self.clients,
            closing_tasks=self.closing_tasks,
            limits=self.limits,
        )
        made.gate, made.noise = self.gate, self.noise
        return made


class _Server(Server):
    """asyncua's server with our listener: the one place that knows how it starts (2.1)."""

    gate: Gate
    listener: _Listener

    async def start(self) -> None:
        await self._setup_server_nodes()
        await self.iserver.start()
        host, port = cast("tuple[str, int]", self._get_bind_socket_info())
        listener = _Listener(self.iserver, host, port, self.limits)
        listener.gate, listener.noise = self.gate, Random(self.endpoint.geturl())
        listener.set_policies(self._policies)
        try:
            await listener.start()
        except OSError:
            await self.iserver.stop()
            raise
        self.bserver = self.listener = listener


class OpcuaEndpoint:
    """One OPC UA server. ``gate`` is the endpoint's; each machine has its own besides."""

    def __init__(self, name: str, machines: Sequence[Machine], pki: Path) -> None:
        self.name, self.machines, self.gate = name, machines, Gate()
        self.port = 0
        self._pki = pki
        self._server: _Server | None = None

    async def start(self, host: str, port: int, path: str) -> None:
        """Build the address space and listen; raises OSError when the port is taken."""
        server = _Server()
        server.gate = self.gate
        await server.init()
        server.set_server_name(f"Jiangzhou machining {self.name}")
        await self._protect(server, f"urn:jiangzhou:{self.name}")
        server.set_endpoint(f"opc.tcp://{host}:{port}{path}")
        index = await server.register_namespace(NAMESPACE)
        await build(server, index, self.machines)
        await server.start()
        self.port = server.listener.port
        server.set_endpoint(f"opc.tcp://{host}:{self.port}{path}")
        self._server = server

    async def _protect(self, server: _Server, uri: str) -> None:
        """Offer None and Basic256Sha256 with a self-signed certificate of our own."""
        self._pki.mkdir(parents=True, exist_ok=True)
        key, certificate = self._pki / f"{self.name}.pem", self._pki / f"{self.name}.der"
        await setup_self_signed_certificate(
            key, certificate, uri, "localhost", [ExtendedKeyUsageOID.SERVER_AUTH],
            {"commonName": f"Jiangzhou {self.name}", "organizationName": "Jiangzhou (simulated)"},
        )  # fmt: skip
        key.chmod(0o600)
        await server.set_application_uri(uri)
        await server.load_certificate(certificate)
        await server.load_private_key(key)
        policies = ua.SecurityPolicyType
        server.set_security_policy(
            [
                policies.NoSecurity,
                policies.Basic256Sha256_Sign,
                policies.Basic256Sha256_SignAndEncrypt,
            ]
        )

    async def put_fast(self, time_s: float) -> None:
        """Write what moved of the fast channels."""
        for machine in self.machines:
            await self._put(machine, machine.fast, time_s)

    async def put(self, machine: Machine, time_s: float) -> None:
        """Write what moved of one machine."""
        await self._put(machine, machine.slow, time_s)

    async def _put(self, machine: Machine, points: list[Point], time_s: float) -> None:
        server, gate = self._server, machine.gate
        if server is None:
            return
        readings = gate.shown(machine.readings)
        stamp: Any = None
        for point in points:
            value = self._value(point, readings, gate)
            # NaN differs from itself: a device that sends garbage sends it every time. One whose
            # clock is wrong shows it in what stands still too, and once more when it is set right.
            if value == point.last and not (gate.skew_s or point.skew_s):
                continue
            point.last, point.skew_s = value, gate.skew_s
            if stamp is None:
                stamp = datetime.fromtimestamp(time_s, UTC) + timedelta(seconds=gate.skew_s)
            status = _GOOD if value is not None else _BAD
            held = ua.Variant(value, VARIANT[point.type]) if value is not None else None
            await server.write_attribute_value(
                point.node, _Shown(held, status, SourceTimestamp=stamp)
            )

    @staticmethod
    def _value(point: Point, readings: Readings, gate: Gate) -> Value | None:
        """The value shown, or None for no communication with the machine."""
        if gate.dead:
            return None
        if point.type is not ValueType.FLOAT:
            return readings[point.name]
        if gate.garbage:
            return math.nan
        return round(float(readings[point.name]), point.digits)

    def drop_connections(self) -> None:
        """Cut every session: the server has lost its power."""
        if self._server is not None:
            for transport in list(self._server.iserver.asyncio_transports):
                transport.abort()

    async def stop(self) -> None:
        """Close the server."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
