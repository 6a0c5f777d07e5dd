"""TLS of the HTTP interface, with client certificates that nobody has to have signed.

Administrators show self-signed certificates whose subject (UID or CN) names their key as
``index:handle``; the handshake proves that they hold the private key, and ``server.clientcert``
compares the key with the record. Python's ``ssl`` refuses what no authority signed, so TLS runs
through pyOpenSSL over memory buffers here: bytes in from the transport, plain bytes to the inner
protocol, and back. A handshake must be done within ``handshake_s``; TLS 1.2 is the least; there is
no renegotiation and no resumption.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from cryptography import x509
from OpenSSL import SSL

from mingwu.identity.server.door import Doorkeeper
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError

log = logging.getLogger(__name__)

_CHUNK = 65_536
_HANDSHAKE = 0x16  # TLS record type, which no HTTP request begins with


def server_context(certificate_file: str, key_file: str) -> SSL.Context:
    """A context that asks clients for a certificate and takes any; ConfigError ``identity.tls``."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER, _any_certificate)
    try:
        context.use_certificate_chain_file(certificate_file)
        context.use_privatekey_file(key_file)
        context.check_privatekey()
    except (SSL.Error, OSError) as error:
        detail = ", ".join(part[-1] for part in error.args[0]) if error.args and isinstance(
            error.args[0], list
        ) else str(error)  # fmt: skip
        raise ConfigError(
            "identity.tls", detail=detail or Phrase("unusable file", "文件无法使用")
        ) from error
    return context


def _any_certificate(*_: object) -> bool:
    """Whose key it is, is judged by records, not by authorities."""
    return True


class EitherConnection(asyncio.Protocol):
    """A port that serves both, as the reference server's: the first byte tells TLS from HTTP."""

    def __init__(
        self,
        plain: Callable[[], asyncio.Protocol],
        secure: Callable[[], asyncio.Protocol],
        door: Doorkeeper,
        wait_s: float,
    ) -> None:
        self._plain, self._secure = plain, secure
        self._door = door
        self._wait_s = wait_s
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._door.admit(self._transport):
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._wait_s, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        self._leave()
        chosen = self._secure() if data[0] == _HANDSHAKE else self._plain()
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
        chosen.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._leave()

    def _leave(self) -> None:
        """Give the place at the door to the protocol that takes over."""
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._door.leave(self._transport)
        self._transport = None


class TlsTransport(asyncio.Transport):
    """What the inner protocol writes to."""

    def __init__(self, outer: "TlsConnection") -> None:
        super().__init__()
        self._outer = outer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._outer.connection
        if name == "client_certificate":
            return self._outer.client_certificate()
        raw = self._outer.raw
        return raw.get_extra_info(name, default) if raw else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._outer.send(bytes(data))

    def close(self) -> None:
        self._outer.shut()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._outer.say_goodbye()

    def get_write_buffer_size(self) -> int:
        return self._outer.raw.get_write_buffer_size() if self._outer.raw else 0

    def abort(self) -> None:
        if self._outer.raw:
            self._outer.raw.abort()

    def is_closing(self) -> bool:
        return self._outer.raw is None or self._outer.raw.is_closing()

    def pause_reading(self) -> None:
        if self._outer.raw:
            self._outer.raw.pause_reading()

    def resume_reading(self) -> None:
        if self._outer.raw:
            self._outer.raw.resume_reading()


class TlsConnection(asyncio.Protocol):
    """One connection: TLS outside, ``inner`` inside."""

    def __init__(
        self, context: SSL.Context, inner: Callable[[], asyncio.Protocol], handshake_s: float
    ) -> None:
        self.connection = SSL.Connection(context, None)
        self.connection.set_accept_state()
        self.raw: asyncio.Transport | None = None
        self._inner = inner()
        self._handshake_s = handshake_s
        self._timer: asyncio.TimerHandle | None = None
        self._shaken = False
        self._ended = False

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.raw = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._handshake_s, self._too_slow)
        self._inner.connection_made(TlsTransport(self))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._ended = True
        self._inner.connection_lost(exc)
        self.raw = None

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self.connection.bio_write(data)
            if not self._shaken:
                self.connection.do_handshake()
                self._shaken = True
                self._stop_timer()
            self._read()
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            if not self._inner.eof_received():
                self.shut()
        except SSL.Error as error:
            log.debug("tls fault=%s", error)
            self._flush()
            self._end()
            return
        self._flush()

    def _read(self) -> None:
        while not self._ended:
            self._inner.data_received(self.connection.recv(_CHUNK))

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    # -- for the transport --------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Encrypt and send; silently nothing once the connection is over."""
        if self._ended or not data:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self.connection.send(view) :]
        except SSL.Error as error:
            log.debug("tls fault=%s", error)
            self._end()
        self._flush()

    def shut(self) -> None:
        """Say goodbye and close."""
        if self._ended:
            return
        self.say_goodbye()
        self._end()

    def say_goodbye(self) -> None:
        """Tell the other side that nothing more comes; what it sends is still read."""
        if self._ended:
            return
        try:
            self.connection.shutdown()
        except SSL.Error as error:
            log.debug("tls fault=%s", error)  # e.g. before the handshake: nothing to say
        self._flush()

    def client_certificate(self) -> x509.Certificate | None:
        """What the client showed, its private key proven by the handshake."""
        return self.connection.get_peer_certificate(as_cryptography=True) if self._shaken else None

    def _flush(self) -> None:
        raw = self.raw
        try:
            while raw and (data := self.connection.bio_read(_CHUNK)):
                raw.write(data)
        except SSL.WantReadError:
            return

    def _end(self) -> None:
        self._ended = True
        self._stop_timer()
        if self.raw:
            self.raw.close()

    def _too_slow(self) -> None:
        if self.raw:
            self.raw.abort()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
