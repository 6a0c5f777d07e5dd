"""One suite for every driver. To register a driver, add ``rig_<driver>.py`` beside this file.

A rig file defines a class ``Rig`` with:

``driver``              name of the driver's folder
``tags``                TagSpecs the peer serves, ``bad_addresses`` strings no tag can have
``settings``            settings that reach the peer (after ``start``), with short timeouts
``dead_settings``       settings of a place where nothing answers
``start(directory)``    start the peer (``directory`` is empty and its own); ``stop()``
``vanish()``            the device goes away, without a word; ``come_back()`` at the same place
``stir()``              make values come for those who subscribed, if the driver subscribes

All of it is async but the data. ``loses_s`` is how long losing the device may take at most.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

from mingwu.field.base import pushes
from mingwu.field.catalogue import kind
from mingwu.kernel.settings import build

HERE = Path(__file__).parent
RIGS = {path.stem.removeprefix("rig_"): path for path in sorted(HERE.glob("rig_*.py"))}


def load(path):
    """A module by its file (tests are no packages)."""
    name = f"conform_field_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Subject:
    """A rig with the contract's words around it."""

    def __init__(self, rig):
        self.rig = rig
        self.kind = kind(rig.driver)

    def create(self, settings=None, *, simulated=True):
        data = self.rig.settings if settings is None else settings
        return self.kind.create(build(self.kind.settings, dict(data)), simulated)

    @property
    def pushed(self):
        return pushes(self.kind, build(self.kind.settings, self.rig.settings))


@pytest.fixture(params=sorted(RIGS))
async def subject(request, tmp_path):
    rig = load(RIGS[request.param]).Rig()
    await rig.start(tmp_path)
    yield Subject(rig)
    await rig.stop()


@pytest.fixture(params=sorted(RIGS))
def unstarted(request):
    return Subject(load(RIGS[request.param]).Rig())
