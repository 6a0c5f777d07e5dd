"""What a simulated mould is after a restart of the lab: its shots, heat, place and parameter set.

A real mould's counter does not start anew because a computer did. ``mould.json`` in the carrier's
own folder is replaced whole before a reading is taken and before a parameter set counts as applied,
so after kill -9 no reading that was reported lies ahead of what the mould remembers. A file that
cannot be read is told once and the mould begins as it left the factory.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mingwu.lab.carriers.moulds import Mould

log = logging.getLogger(__name__)

FILE = "mould.json"


class MouldState(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a mould that its history made; the rest comes from number and seed."""

    shots: float
    cavity_c: float
    set_point_c: float
    parameter_set: str
    works: bool
    east_m: float
    north_m: float


class MouldMemory:
    """The memory of one mould, in its carrier's folder."""

    def __init__(self, directory: Path, mould: Mould) -> None:
        self._file, self._mould = directory / FILE, mould

    def recall(self) -> bool:
        """Make the mould what it was; False when it has no past."""
        try:
            state = msgspec.json.decode(self._file.read_bytes(), type=MouldState)
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError) as error:
            log.warning("mould forgot file=%s fault=%s", self._file, error)
            return False
        for name, value in msgspec.structs.asdict(state).items():
            setattr(self._mould, name, value)
        return True

    def keep(self) -> None:
        """Remember the mould as it is."""
        state = msgspec.convert(self._mould, MouldState, from_attributes=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._file)

    def apply(self, parameters: Mapping[str, float | str]) -> str:
        """Let the mould take a parameter set, and remember that; the fault, or an empty text."""
        fault = self._mould.apply(parameters)
        if not fault:
            self.keep()
        return fault
