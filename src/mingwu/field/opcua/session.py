"""One session with one server: connecting, its limits and namespaces, keeping it alive.

A session is made once and never mended: when the connection, the channel or the server's answer
fails it is *lost*, says so to whoever watches it, and the gateway makes a new one. Every error
that leaves this module is Unavailable with a code of this driver, or PeerError for a malformed
reply. Between reads, an idle session is kept alive, and the channel's keys are renewed at three
quarters of their life (OPC 10000-4, 5.6.2).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies, uacrypto
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from mingwu.field.opcua import rawcall
from mingwu.field.opcua.profiles import Profile, choose, least
from mingwu.field.opcua.settings import OpcuaSettings, Policy, Protection
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

_log = logging.getLogger(__name__)
# asyncua logs every lost server several times and at each attempt, up to CRITICAL, and our
# certificate at each connect; every such fault leaves this module as an error with a code.
logging.getLogger("asyncua.client").setLevel(logging.CRITICAL + 1)
logging.getLogger("asyncua.crypto").setLevel(logging.ERROR)

_DEFAULT_URI = "urn:mingwu:gateway"
_MODES = {
    Protection.SIGN: ua.MessageSecurityMode.Sign,
    Protection.ENCRYPT: ua.MessageSecurityMode.SignAndEncrypt,
}
_POLICIES: dict[Policy, Any] = {
    Policy.BASIC256SHA256: security_policies.SecurityPolicyBasic256Sha256,
    Policy.AES128: security_policies.SecurityPolicyAes128Sha256RsaOaep,
    Policy.AES256: security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_TRANSPORT_ERRORS = (OSError, TimeoutError, UaError)
_REFUSALS = ("security", "certificate", "identity", "useraccess", "usersignature", "endpoints")


class Session:
    """A connected session. Make one with :meth:`open`."""

    def __init__(self, settings: OpcuaSettings, client: Client) -> None:
        self.settings = settings
        self.client = client
        self.namespaces: tuple[str, ...] = ()
        self.profile: Profile = choose("default", "")
        self.nodes_per_read = self.items_per_call = self.nodes_per_write = 1
        self.fault: Unavailable | None = None
        self._watchers: list[Callable[[Unavailable], None]] = []
        self._used = False
        self._housekeeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: OpcuaSettings) -> "Session":
        """Connect, log in, learn namespaces and limits. Raises Unavailable."""
        client = await _client(settings)
        session = cls(settings, client)
        try:
            async with asyncio.timeout(4 * settings.timeout_ms / 1000):
                await session._connect()
        except (*_TRANSPORT_ERRORS, rawcall.ServiceFailed) as error:
            client.disconnect_socket()
            raise _refusal(settings, error) from error
        except BaseException:
            client.disconnect_socket()
            raise
        session._housekeeper = asyncio.create_task(session._keep())
        return session

    async def _connect(self) -> None:
        client = self.client
        await client.connect_socket()
        await client.send_hello()
        rawcall.limit_replies(client)
        await client.open_secure_channel()
        await client.create_session()
        settings = self.settings
        if settings.password and self._readable_password():
            _log.warning("password goes in plain text endpoint=%s", settings.endpoint)
        await client.activate_session(settings.user or None, settings.password or None)
        await self._learn()

    def _readable_password(self) -> bool:
        """Whether neither the server's token policy nor the channel encrypts the password."""
        policy = self.client.server_policy(ua.UserTokenType.UserName).SecurityPolicyUri
        plain = not policy or policy == security_policies.SecurityPolicyNone.URI
        encrypted = ua.MessageSecurityMode.SignAndEncrypt
        return plain and self.client.security_policy.Mode != encrypted

    async def _learn(self) -> None:
        """Namespaces, identity and limits, in one Read."""
        asked = {
            "namespaces": ObjectIds.Server_NamespaceArray,
            "maker": ObjectIds.Server_ServerStatus_BuildInfo_ManufacturerName,
            "product": ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
            "read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
            "write": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerWrite,
            "items": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
        }
        found = await self.client.uaclient.read_attributes(
            [ua.NodeId(ua.Int32(number)) for number in asked.values()], AttributeIds.Value
        )
        said = {
            name: value.Value.Value if value.Value is not None else None
            for name, value in zip(asked, found, strict=True)
        }
        limits = {name: _limit(said[name]) for name in ("read", "write", "items")}
        self.namespaces = tuple(str(uri) for uri in said["namespaces"] or ())
        self.profile = choose(self.settings.profile, f"{said['maker']} {said['product']}")
        profile = self.profile
        self.nodes_per_read = least(
            self.settings.nodes_per_read or profile.nodes_per_read, limits["read"]
        )
        self.nodes_per_write = least(profile.nodes_per_write, limits["write"]) or 100
        self.items_per_call = least(profile.items_per_call, limits["items"]) or 1000

    @property
    def in_flight(self) -> int:
        return self.settings.in_flight or self.profile.in_flight

    def watch(self, lost: Callable[[Unavailable], None]) -> None:
        """Call ``lost`` once when the session is lost (at once if it already is)."""
        if self.fault is not None:
            lost(self.fault)
        else:
            self._watchers.append(lost)

    def lose(self, fault: Unavailable) -> Unavailable:
        """Declare the session lost; only the first fault counts. Returns that fault."""
        if self.fault is None:
            self.fault = fault
            watchers, self._watchers = self._watchers, []
            for lost in watchers:
                lost(fault)
        return self.fault

    async def raw(
        self, kind: int, body: bytes, *, reply: int, timeout_s: float | None = -1.0
    ) -> tuple[bytes, int]:
        """One service call in bytes; ``timeout_s`` None waits for ever, -1 as the settings say.

        Raises ServiceFailed for a bad service result, Malformed, Unavailable when lost.
        """
        if timeout_s == -1.0:
            timeout_s = self.settings.timeout_ms / 1000
        self._used = True
        if self.fault is not None:
            raise self.fault
        try:
            return await rawcall.call(self.client, kind, body, reply=reply, timeout_s=timeout_s)
        except rawcall.ServiceFailed as error:
            if "Session" in str(error) or "SecureChannel" in str(error):
                raise self.lose(self._lost(error)) from error
            raise
        except _TRANSPORT_ERRORS as error:
            raise self.lose(self._lost(error)) from error

    async def service(self, call: Any) -> Any:
        """Await one of asyncua's service calls with our time limit and errors.

        Raises ServiceFailed for a bad service result, Unavailable when lost.
        """
        self._used = True
        try:
            async with asyncio.timeout(self.settings.timeout_ms / 1000):
                return await call
        except UaStatusCodeError as error:
            raise rawcall.ServiceFailed(int(error.code)) from error
        except _TRANSPORT_ERRORS as error:
            raise self.lose(self._lost(error)) from error

    def _lost(self, error: Exception) -> Unavailable:
        endpoint = self.settings.endpoint
        if isinstance(error, TimeoutError):
            timeout_ms = self.settings.timeout_ms
            return Unavailable("opcua.timeout", endpoint=endpoint, timeout_ms=timeout_ms)
        return Unavailable("opcua.lost", endpoint=endpoint, fault=_words(error))

    async def _keep(self) -> None:
        """Keep an idle session alive and renew the channel's keys."""
        loop = asyncio.get_running_loop()
        renew_s = 0.75 * self.client.secure_channel_timeout / 1000
        tick_s = min(self.client.session_timeout / 3000, renew_s)
        renewed = loop.time()
        while self.fault is None:
            await asyncio.sleep(tick_s)
            idle, self._used = not self._used, False
            try:
                if loop.time() - renewed >= renew_s * 0.99:
                    await self.client.open_secure_channel(renew=True)
                    self.client.uaclient.revolve_security_token()
                    renewed = loop.time()
                elif idle:
                    await self.client.nodes.server_state.read_value()
            except _TRANSPORT_ERRORS as error:
                self.lose(self._lost(error))

    async def close(self) -> None:
        """Say good-bye if the server still listens, and drop the connection. Never raises."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._housekeeper
        healthy = self.fault is None
        self.lose(
            Unavailable(
                "opcua.lost", endpoint=self.settings.endpoint, fault=Phrase("closed", "连接已关闭")
            )
        )
        if healthy:
            with contextlib.suppress(*_TRANSPORT_ERRORS):
                async with asyncio.timeout(min(self.settings.timeout_ms / 1000, 1.0)):
                    await self.client.close_session()
                    await self.client.close_secure_channel()
        self.client.disconnect_socket()


async def _client(settings: OpcuaSettings) -> Client:
    client = Client(settings.endpoint, timeout=settings.timeout_ms / 1000)
    client.name = client.description = "Mingwu gateway"
    client.application_uri = settings.application_uri or _DEFAULT_URI
    client.product_uri = "urn:mingwu"
    client.session_timeout = int(settings.session_timeout_s * 1000)
    client.secure_channel_timeout = int(settings.channel_lifetime_s * 1000)
    if settings.policy is Policy.NONE:
        return client
    try:
        if not settings.application_uri:
            client.application_uri = await _uri_of(settings.certificate) or _DEFAULT_URI
        async with asyncio.timeout(4 * settings.timeout_ms / 1000):
            await client.set_security(
                _POLICIES[settings.policy],
                settings.certificate,
                settings.private_key,
                server_certificate=settings.server_certificate or None,
                mode=_MODES[settings.protection],
            )
    except (FileNotFoundError, PermissionError, ValueError) as error:
        raise Unavailable(
            "opcua.credentials", endpoint=settings.endpoint, fault=_words(error)
        ) from error
    except _TRANSPORT_ERRORS as error:
        client.disconnect_socket()
        raise _refusal(settings, error) from error
    return client


async def _uri_of(certificate: str) -> str:
    """The application URI a certificate was made for (OPC 10000-6, 6.2.2); empty if none."""
    found = await uacrypto.load_certificate(certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.value.get_values_for_type(x509.UniformResourceIdentifier)), "")


def _limit(said: object) -> int:
    """An operation limit as a server states it; 0 (no limit) when it does not."""
    return said if isinstance(said, int) else 0


def _refusal(settings: OpcuaSettings, error: Exception) -> Unavailable:
    words = _words(error)
    refused = any(part in words.lower() for part in _REFUSALS)
    code = "opcua.refused" if refused else "opcua.unreachable"
    return Unavailable(code, endpoint=settings.endpoint, fault=words)


def _words(error: BaseException) -> str:
    if isinstance(error, UaStatusCodeError):
        return rawcall.status_name(int(error.code))
    return told(error)
