"""The one error tree.

Every error that can reach a person carries a stable ``code`` (the key of its zh/en texts in
``kernel.catalogue``), placeholders for that text, and the HTTP status a server answers with.
Expected outcomes (a value is bad, a name is unknown to a search) are values, not exceptions.
"""

from typing import ClassVar

from mingwu.kernel.catalogue import render


class MingwuError(Exception):
    """Base of the tree. ``code`` selects the message; keyword arguments fill its placeholders."""

    status: ClassVar[int] = 500

    def __init__(self, code: str, /, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code, params)

    def __str__(self) -> str:
        return self.text("en")

    def text(self, lang: str = "en") -> str:
        """What happened, in ``lang`` ("zh" or "en"), one sentence."""
        return render(self.code, lang, self.params)[0]

    def next_step(self, lang: str = "en") -> str:
        """What the reader can do about it, in ``lang``."""
        return render(self.code, lang, self.params)[1]

    def as_dict(self, lang: str = "en") -> dict[str, object]:
        """The body of an HTTP error reply."""
        return {"code": self.code, "message": self.text(lang), "next": self.next_step(lang)}


class ConfigError(MingwuError):
    """A configuration fault; ``path`` names the place, e.g. ``$.gateway.devices[2].port``."""

    status = 400


class InvalidInput(MingwuError):
    """Input from outside that does not fit its declared shape or range."""

    status = 400


class NotFound(MingwuError):
    """A name, row or resource that does not exist."""

    status = 404


class Conflict(MingwuError):
    """The write contradicts what is stored."""

    status = 409


class Denied(MingwuError):
    """Authenticated, but not allowed."""

    status = 403


class NotAuthenticated(MingwuError):
    """No or bad credentials."""

    status = 401


class Overloaded(MingwuError):
    """A limit was reached; the same request may succeed later."""

    status = 429


class Unavailable(MingwuError):
    """A peer or engine is not there now; retrying is right."""

    status = 503


class PeerError(MingwuError):
    """The other side spoke wrongly: malformed frames, impossible lengths."""

    status = 502
