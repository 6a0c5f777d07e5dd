"""Settings of the HTTP face: where it listens and what it allows one client to take."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class ApiSettings(Settings, frozen=True, kw_only=True):
    """One listener of the API (and of the console, which mounts the same routes)."""

    # Address to listen on; keep loopback unless a proxy with TLS or a plant LAN stands before it.
    host: str = "127.0.0.1"
    # TCP port; 0 lets the system choose (tests).
    port: Annotated[int, Meta(ge=0, le=65535)] = 8081
    # Send the session cookie over HTTPS only. Switch on behind a TLS proxy.
    secure_cookie: bool = False
    # Open live WebSockets in this process; one more is refused with 429.
    live_clients: Annotated[int, Meta(ge=1, le=10_000)] = 500
    # Pushes per second to a live client at most; only changed tags travel.
    live_hz: Annotated[float, Meta(ge=0.2, le=20)] = 10.0
    # Frames waiting for one slow client before it is brought up to date by a snapshot instead.
    live_backlog: Annotated[int, Meta(ge=2, le=1000)] = 16
    # Tags in one live subscription.
    live_tags: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    # Rows in one CSV export.
    export_rows: Annotated[int, Meta(ge=1, le=100_000_000)] = 2_000_000
    # Largest request body, bytes (plant files are the largest).
    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = 16 << 20
