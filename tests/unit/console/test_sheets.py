"""The design system: what is written can be read on what it stands on, in both themes."""

import re
from itertools import product

import pytest

from mingwu.console.islands import STATIC

SHEET = (STATIC / "mingwu.css").read_text()
INKS = ("ink", "ink-2", "ink-3", "accent", "good", "warn", "bad", "stale", "sim")
GROUNDS = ("bg", "panel", "sunk", "accent-soft")  # the last one: what is chosen or open
# Words of a state on the soft ground of that state; the quietest ink on what is chosen.
SOFT = ("accent", "good", "warn", "bad", "stale", "sim")
OTHERS = (
    ("side-ink", "side-bg"),
    ("side-ink-2", "side-bg"),
    ("accent-ink", "accent"),
)
LEAST = 4.5  # WCAG 2.2, 1.4.3, for text of any size


def tokens(theme: str) -> dict[str, str]:
    """Colours of a theme: the dark one changes some of the light one."""
    blocks = re.findall(
        r"^(:root|\[data-theme=\"dark\"\]) \{(.*?)^\}", SHEET, re.DOTALL | re.MULTILINE
    )
    found: dict[str, str] = {}
    for selector, body in blocks:
        if selector == ":root" or theme == "dark":
            found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body))
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guideline() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground(theme: str) -> None:
    colours = tokens(theme)
    pairs = [*product(INKS, GROUNDS), *((ink, f"{ink}-soft") for ink in SOFT), *OTHERS]
    faint = {
        (ink, ground): round(contrast(colours[ink], colours[ground]), 2)
        for ink, ground in pairs
        if contrast(colours[ink], colours[ground]) < LEAST
    }
    assert not faint
