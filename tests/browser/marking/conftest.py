"""A console that marks and reads, pictures to read, and a Chromium whose camera shows a symbol."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from mingwu.identity.marking.drawings import picture
from mingwu.identity.marking.symbols import Symbology, make_symbol

NAME = "88.888.101/DEV.DCM2500.01"


@pytest.fixture(scope="session")
def console(serve: Callable[[Path], AbstractContextManager[str]]) -> Iterator[str]:
    with serve(Path(__file__).with_name("serve_marking.py")) as base:
        yield base


@pytest.fixture(scope="session")
def session(console: str) -> str:
    body = {"account": "admin", "password": "admin-password"}
    return str(httpx.post(f"{console}/api/session", json=body).json()["token"])


def scene(text: str, symbology: Symbology = Symbology.QR) -> Image.Image:
    """640 x 480, a symbol in the middle of grey."""
    symbol = picture(make_symbol(symbology, text), 8).convert("L")
    ground = Image.new("L", (640, 480), 170)
    ground.paste(symbol, ((640 - symbol.width) // 2, (480 - symbol.height) // 2))
    return ground


@pytest.fixture
def shot(tmp_path: Path) -> Callable[..., Path]:
    """Writes a photo of a symbol (or of nothing) and gives its path."""

    def take(text: str = "", symbology: Symbology = Symbology.QR) -> Path:
        path = tmp_path / "shot.jpg"
        image = scene(text, symbology) if text else Image.new("L", (640, 480), 170)
        image.rotate(12, fillcolor=170).save(path)
        return path

    return take


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera shows: first nothing, then a symbol."""
    path = tmp_path_factory.mktemp("film") / "camera.y4m"
    grey = bytes([128]) * (320 * 240 * 2)
    blank = np.full((480, 640), 170, np.uint8).tobytes()
    shown = np.asarray(scene(NAME, Symbology.DATAMATRIX)).tobytes()
    frames = [blank] * 5 + [shown] * 25
    head = b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n"
    path.write_bytes(head + b"".join(b"FRAME\n" + frame + grey for frame in frames))
    return path
