"""Plant files: what is well formed comes back as it was, what is not is named with its path."""

from pathlib import Path

import pytest

from mingwu.registry.errors import PlantFaults
from mingwu.registry.expand import fill
from mingwu.registry.plantfile import dump, parse

TINY = (Path(__file__).parent / "tiny.toml").read_text(encoding="utf-8")


def faults(text, **known):
    with pytest.raises(PlantFaults) as caught:
        parse(text, **known)
    return {(fault.path, fault.code.removeprefix("registry.")) for fault in caught.value.faults}


def test_templates_overrides_and_own_tags():
    plant = parse(TINY)
    caster = {tag.name: tag for tag in plant.tags[0]}
    assert list(caster) == [
        "die_temperature",
        "zone_1",
        "zone_2",
        "zone_3",
        "state",
        "set_point",
        "extra",
    ]
    assert caster["die_temperature"].address == "hr:110:f32"
    assert (caster["zone_2"].address, caster["zone_2"].period_ms) == ("hr:124:f32", 100)
    assert (caster["zone_1"].en, caster["zone_1"].period_ms) == ("Zone 1", 1000)
    assert (caster["extra"].property, caster["extra"].unit) == ("", "bar")
    assert [tag.address for tag in plant.tags[1]] == ["hr:200:u32"]
    assert plant.tags[2] == ()


def test_dump_parses_to_the_same_declarations():
    plant = parse(TINY)
    text = dump(plant.file)
    assert parse(text).file == plant.file
    assert dump(parse(text).file) == text


def test_dump_keeps_awkward_strings_and_settings():
    text = TINY.replace('zh = "压铸机1"', r'zh = "quote \" back \\ tab \t nul \u0000 del \u007f"')
    text = text.replace("port = 5020", '"odd key" = [1, 2.5, true], deadband = { absolute = 0.0 }')
    file = parse(text).file
    assert parse(dump(file)).file == file
    assert file.thing[0].connection.settings["deadband"] == {"absolute": 0.0}


def test_every_fault_is_reported_with_its_path():
    text = (
        TINY.replace('unit = "bar"', 'unit = "b a r"')
        .replace('target = "MLD.M0187"', 'target = "MLD.NONE"')
        .replace("low = 100, high = 300", "low = 300, high = 300")
        .replace('place = "JZ/DC"\n', 'place = "JZ/XX"\n')
        .replace('property = "zone_4"', 'property = "zone_5"')
    )
    assert faults(text) == {
        ("$.thing[0].tag[2].unit", "bad-unit"),
        ("$.thing[0].tag[1].property", "no-property"),
        ("$.thing[2].relation[0].target", "no-target"),
        ("$.type[0].property[4].low", "bad-range"),
        ("$.gateway[0].place", "no-place"),
    }


def test_a_code_names_one_thing():
    text = TINY.replace('place = "JZ/DC/C1"\n', 'place = "JZ/DC/C1"\ncodes = ["8004/X"]\n')
    assert ("$.thing[1].codes[0]", "duplicate") in faults(text)


def test_faults_of_shape_do_not_hide_each_other_or_the_rest():
    text = (
        TINY.replace('name = "s1"', 'nam = "s1"')
        .replace("simulated = true\nvariables", "simulatd = true\nvariables", 1)
        .replace("period_ms = 100 ", 'period_ms = "fast" ')
        .replace('level = "work_cell"', 'level = "cell"')
        .replace('{ name = "extra", address', "{ adress")
        .replace('target = "MLD.M0187"', 'target = "MLD.NONE"')
    )
    assert faults(text) == {
        ("$", "unknown-key"),
        ("$", "missing-key"),
        ("$.thing[0]", "unknown-key"),
        ("$.thing[0].tag[0].period_ms", "shape"),
        ("$.thing[0].tag[2]", "unknown-key"),
        ("$.place[2].level", "shape"),
        ("$.thing[2].relation[0].target", "no-target"),
    }


