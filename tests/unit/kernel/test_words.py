"""Names, quality, batches, settings: the shared words behave as their docstrings say."""

import msgspec
import numpy as np
import pytest

from mingwu.kernel import names, quality
from mingwu.kernel.batch import Columns
from mingwu.kernel.errors import ConfigError, InvalidInput
from mingwu.kernel.plant import GatewaySpec
from mingwu.kernel.settings import Settings, build


def test_name_folds_ascii_case_only():
    assert names.fold("88.888.101/dev.Ä.ß") == "88.888.101/DEV.Ä.ß"
    assert names.parse("88.888.101/a/b").suffix == "a/b"


@pytest.mark.parametrize(
    "bad", ["", "88.1", "88.1/", "/x", "8 8/x", "88..1/x", "88.1/a\nb", "1/" + "x" * 260]
)
def test_malformed_names_are_refused_with_a_sentence(bad):
    with pytest.raises(InvalidInput) as caught:
        names.parse(bad)
    assert caught.value.code == "name.malformed"
    assert "88.888.101/DEV.1" in caught.value.next_step("zh")


def test_quality_byte_keeps_the_simulated_mark_apart_from_status():
    byte = quality.bad(quality.Reason.TIMEOUT) | quality.SIMULATED
    assert quality.status_name(byte) == "bad"
    assert quality.reason_of(byte) is quality.Reason.TIMEOUT
    assert quality.is_simulated(byte)


def test_take_renumbers_texts():
    columns = Columns(
        np.arange(4, dtype=np.uint32),
        np.zeros(4, np.int64),
        np.zeros(4),
        np.full(4, quality.GOOD, np.uint8),
        {1: "a", 3: "b"},
    )
    taken = columns.take(np.array([False, False, True, True]))
    assert taken.tag.tolist() == [2, 3]
    assert taken.text == {1: "b"}


def test_settings_fault_names_its_path():
    class Port(Settings):
        port: int

    with pytest.raises(ConfigError) as caught:
        build(Port, {"port": "x"}, "$.api")
    assert caught.value.params["path"] == "$.api.port"
    with pytest.raises(ConfigError, match="unknown field"):
        build(Port, {"port": 1, "prot": 2}, "$.api")


def test_gateway_spec_round_trips_through_json():
    spec = GatewaySpec(name="gw1")
    assert msgspec.json.decode(msgspec.json.encode(spec), type=GatewaySpec) == spec
