"""Status board, state rules, OpenAPI document, CSV cells."""

import json

import jsonschema
import pytest

from mingwu.api.app import ENDPOINTS
from mingwu.api.openapi import document
from mingwu.api.ports import TagRow
from mingwu.api.runstate import StateRule, state_rule
from mingwu.api.status import LOST_S, StatusBoard
from mingwu.api.timeroutes import _inert
from mingwu.kernel.plant import ValueType


class HandClock:
    def __init__(self) -> None:
        self.now = 10**18

    def time_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


class Hub:
    def __init__(self) -> None:
        self.said: dict[str, object] = {}

    def publish(self, name: str, document: object) -> None:
        self.said[name] = document


def test_board_tells_who_went_silent(caplog) -> None:
    clock, hub = HandClock(), Hub()
    board = StatusBoard(clock)
    board.attach(hub)
    board.apply("gateway", "gw1", {"reported_per_s": 12.5})
    board.apply("writer", "main", {})
    clock.now += int((LOST_S + 1) * 1e9)
    board.apply("writer", "main", {})
    board.publish_summary()
    assert hub.said["gateway.gw1"] == {"reported_per_s": 12.5}
    assert [(row["name"], row["lost"]) for row in hub.said["status"]] == [
        ("gw1", True), ("main", False),
    ]  # fmt: skip
    assert caplog.text.count("state=lost") == 1
    board.parts()
    assert caplog.text.count("state=lost") == 1
    board.apply("gateway", "gw1", {})
    assert board.get("gateway", "gw1").lost is False
    assert board.get("gateway", "gw2") is None


def tag(number: int, name: str, kind: ValueType) -> TagRow:
    return TagRow(number=number, thing="t", name=name, type=kind)


def test_state_rules() -> None:
    assert state_rule([tag(1, "load", ValueType.FLOAT)]) is None
    assert state_rule([tag(1, "state", ValueType.FLOAT)]) is None
    assert state_rule(
        [tag(1, "state", ValueType.INT), tag(2, "alarm_active", ValueType.BOOL)]
    ) == StateRule(code=1, alarm=2)
    assert state_rule([tag(3, "driving", ValueType.BOOL)]) == StateRule(running=3)
    assert state_rule([tag(4, "execution", ValueType.TEXT)]) == StateRule(word=4)


@pytest.mark.parametrize(
    ("cell", "written"),
    [("1.5", "1.5"), ("-1.5", "-1.5"), ("=SUM(A1)", "'=SUM(A1)"), ("-cmd", "'-cmd"), ("", "")],
)
def test_csv_cells_are_no_formulas(cell: str, written: str) -> None:
    assert _inert(cell) == written


def test_openapi_describes_every_route_once_and_resolves() -> None:
    described = document(ENDPOINTS, "1.0")
    operations = [
        (path, method) for path, methods in described["paths"].items() for method in methods
    ]
    assert len(operations) == len(ENDPOINTS)
    ids = [one["operationId"] for item in described["paths"].values() for one in item.values()]
    assert len(set(ids)) == len(ids)
    schemas = described["components"]["schemas"]
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in schemas
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_only_login_health_and_resolution_are_open() -> None:
    open_ones = {(one.method, one.path) for one in ENDPOINTS if one.role is None}
    assert open_ones == {
        ("POST", "/api/session"),
        ("GET", "/api/health"),
        ("GET", "/api/handles/{handle:path}"),
    }
