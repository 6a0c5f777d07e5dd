"""How frames travel between a carrier and the platform: one request, one reply.

The frames protect themselves (signatures, freshness); the bearer's TLS adds secrecy. HTTPS is
``POST /carriers/exchange`` with ``application/octet-stream`` both ways.
"""

import ssl
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

PATH = "/carriers/exchange"
MEDIA_TYPE = "application/octet-stream"
_OK = 200


class Bearer(Protocol):
    """Carries a frame to the platform and brings its reply."""

    async def exchange(self, frame: bytes) -> bytes:
        """The platform's frame; raises Unavailable ``carriers.unreachable``."""
        ...


class HttpsBearer:
    """HTTPS; ``address`` is the platform's base address (``https://host:port``)."""

    def __init__(
        self, address: str, *, tls: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ) -> None:
        self.address = address.rstrip("/")
        self._tls = tls if tls is not None else True  # True: the system's authorities
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(self, frame: bytes) -> bytes:
        """See :class:`Bearer`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(
                self.address + PATH, data=frame, headers={"content-type": MEDIA_TYPE}, ssl=self._tls
            ) as reply:
                if reply.status != _OK:
                    raise self._unreachable(f"HTTP {reply.status}")
                return await reply.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(told(error)) from error

    def _unreachable(self, fault: str) -> Unavailable:
        return Unavailable("carriers.unreachable", address=self.address, fault=fault)
