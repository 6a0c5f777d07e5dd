"""The table of demonstration scenarios: what is written, what is refused, what is kept."""

from pathlib import Path

import pytest

from mingwu.kernel.errors import Conflict, NotFound
from mingwu.node.demo import scenarios
from mingwu.node.demo.scenario import Scenario, Size


def _scenario(folder: Path, node: str) -> Scenario:
    def write(where: Path, size: Size) -> Path:
        file = where / "mingwu.toml"
        if not file.exists():
            where.mkdir(parents=True)
            file.write_text(f'[node]\nname = "{node}"\n\n[lab]\nscale = {size.scale}\n', "utf-8")
        return file

    return Scenario(name=node, node=node, folder=folder, write=write, hints=lambda _c, _zh: ())


def test_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(NotFound) as caught:
        scenarios.find("s9")
    assert caught.value.code == "demo.unknown-scenario"
    assert "s1" in caught.value.next_step()


@pytest.mark.parametrize("name", sorted(scenarios.SCENARIOS))
def test_scenarios_live_apart(name: str) -> None:
    one = scenarios.find(name)
    others = [other for other in scenarios.SCENARIOS.values() if other is not one]
    assert one.name == name
    assert one.folder not in [other.folder for other in others]
    assert one.node not in [other.node for other in others]


def test_second_start_keeps_what_was_written(tmp_path: Path) -> None:
    scenario = _scenario(tmp_path / "a", "first")
    assert scenarios.prepare(scenario, scenario.folder, Size(scale=3)).lab.scale == 3
    assert scenarios.prepare(scenario, scenario.folder, Size()).lab.scale == 3


def test_folder_of_another_scenario_is_refused_and_kept(tmp_path: Path) -> None:
    first, second = (_scenario(tmp_path / "a", name) for name in ("first", "second"))
    file = first.write(first.folder, Size())
    before = file.read_bytes()
    with pytest.raises(Conflict) as caught:
        scenarios.prepare(second, first.folder, Size())
    assert caught.value.code == "demo.other-scenario"
    assert file.read_bytes() == before