def test_indexes_count_as_in_the_file_after_an_entry_fell_out():
    text = TINY.replace('path = "JZ/DC/C1"', "path = 3").replace('id = "DEV.DCM2500.01"', "id = 5")
    text = text.replace('kind = "inspects", target = "MLD.M0187"', 'kind = "x", target = "y"')
    text += '\n[[thing]]\nid = "no good/\\u0007"\nkind = "data"\nplace = "NOWHERE"\n'
    assert faults(text) == {
        ("$.place[2].path", "shape"),
        ("$.thing[0].id", "shape"),
        ("$.thing[2].relation[0].kind", "shape"),
        ("$.thing[3].id", "bad-id"),
        ("$.thing[3].place", "no-place"),
        ("$.thing[1].place", "no-place"),
        ("$.thing[1].relation[0].target", "no-target"),
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('id = "MLD.M0187"', 'id = "dev.dcm2500.01"', ("$.thing[1].id", "duplicate")),
        ('type = "MOULD"', 'type = "MOLD"', ("$.thing[1].type", "no-type")),
        ('kind = "algorithm"\n', "", ("$.thing[2].kind", "no-kind")),
        ('device = "dcm1" }', 'device = "dcm2" }', ("$.thing[1].connection.driver", "no-driver")),
        (
            'device = "dcm1" }',
            'device = "dcm1", driver = "opcua" }',
            ("$.thing[1].connection.device", "two-drivers"),
        ),
        (
            '"gw1", device = "dcm1" }',
            '"g", device = "d" }',
            ("$.thing[1].connection.gateway", "no-gateway"),
        ),
        ("{base+100}", "{bse+100}", ("$.thing[1]", "bad-template")),
        ('path = "JZ/DC/C1"', 'path = "JZ/XX/C1"', ("$.place[2].path", "no-place")),
        ('level = "work_cell"', 'level = "site"', ("$.place[2].level", "bad-level")),
        ("https://example.org", "ftp://example.org", ("$.thing[0].documentation", "bad-url")),
        ('prefix = "88.888.101"', 'prefix = "88 888"', ("$.prefix", "bad-prefix")),
        ("{ last = 4 }", "{ last = 0 }", ("$.type[0].property[1].repeat", "bad-repeat")),
        ('"zone_{i}"', '"zone"', ("$.type[0].property[1].name", "no-repeat")),
        (
            "low = 0.0, high = 10.0",
            "deadband = { percent = 1 }",
            ("$.thing[0].tag[2].deadband", "no-range"),
        ),
        (
            'name = "extra", ',
            'name = "extra", property = "state", ',
            ("$.thing[0].tag[2]", "tag-key"),
        ),
        ('address = "hr:7", ', "", ("$.thing[0].tag[2].address", "no-address")),
        ('name = "extra"', 'name = "state"', ("$.thing[0].tag", "duplicate")),
        ('name = "set_point"', 'name = "state"', ("$.type[0].property[4].name", "duplicate")),
    ],
)
def test_single_faults(old, new, expected):
    assert old in TINY
    text = TINY.replace(old, new)
    assert expected in faults(text)


def test_relations_may_point_at_things_known_elsewhere():
    text = TINY.replace('target = "MLD.M0187"', 'target = "88.888.205/SPR.1"')
    assert faults(text) == {("$.thing[2].relation[0].target", "no-target")}
    parse(text, known=frozenset({"88.888.205/SPR.1"}))


def test_not_toml_is_one_fault_in_both_languages():
    with pytest.raises(PlantFaults) as caught:
        parse("name = ")
    assert "TOML" in caught.value.text("zh")
    assert "1 处错误" in caught.value.text("zh")
    assert caught.value.as_dict("en")["faults"][0]["path"] == "$"


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("hr:{a}", "hr:3"),
        ("{a+2*i-1}", "8"),
        ("{-1+a}", "2"),
        ("{{{a}}}", "{3}"),
        ("ns=2;s={line}.{i}", "ns=2;s=L1.3"),
    ],
)
def test_fill(template, filled):
    assert fill(template, {"a": 3, "i": 3, "line": "L1"}) == filled


@pytest.mark.parametrize(
    "template", ["{}", "{a", "a}", "{b}", "{a a}", "{line+1}", "{a+}", "{1.5}"]
)
def test_fill_refuses(template):
    with pytest.raises(ValueError, match=r"“|empty"):
        fill(template, {"a": 3, "l": "L1"})
