"""Reads drawings back, apart from the code that made them: paths and polylines to pixels."""

import re

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw

Lines = list[list[tuple[float, float]]]
MARGIN = 24


def path_lines(d: str) -> Lines:
    """Closed lines of an SVG path of M, h, v, z."""
    lines: Lines = []
    x = y = 0.0
    for letter, numbers in re.findall(r"([Mhvz])([-0-9. ]*)", d):
        if letter == "M":
            x, y = map(float, numbers.split())
            lines.append([(x, y)])
        elif letter == "h":
            x += float(numbers)
            lines[-1].append((x, y))
        elif letter == "v":
            y += float(numbers)
            lines[-1].append((x, y))
    return lines


def dxf_lines(text: str) -> Lines:
    """Closed polylines of a DXF file, y turned downwards."""
    words = text.split("\r\n")
    pairs = list(zip(words[::2], words[1::2], strict=False))
    lines: Lines = []
    for at, (code, value) in enumerate(pairs):
        if (code, value) == ("0", "POLYLINE"):
            lines.append([])
        if (code, value) == ("0", "VERTEX"):
            wanted = dict(pairs[at + 1 : at + 5])
            lines[-1].append((float(wanted["10"]), -float(wanted["20"])))
    top = min(y for line in lines for _, y in line)
    return [[(x, y - top) for x, y in line] for line in lines]


def pixels(lines: Lines, scale: float, *, scale_y: float = 0) -> np.ndarray:
    """Even-odd filled, black on white, with a margin."""
    scale_y = scale_y or scale
    width = round(max(x for line in lines for x, _ in line) * scale) + 2 * MARGIN
    height = round(max(y for line in lines for _, y in line) * scale_y) + 2 * MARGIN
    dark = np.zeros((height, width), bool)
    for line in lines:
        one = Image.new("1", (width, height))
        corners = [(x * scale + MARGIN - 0.5, y * scale_y + MARGIN - 0.5) for x, y in line]
        ImageDraw.Draw(one).polygon(corners, fill=1)
        dark ^= np.asarray(one)
    return np.where(dark, 0, 255).astype(np.uint8)


def texts(image: np.ndarray) -> list[str]:
    """What an independent run of the decoder reads in a picture."""
    return [found.text for found in zxingcpp.read_barcodes(image)]
