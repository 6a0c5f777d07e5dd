"""Settings of the console process: those of its listener and a few of its pages."""

from typing import Annotated

from msgspec import Meta

from mingwu.api.settings import ApiSettings


class ConsoleSettings(ApiSettings, frozen=True, kw_only=True):
    """The console listens as the API does and serves the same routes, on a port of its own."""

    # TCP port; 0 lets the system choose (tests).
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    # Seconds a page may be out of touch (a Wi-Fi gap) before its server side is dropped.
    reconnect_s: Annotated[float, Meta(ge=5, le=600)] = 30.0
    # Address printed into QR codes in front of an identifier, e.g. https://mingwu.example.com;
    # empty: the code holds the identifier alone.
    public_url: str = ""
