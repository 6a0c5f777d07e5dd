"""Whatever a plant file holds, the answer is a plant or a list of faults with paths."""

import copy
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.registry import toml
from mingwu.registry.check import Plant
from mingwu.registry.errors import Fault, PlantFaults
from mingwu.registry.plantfile import dump, parse

TINY = tomllib.loads((Path(__file__).parent / "tiny.toml").read_text(encoding="utf-8"))

scalars = st.one_of(
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the data where something could be wrong."""
    found = [path] if path else []
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in children:
        found += places(inner, (*path, key))
    return found


PLACES = places(TINY)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """The small plant with up to four places changed, removed or added to."""
    data = copy.deepcopy(TINY)
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        path = draw(st.sampled_from(PLACES))
        holder = data
        try:
            for step in path[:-1]:
                holder = holder[step]
            if draw(st.booleans()):
                holder[path[-1]] = draw(values)
            else:
                del holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier damage took this place away
    return data


def judged(text: str) -> tuple[Plant | None, Sequence[Fault]]:
    try:
        return parse(text), ()
    except PlantFaults as error:
        return None, error.faults


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_damaged_files_give_a_plant_or_faults(data: Any) -> None:
    plant, faults = judged(toml.dumps(data))
    for fault in faults:
        assert fault.path.startswith("$")
        assert fault.text("zh")
    if plant is not None:
        assert parse(dump(plant.file)).file == plant.file


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_the_writer_and_the_standard_reader_agree(data: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(data)) == data


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    plant, faults = judged(text)
    assert (plant is None) == bool(faults)
