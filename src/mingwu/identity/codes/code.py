"""What a code system says about a text.

A :class:`Code` with a ``fault`` has the shape of its system but breaks one of its rules (a wrong
check digit, a prefix too long); None instead of a Code means: not this system at all. ``canonical``
is what two spellings of one code have in common; ``key`` is how the alias index knows it.
"""

from typing import Protocol

import msgspec

from mingwu.kernel.catalogue import render
from mingwu.kernel.errors import InvalidInput


class Fault(msgspec.Struct, frozen=True):
    """Which rule is broken: an error code of the catalogue and the words of its sentence."""

    code: str
    params: dict[str, object]

    def text(self, lang: str = "en") -> str:
        """The sentence in ``lang`` ("zh" or "en")."""
        return render(self.code, lang, self.params)[0]

    def next_step(self, lang: str = "en") -> str:
        """What to do about it."""
        return render(self.code, lang, self.params)[1]

    def error(self) -> InvalidInput:
        """The fault as the error it is."""
        return InvalidInput(self.code, **self.params)


class Code(msgspec.Struct, frozen=True):
    """A text read as a code of ``system``; ``kind`` is the sort within it, e.g. "gtin"."""

    system: str
    kind: str
    canonical: str
    parts: tuple[tuple[str, str], ...] = ()
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Whether it breaks no rule."""
        return self.fault is None

    @property
    def key(self) -> str:
        """System and canonical form: equal for all spellings of one code."""
        return f"{self.system}:{self.canonical}"

    def as_dict(self, lang: str = "en") -> dict[str, object]:
        """JSON-ready, with the fault as a sentence."""
        body: dict[str, object] = {
            "system": self.system,
            "kind": self.kind,
            "canonical": self.canonical,
            "parts": [{"name": name, "value": value} for name, value in self.parts],
            "ok": self.fault is None,
        }
        if self.fault is not None:
            body["fault"] = {
                "code": self.fault.code,
                "message": self.fault.text(lang),
                "next": self.fault.next_step(lang),
            }
        return body


class CodeSystem(Protocol):
    """One code system; modules of this package are such objects."""

    SYSTEM: str

    def recognise(self, text: str) -> Code | None:
        """Read ``text`` as a code of this system, or None when it has another shape."""
        ...


def fault_of(error: InvalidInput) -> Fault:
    """The fault that an error of a codec tells."""
    return Fault(error.code, error.params)
