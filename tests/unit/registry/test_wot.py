"""Thing Models and Thing Descriptions keep the rules of the REC they claim."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mingwu.registry.plantfile import parse
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

TINY = (Path(__file__).parent / "tiny.toml").read_text(encoding="utf-8")
CASTER = "88.888.101/DEV.DCM2500.01"
OPERATIONS = {"readproperty", "observeproperty", "unobserveproperty"}


@pytest.fixture
def registry(tmp_path):
    settings = RegistrySettings(store=StoreSettings(url=sqlite_url(tmp_path / "r.db")))
    registry = Registry.open(settings)
    registry.import_plant(parse(TINY).file)
    yield registry
    registry.close()


def check_schema(schema):
    """TD 1.1 §5.3.2: what a data schema may hold."""
    assert schema["type"] in {"number", "integer", "boolean", "string", "object"}
    if "minimum" in schema and "maximum" in schema:
        assert schema["minimum"] < schema["maximum"]
    if schema["type"] in {"boolean", "string"}:
        assert not {"unit", "minimum", "maximum"} & set(schema)
    for inner in schema.get("properties", {}).values():
        check_schema(inner)


def check_description(document):
    """The mandatory members and rules of TD 1.1 §5.3, §5.4, §8.1."""
    v1, v11, *rest = document["@context"]
    assert (v1, v11) == ("https://www.w3.org/2019/wot/td/v1", "https://www.w3.org/2022/wot/td/v1.1")
    assert all(isinstance(item, dict) for item in rest)
    assert urlsplit(document["id"]).scheme
    assert isinstance(document["title"], str)
    definitions = document["securityDefinitions"]
    assert document["security"]
    assert set(document["security"]) <= set(definitions)
    for scheme in definitions.values():
        if scheme["scheme"] == "combo":
            assert len(scheme["oneOf"]) >= 2
            assert set(scheme["oneOf"]) <= set(definitions)
    for affordance in document.get("properties", {}).values():
        check_schema(affordance)
        assert affordance["forms"]
        for form in affordance["forms"]:
            assert form["href"]
            assert set(form["op"]) <= OPERATIONS
        if "observeproperty" in {op for form in affordance["forms"] for op in form["op"]}:
            assert affordance["observable"] is True
    for link in document["links"]:
        assert link["href"]


def test_thing_description(registry):
    document = registry.thing_description(CASTER, base="http://plant:8080")
    check_description(document)
    assert document["id"] == f"hdl:{CASTER}"
    assert document["titles"] == {"en": "Die caster 1", "zh": "压铸机1"}
    assert document["mw:simulated"] is True
    temperature = document["properties"]["die_temperature"]
    assert temperature["unit"] == "Cel"
    assert (temperature["minimum"], temperature["maximum"]) == (0.0, 400.0)
    read, observe = temperature["forms"]
    assert read["href"] == f"/api/things/{CASTER}/properties/die_temperature"
    assert observe["href"] == f"ws://plant:8080/api/live?tag={temperature['mw:tag']}"
    assert document["properties"]["set_point"]["readOnly"] is False
    rels = {link["rel"]: link["href"] for link in document["links"]}
    assert rels["type"] == "/api/types/DCM2500"
    assert rels["urn:mingwu:mounted_on-of"] == "/api/things/88.888.101/MLD.M0187/td"


def test_a_thing_without_tags_has_a_description_too(registry):
    document = registry.thing_description("88.888.101/ALG.xray.v12")
    check_description(document)
    assert "properties" not in document
    assert "base" not in document


def test_identifiers_become_uris_whatever_they_hold(registry):
    file = TINY.replace("88.888.101/ALG.xray.v12", "88.888.101/算法 #1?")
    registry.import_plant(parse(file).file)
    document = registry.thing_description("88.888.101/算法 #1?")
    assert document["id"] == "hdl:88.888.101/%E7%AE%97%E6%B3%95%20%231%3F"


def test_thing_model(registry):
    model = registry.thing_model("DCM2500")
    assert model["@type"] == "tm:ThingModel"
    assert model["version"] == {"model": "1.0.0"}
    assert list(model["properties"])[:3] == ["die_temperature", "zone_1", "zone_2"]
    for schema in model["properties"].values():
        check_schema(schema)
        assert "forms" not in schema
    assert model["actions"]["reset"]["input"]["required"] == ["reason"]
    assert model["events"]["alarm"]["data"]["properties"]["code"]["type"] == "integer"
