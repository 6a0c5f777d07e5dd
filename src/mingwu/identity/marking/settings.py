"""Settings of marking and reading."""

from typing import Annotated

from msgspec import Meta

from mingwu.identity.marking.templates import LabelTemplate
from mingwu.kernel.settings import Settings


class MarkingSettings(Settings, frozen=True, kw_only=True):
    """Labels of the house and bounds of what is printed and read."""

    # Font file for letters other than Latin on labels; empty looks where systems keep them.
    font_file: str = ""
    # Label templates of the house, beside the built-in ones (docs/marking.md).
    templates: tuple[LabelTemplate, ...] = ()
    # Most labels in one call over HTTP.
    labels_most: Annotated[int, Meta(ge=1, le=20_000)] = 2000
    # Largest picture accepted for reading, in bytes.
    image_bytes: Annotated[int, Meta(ge=1024, le=2**26)] = 12 * 2**20
    # Largest picture accepted for reading, in pixels; more is refused before it is unpacked.
    image_pixels: Annotated[int, Meta(ge=10_000, le=200_000_000)] = 50_000_000
    # Pictures read at the same time.
    readers: Annotated[int, Meta(ge=1, le=32)] = 2
