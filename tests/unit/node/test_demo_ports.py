"""Ports of a demonstration beside others: shifted together, and never where no browser goes."""

import pytest

from mingwu.node.demo import scenario
from mingwu.node.demo.scenario import BLOCKED_BY_BROWSERS, LAST_STEP, STEP, free_ports

USUAL = {"console": 8080, "resolver": 2641}


@pytest.mark.parametrize(
    ("taken", "console"), [((), 8080), ((8080,), 9080), ((8080, 4641, 3641), 11_080)]
)
def test_all_move_by_the_same_step(monkeypatch, taken, console):
    monkeypatch.setattr(scenario, "is_free", lambda port: port not in taken)
    assert free_ports(USUAL) == {"console": console, "resolver": console - 8080 + 2641}


def test_a_port_that_browsers_refuse_is_passed_over(monkeypatch):
    monkeypatch.setattr(scenario, "is_free", lambda port: port not in {8080, 9080})
    assert 10_080 in BLOCKED_BY_BROWSERS
    assert free_ports({"console": 8080}) == {"console": 11_080}


def test_when_nothing_is_free_it_says_so(monkeypatch):
    asked = []
    monkeypatch.setattr(scenario, "is_free", asked.append)
    with pytest.raises(OSError, match="no free ports"):
        free_ports({"console": 20_000})
    assert len(asked) == LAST_STEP // STEP + 1
