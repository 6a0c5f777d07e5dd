"""Plain geometry of a symbol: closed outlines, as SVG paths, printers and lasers want them.

Neighbouring dark modules become one area, so no hairline shows between them and a laser burns no
edge twice. Outlines are in modules, x to the right, y down, dark on the right hand of the way;
areas that meet in a corner only stay two outlines. Filled by even-odd or non-zero alike.
"""

from collections.abc import Iterable, Iterator, Sequence

Outline = tuple[tuple[int, int], ...]
"""Corners of a closed line; the last leads back to the first."""

_RIGHT, _DOWN, _LEFT, _UP = (1, 0), (0, 1), (-1, 0), (0, -1)
_TURN_RIGHT = {_RIGHT: _DOWN, _DOWN: _LEFT, _LEFT: _UP, _UP: _RIGHT}


def outlines(rows: Sequence[bytes]) -> list[Outline]:
    """The outlines of the dark modules of ``rows``."""
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, way in _edges(rows):
        edges.setdefault(start, []).append(way)
    found: list[Outline] = []
    while edges:
        start = next(iter(edges))
        found.append(_walk(edges, start))
    return found


def _edges(rows: Sequence[bytes]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Each border between dark and light, as where it starts and which way it goes."""
    height, width = len(rows), len(rows[0])
    for y in range(height):
        for x in range(width):
            if not rows[y][x]:
                continue
            if y == 0 or not rows[y - 1][x]:
                yield (x, y), _RIGHT
            if x == width - 1 or not rows[y][x + 1]:
                yield (x + 1, y), _DOWN
            if y == height - 1 or not rows[y + 1][x]:
                yield (x + 1, y + 1), _LEFT
            if x == 0 or not rows[y][x - 1]:
                yield (x, y + 1), _UP


def _walk(edges: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int]) -> Outline:
    corners: list[tuple[int, int]] = []
    first = edges[start][0]
    at, came = start, (0, 0)
    while True:
        ways = edges[at]
        # where two areas touch in a corner, turning right keeps to the own one
        sharp = _TURN_RIGHT.get(came)
        way = sharp if sharp in ways else ways[0]
        ways.remove(way)
        if not ways:
            del edges[at]
        if way != came:
            corners.append(at)
        at, came = (at[0] + way[0], at[1] + way[1]), way
        if at == start and start not in edges:
            break
        if at == start and _TURN_RIGHT.get(came) not in edges[start]:
            break
    if came == first:  # the walk began in the middle of a straight line
        del corners[0]
    return tuple(corners)


def svg_path(lines: Iterable[Outline]) -> str:
    """The ``d`` of a path element, relative steps, whole modules."""
    parts: list[str] = []
    for line in lines:
        x, y = line[0]
        parts.append(f"M{x} {y}")
        for next_x, next_y in line[1:]:
            parts.append(f"h{next_x - x}" if next_y == y else f"v{next_y - y}")
            x, y = next_x, next_y
        parts.append("z")
    return "".join(parts)


def inverted(rows: Sequence[bytes], margin: int) -> tuple[bytes, ...]:
    """Light on dark, the quiet zone of ``margin`` modules included: what a laser blackens."""
    width = len(rows[0]) + 2 * margin
    band = bytes([1]) * width
    side = bytes([1]) * margin
    middle = [side + bytes(1 - module for module in row) + side for row in rows]
    return (*([band] * margin), *middle, *([band] * margin))
