"""The frame of every page: head, side navigation, top bar, content.

Static parts are HTML made here (escaped, in the reader's language); what lives is an island. The
frame decides theme and language before the first paint, so nothing flashes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from html import escape

from nicegui import ui
from nicegui.context import context
from nicegui.language import Language

from mingwu.api.ports import Principal
from mingwu.console import namepages, nodepages, templatepages
from mingwu.console.islands import Island, static_url
from mingwu.console.texts import tables as texts

# (heading, ((path, text key, icon), ...)) — the part of the house menu that exists today.
_MENU = (
    (
        "nav.watch",
        (
            ("/", "nav.overview", "overview"),
            ("/tags", "nav.tags", "tags"),
            ("/history", "nav.history", "trend"),
        ),
    ),
    ("nav.access", (("/gateways", "nav.gateways", "gateway"),)),
    (
        "nav.names",
        (
            *namepages.MENU,
            *templatepages.MENU,
            ("/resolve", "nav.resolve", "resolve"),
            ("/scan", "nav.scan", "scan"),
        ),
    ),
    ("nav.nodes", nodepages.MENU),
)

_HTML_LANG: dict[str, Language] = {"zh": "zh-CN", "en": "en-GB"}

_SHEETS = (
    "mingwu.css",
    "names.css",
    "desk.css",
    "imports.css",
    "nodes.css",
    "scan.css",
    "templates.css",
)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a page is drawn with. ``simulated``: this page can show simulated data.

    ``areas``: whose words its islands need besides those of the plant; ``parts``: what this node
    runs, so that a page of something else can say what to write into the configuration;
    ``absent``: pages whose part does not run here, as the menu says.
    """

    lang: str
    principal: Principal | None
    path: str
    title: str
    plant: str = ""
    simulated: bool = False
    areas: tuple[str, ...] = ("names",)
    parts: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()

    @property
    def words(self) -> Mapping[str, str]:
        """The texts of the reader's language."""
        return texts.table(self.lang)


def icon(name: str, label: str = "") -> str:
    """An icon of the sprite; with a label it is an image for screen readers, else decoration."""
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return f'<svg class="mw-icon" {role}><use href="{static_url("icons.svg")}#{name}"/></svg>'


