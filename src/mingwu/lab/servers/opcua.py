"""OPC UA server of a machining line: an object type, one object per machine, values by exception.

Nodes are made from the tags of the plant file: ``MC01.Spindle.SpindleLoad`` is the component
SpindleLoad of the folder Spindle of the object MC01. A value is written only when it moved by its
resolution, because every write costs the server a notification for every client (about 50 µs).
Faults reach the wire through the transport: late, as noise, or not at all.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography.x509.oid import ExtendedKeyUsageOID

from mingwu.kernel.plant import ValueType
from mingwu.kernel.units import display
from mingwu.lab.gate import Gate
from mingwu.lab.physics.laws import Readings
from mingwu.lab.plant.milling import NAMESPACE, OBJECT_TYPE
from mingwu.registry.expand import ResolvedTag

# asyncua tells every lost client and every wrong byte; here both are wanted, and told by us.
for _name_of_log in ("asyncua.server", "asyncua.crypto", "asyncua.common"):
    logging.getLogger(_name_of_log).setLevel(logging.CRITICAL)

FAST_MS = 1000
_VARIANT = {
    ValueType.FLOAT: ua.VariantType.Double,
    ValueType.INT: ua.VariantType.Int32,
    ValueType.BOOL: ua.VariantType.Boolean,
    ValueType.TEXT: ua.VariantType.String,
}
_EMPTY: dict[ValueType, float | int | bool | str] = {
    ValueType.FLOAT: 0.0,
    ValueType.INT: 0,
    ValueType.BOOL: False,
    ValueType.TEXT: "",
}
# UNECE Rec 20 codes (OPC 10000-8, 5.6.3: the unit id is the code's characters as a number).
_UNECE = {
    "%": "P1", "{rpm}": "RPM", "kW": "KWT", "kW.h": "KWH", "N.m": "NU", "mm/s": "C16",
    "mm/min": "H81", "bar": "BAR", "L/min": "L2", "A": "AMP", "um": "4H", "mm": "MMT",
    "deg": "DD", "s": "SEC", "Cel": "CEL",
}  # fmt: skip
_UNITS_URI = "http://www.opcfoundation.org/UA/units/un/cefact"
# asyncua annotates these with its own wire types and takes plain Python values.
_NodeId: Any = ua.NodeId
_QualifiedName: Any = ua.QualifiedName
_StatusCode: Any = ua.StatusCode
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


@dataclass
class _Point:
    """One variable of one machine and what it shows."""

    name: str
    node: Any
    type: ValueType
    digits: int
    last: float | int | bool | str | None = None


@dataclass
class Machine:
    """A machining centre on the server: its readings, its own gate, its variables."""

    node: str
    readings: Readings
    gate: Gate
    tags: Sequence[ResolvedTag]
    fast: list[_Point] = field(default_factory=list)
    slow: list[_Point] = field(default_factory=list)


def digits_of(band: float) -> int:
    """Decimals a value is shown with: the first that a change must reach to be reported."""
    return 3 if band <= 0 else max(0, math.ceil(-math.log10(band)))


def _name(text: str, index: int) -> Any:
    return _QualifiedName(text, index)


def _split(address: str) -> tuple[str, str, str]:
    """(machine, folder, name) of ``nsu=…;s=MC01.Spindle.SpindleLoad``."""
    machine, folder, name = address.partition(";s=")[2].split(".")
    return machine, folder, name


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
        await self._build(server, index)
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

    async def _build(self, server: _Server, index: int) -> None:
        """The type, then every machine as an object of it with the same components."""
        types = server.nodes.base_object_type
        kind = await types.add_object_type(_NodeId(OBJECT_TYPE, index), _name(OBJECT_TYPE, index))
        await self._components(kind, OBJECT_TYPE, index, self.machines[0].tags, mandatory=True)
        hall = await server.nodes.objects.add_object(index, "MachiningLine")
        base, defined_by = ObjectIds.BaseObjectType, ObjectIds.HasTypeDefinition
        for machine in self.machines:
            label = _name(machine.node, index)
            made = await hall.add_object(_NodeId(machine.node, index), label)
            await made.delete_reference(base, defined_by)
            await made.add_reference(kind, defined_by)
            points = await self._components(made, machine.node, index, machine.tags)
            for tag, point in zip(machine.tags, points, strict=True):
                (machine.fast if tag.period_ms < FAST_MS else machine.slow).append(point)

    async def _components(
        self, parent: Any, prefix: str, index: int, tags: Sequence[ResolvedTag],
        *, mandatory: bool = False,
    ) -> list[_Point]:  # fmt: skip
        """Folders and variables under a machine or the type, with identifiers below ``prefix``."""
        folders: dict[str, Any] = {}
        points: list[_Point] = []
        for tag in tags:
            _, folder, name = _split(tag.address)
            made: list[Any] = []
            if folder not in folders:
                place = _NodeId(f"{prefix}.{folder}", index)
                folders[folder] = await parent.add_object(place, _name(folder, index))
                made.append(folders[folder])
            node = _NodeId(f"{prefix}.{folder}.{name}", index)
            empty = ua.Variant(_EMPTY[tag.type], _VARIANT[tag.type])
            variable = await folders[folder].add_variable(node, _name(name, index), empty)
            made += [variable, *await self._describe(variable, node.Identifier, index, tag)]
            if mandatory:
                for component in made:
                    await component.set_modelling_rule(True)
            digits = digits_of(tag.deadband.absolute)
            points.append(_Point(tag.property, node, tag.type, digits))
        return points

    @staticmethod
    async def _describe(variable: Any, prefix: str, index: int, tag: ResolvedTag) -> list[Any]:
        """Range and unit of a measured variable as its properties (OPC 10000-8, 5.3.2)."""
        if tag.type is not ValueType.FLOAT or tag.low is None or tag.high is None:
            return []
        text = ua.LocalizedText(display(tag.unit))
        unit = ua.EUInformation(
            NamespaceUri=_UNITS_URI,
            UnitId=int.from_bytes(_UNECE.get(tag.unit, "C62").encode(), "big"),
            DisplayName=text,
            Description=text,
        )
        span = ua.Range(Low=tag.low, High=tag.high)
        return [
            await variable.add_property(_NodeId(f"{prefix}.{name}", index), _name(name, 0), value)
            for name, value in (("EURange", span), ("EngineeringUnits", unit))
        ]

    async def put_fast(self, time_s: float) -> None:
        """Write what moved of the fast channels."""
        for machine in self.machines:
            await self._put(machine, machine.fast, time_s)

    async def put(self, machine: Machine, time_s: float) -> None:
        """Write what moved of one machine."""
        await self._put(machine, machine.slow, time_s)

    async def _put(self, machine: Machine, points: list[_Point], time_s: float) -> None:
        server, gate = self._server, machine.gate
        if server is None:
            return
        readings = gate.shown(machine.readings)
        stamp: Any = None
        for point in points:
            value = self._value(point, readings, gate)
            # NaN differs from itself: a device that sends garbage sends it every time.
            if value == point.last and not gate.skew_s:
                continue
            point.last = value
            if stamp is None:
                stamp = datetime.fromtimestamp(time_s, UTC) + timedelta(seconds=gate.skew_s)
            status = _GOOD if value is not None else _BAD
            held = ua.Variant(value, _VARIANT[point.type]) if value is not None else None
            await server.write_attribute_value(
                point.node, _Shown(held, status, SourceTimestamp=stamp)
            )

    @staticmethod
    def _value(point: _Point, readings: Readings, gate: Gate) -> float | int | bool | str | None:
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
