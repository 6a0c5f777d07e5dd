"""Choosing among links: language, then media type, then context (GS1 Resolver 1.2 §2.6.3).

Each criterion narrows the choice when some link fits it and is passed over when none does, so a
request without headers never fails. Languages match closest first: ``pt-BR`` takes ``pt-BR``,
then ``pt``, then another ``pt-…``; a link without a language serves when no other fits.
"""

from collections.abc import Callable, Sequence

from mingwu.identity.gs1.links import Link

_NOTHING, _NEUTRAL = 0.0, 0.001
_MOST_RANGES = 50


def weighted(header: str) -> list[tuple[str, float]]:
    """(range, weight) of an Accept-like header, heaviest first; unreadable parts are left out."""
    found: list[tuple[str, float]] = []
    for part in header.split(",", _MOST_RANGES)[:_MOST_RANGES]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        if name and weight > 0:
            found.append((name, weight))
    return sorted(found, key=lambda item: -item[1])


def narrow(
    links: Sequence[Link], *, language: str = "", media: str = "", context: str = ""
) -> list[Link]:
    """The links that fit a request best, at least one of those given; same targets count once."""
    languages, types = weighted(language), weighted(media)
    chosen = list({(link.href, link.type): link for link in links}.values())
    chosen = _best(chosen, lambda link: _language_fit(link, languages))
    chosen = _best(chosen, lambda link: _media_fit(link, types))
    return _best(chosen, lambda link: float(bool(context) and context in link.context))


def _best(links: list[Link], fit: Callable[[Link], float]) -> list[Link]:
    fits = [fit(link) for link in links]
    most = max(fits, default=_NOTHING)
    return [link for link, value in zip(links, fits, strict=True) if value == most]


def _language_fit(link: Link, wanted: list[tuple[str, float]]) -> float:
    if not link.hreflang:
        return _NEUTRAL
    tags = [tag.lower() for tag in link.hreflang]
    return max((weight * _closeness(asked, tag) for asked, weight in wanted for tag in tags),
               default=_NOTHING)  # fmt: skip


def _closeness(asked: str, tag: str) -> float:
    if asked == tag:
        return 1.0
    if asked == "*":
        return 0.01
    if asked.partition("-")[0] == tag:
        return 0.9
    return 0.8 if asked.partition("-")[0] == tag.partition("-")[0] else _NOTHING


def _media_fit(link: Link, wanted: list[tuple[str, float]]) -> float:
    if not link.type:
        return _NEUTRAL
    best = _NOTHING
    for asked, weight in wanted:
        kind, _, sub = asked.partition("/")
        if asked == link.type:
            best = max(best, weight)
        elif sub == "*" and kind in {"*", link.type.partition("/")[0]}:
            # a wildcard prefers nothing: it must not tell links apart
            best = max(best, _NEUTRAL)
    return best