def head(frame: Frame) -> None:
    """Title, style sheet, and what islands must know, in the page's head."""
    principal = frame.principal
    config = {
        "lang": frame.lang,
        "account": principal.account if principal else "",
        "role": principal.role if principal else "",
        "icons": static_url("icons.svg"),
        "parts": frame.parts,
        "texts": texts.page_words(frame.lang, frame.areas),
    }
    data = json.dumps(config, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    client = context.client
    client.title = f"{frame.title} · {frame.words['product']}"
    client.page = copy(client.page)  # one object serves all readers of an address
    client.page.language = _HTML_LANG[frame.lang]  # what NiceGUI itself says, too
    ui.add_head_html(
        f'<script>document.documentElement.lang="{_HTML_LANG[frame.lang]}";'
        'document.documentElement.dataset.theme=localStorage.getItem("mw-theme")||'
        '(matchMedia("(prefers-color-scheme: dark)").matches?"dark":"light");</script>'
        + "".join(f'<link rel="stylesheet" href="{static_url(name)}">' for name in _SHEETS)
        + f'<script id="mw-config" type="application/json">{data}</script>'
    )


@contextmanager
def shell(frame: Frame) -> Iterator[None]:
    """Draw the frame; the body of the ``with`` fills the content."""
    head(frame)
    html = ui.html(_side(frame) + _top(frame), sanitize=False)
    html.classes("mw-frame")
    # the page around it is NiceGUI's, a <main> of its own
    with ui.element("div").classes("mw-main").props('id="content" tabindex="-1"'):
        yield
    Island("shell")


def _side(frame: Frame) -> str:
    words = frame.words
    groups = "".join(
        f'<div class="mw-nav-group"><div class="mw-nav-head">{escape(words[heading])}</div>'
        + "".join(_link(frame, *entry) for entry in entries)
        + "</div>"
        for heading, entries in _MENU
    )
    return (
        f'<a class="mw-skip" href="#content">{escape(words["skip"])}</a>'
        '<nav class="mw-side" id="mw-side" aria-label="Mingwu">'
        f'<a class="mw-brand" href="/">{brand()}<span class="mw-brand-text">'
        f"<b>{escape(words['product'])}</b><i>{escape(words['tagline'])}</i></span></a>"
        f'{groups}<div class="mw-side-foot"><span id="mw-link" class="mw-link" data-state="wait">'
        f'<span class="mw-dot"></span><span id="mw-link-text">{escape(words["live.wait"])}</span>'
        "</span></div></nav>"
        '<div class="mw-scrim" id="mw-scrim"></div>'
    )


def _link(frame: Frame, path: str, key: str, symbol: str) -> str:
    here = frame.path == path
    current = ' aria-current="page"' if here else ""
    off = f"<small>{escape(frame.words['nav.absent'])}</small>" if path in frame.absent else ""
    return (
        f'<a class="mw-nav" href="{path}"{current}{" data-absent" if off else ""}>{icon(symbol)}'
        f"<span>{escape(frame.words[key])}</span>{off}</a>"
    )


def _top(frame: Frame) -> str:
    words = frame.words
    principal = frame.principal
    badge = simulated_badge(frame.words) if frame.simulated else ""
    other = "en" if frame.lang == "zh" else "zh"
    account = escape(principal.account if principal else "")
    role = escape(words.get(f"role.{principal.role}", "") if principal else "")
    burger = 'aria-expanded="false" aria-controls="mw-side"'
    language = escape(words["language"])
    return (
        '<header class="mw-top">'
        f"{_button('mw-burger', words['menu'], icon('menu'), burger)}"
        f'<div class="mw-plant"><span class="mw-plant-name">{escape(frame.plant)}</span>'
        f"{badge}</div>{_search(words)}"
        f"{_button('mw-lang', words['language.label'], language, f'data-to={other} lang={other}')}"
        f"{_button('mw-theme', words['theme'], icon('theme'))}"
        f'<div class="mw-who"><span class="mw-who-name">{account}</span><i>{role}</i></div>'
        f"{_button('mw-logout', words['logout'], icon('logout'))}"
        "</header>"
    )


def _button(name: str, label: str, inner: str, more: str = "") -> str:
    """A button that its island enables: a click before that would be lost."""
    words = escape(label)
    return (
        f'<button class="mw-btn mw-btn-bare {name}" id="{name}" disabled aria-label="{words}" '
        f'title="{words}" {more}>{inner}</button>'
    )


def _search(words: Mapping[str, str]) -> str:
    label = escape(words["search"])
    return (
        f'<div class="mw-search" id="mw-search"><label class="mw-sr" for="mw-q">{label}</label>'
        f'{icon("search")}<input id="mw-q" type="search" autocomplete="off" spellcheck="false" '
        f'role="combobox" aria-expanded="false" aria-controls="mw-found" placeholder="{label}">'
        '<kbd>/</kbd><div class="mw-found" id="mw-found" role="listbox" hidden></div></div>'
    )


def brand() -> str:
    """The seal: 名 cut into a square."""
    return (
        '<svg class="mw-seal" viewBox="0 0 32 32" aria-hidden="true">'
        f'<rect x="1" y="1" width="30" height="30" rx="5"/><path d="{SEAL}"/></svg>'
    )


# The strokes of 名 on a 32 x 32 grid.
SEAL = "M14 5.5 8.2 12.6M13 8.6h9.2c-1.6 6-6.4 9.8-13.6 12.2M11.8 12.4l4.2 3M13 18.4h9.6v8H13z"


def simulated_badge(words: Mapping[str, str]) -> str:
    """The mark that simulated data carries to the screen."""
    return (
        f'<span class="mw-sim" title="{escape(words["simulated.title"])}">'
        f"{icon('simulated')}{escape(words['simulated'])}</span>"
    )
