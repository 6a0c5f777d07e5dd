"""One HTTP request and one reply, without a socket."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from cryptography.x509 import Certificate

TUNNEL = "application/x-hdl-message"
JSON = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``target`` is path and query as sent; header names are lower-case.

    ``certificate``: what the client showed in the TLS handshake, its key proven, its signer not.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    source: str = ""
    secure: bool = False
    certificate: Certificate | None = None

    @property
    def is_tunnel(self) -> bool:
        """Whether a message of the binary protocol is inside."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        return self.method == "POST" and kind.strip().lower() == TUNNEL

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        path = unquote(self.target.partition("?")[0])
        # What is no Unicode text becomes "?": it names nothing, and JSON could not repeat it.
        return path if path.isascii() else path.encode(errors="replace").decode()

    @property
    def query(self) -> dict[str, list[str]]:
        """Query parameters."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply; ``headers`` come on top of content type and length."""

    status: int
    body: bytes = b""
    type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
