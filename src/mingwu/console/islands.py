"""Live islands: parts of a page that the browser draws from JSON and the live socket.

An island is an empty element with the name of an ES module of ``static/`` and its options; the
module's ``mount(element, options)`` does the rest. NiceGUI serves the folder under a key made from
its contents, so browsers may keep the files for ever and still see a new release at once.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from nicegui import __version__ as nicegui_version
from nicegui import dependencies
from nicegui.element import Element
from nicegui.elements import echart as _echart  # noqa: F401 — registers the module nicegui-echart

STATIC = Path(__file__).parent / "static"
_MODULE = "mingwu-console"


@cache
def static_key() -> str:
    """Key of the static folder: a digest of what is in it."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return f"mw{digest.hexdigest()[:16]}"


def register() -> None:
    """Put the folder into NiceGUI's import map as ``mingwu-console/``."""
    dependencies.esm_modules[static_key()] = dependencies.EsmModule(name=_MODULE, path=STATIC)


def static_url(name: str) -> str:
    """Where a file of ``static/`` is served."""
    return f"/_nicegui/{nicegui_version}/esm/{static_key()}/{name}"


class Island(Element, component="static/island.js"):
    """``module`` of ``static/``, mounted with ``options`` (plain data)."""

    def __init__(self, module: str, **options: Any) -> None:
        super().__init__()
        self._props["module"] = module
        self._props["options"] = options
