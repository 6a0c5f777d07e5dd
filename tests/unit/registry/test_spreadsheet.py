"""Tables for spreadsheets: out, edited, in again."""

import csv
import io
from pathlib import Path

import pytest

from mingwu.kernel.errors import NotFound
from mingwu.registry.errors import PlantFaults
from mingwu.registry.plantfile import parse
from mingwu.registry.rows import Filter
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

TINY = (Path(__file__).parent / "tiny.toml").read_text(encoding="utf-8")
CASTER = "88.888.101/DEV.DCM2500.01"


@pytest.fixture
def registry(tmp_path):
    settings = RegistrySettings(store=StoreSettings(url=sqlite_url(tmp_path / "r.db")))
    registry = Registry.open(settings)
    registry.import_plant(parse(TINY).file)
    yield registry
    registry.close()


def rows(data):
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def tag(registry, name, thing=CASTER):
    return next(row for row in registry.all_tags(Filter(thing=thing)) if row.name == name)


def test_what_went_out_changes_nothing_when_it_comes_back(registry):
    tags, things = registry.export_tags_csv(), registry.export_things_csv()
    assert len(rows(tags)) == 8
    assert rows(things)[0]["zh"] == "压铸机1"
    assert rows(tags)[0]["absolute"] == "0.2"
    assert not registry.import_tags_csv("s1", tags)
    assert not registry.import_things_csv("s1", things)


def test_edited_cells_become_overrides_and_keep_numbers(registry):
    number = tag(registry, "die_temperature").number
    table = (
        "thing,name,high,period_ms,absolute,exposed,zh\r\n"
        f"{CASTER.lower()},die_temperature,350,200,1.5,no,模温\r\n"
        f"{CASTER},extra,,,,,\r\n"
        "MLD.M0187,shots,,5000,,,\r\n"
    ).encode("utf-8-sig")
    summary = registry.import_tags_csv("s1", table, actor="ann")
    assert summary.tags.changed == (
        f"{CASTER}#die_temperature",
        "88.888.101/MLD.M0187#shots",
    )
    changed = tag(registry, "die_temperature")
    assert (changed.number, changed.high, changed.low, changed.period_ms) == (number, 350, 0, 200)
    assert (changed.deadband.absolute, changed.exposed, changed.zh) == (1.5, False, "模温")
    assert tag(registry, "extra").high == 10.0
    override = registry.export_plant("s1").thing[0].tag[-1]
    assert (override.property, override.unit) == ("die_temperature", None)
    assert not registry.import_tags_csv("s1", table)


def test_unknown_rows_are_added(registry):
    table = f"thing,name,address,unit\n{CASTER},vacuum,hr:300,kPa\n".encode()
    summary = registry.import_tags_csv("s1", table)
    assert len(summary.tags.added) == 1
    assert tag(registry, "vacuum").address == "hr:300"
    table = "id,kind,zh,place\nDOC.7,document,操作规程,JZ/DC\n".encode("gb18030")
    summary = registry.import_things_csv("s1", table)
    assert summary.things.added == ("88.888.101/DOC.7",)
    assert registry.thing("88.888.101/DOC.7").zh == "操作规程"
    table = b"id,en,simulated\nDOC.7,Work rule,yes\n"
    registry.import_things_csv("s1", table)
    thing = registry.thing("88.888.101/DOC.7")
    assert (thing.en, thing.zh, thing.simulated) == ("Work rule", "操作规程", True)


def test_formulas_are_defused_and_come_back_as_they_were(registry):
    registry.import_things_csv("s1", b'id,en\nMLD.M0187,"=HYPERLINK(""x"")"\n')
    data = registry.export_things_csv()
    assert rows(data)[1]["en"] == '\'=HYPERLINK("x")'
    assert not registry.import_things_csv("s1", data)
    assert registry.thing("88.888.101/MLD.M0187").en == '=HYPERLINK("x")'


@pytest.mark.parametrize(
    ("table", "path", "word"),
    [
        ("thing,name,hight\nx,y,1\n", "line 1", "hight"),
        ("name,high\ny,1\n", "line 1", "thing"),
        (f"thing,name,high\n{CASTER},extra,many\n", "line 2, high", "many"),
        (f"thing,name,period_ms\n{CASTER},extra,5\n", "line 2", "period_ms"),
        (f"thing,name,exposed\n{CASTER},extra,maybe\n", "line 2, exposed", "maybe"),
        ("thing,name\nDEV.NONE,extra\n", "line 2, thing", "DEV.NONE"),
        (f"thing,name\n{CASTER},\n", "line 2", "name"),
        (f"thing,name\n{CASTER},brandnew\n", "$.thing[0].tag[3].address", "address"),
        (f"thing,name,low\n{CASTER},extra,20\n", "$.thing[0].tag[2].low", "20"),
    ],
)
def test_faulty_tables_are_refused_whole(registry, table, path, word):
    before = registry.export_plant("s1")
    with pytest.raises(PlantFaults) as caught:
        registry.import_tags_csv("s1", table.encode())
    (fault,) = caught.value.faults
    assert fault.path == path
    assert word in fault.text() + fault.text("zh")
    assert registry.export_plant("s1") == before


def test_tables_for_unknown_plants_are_refused(registry):
    with pytest.raises(NotFound):
        registry.import_tags_csv("s9", b"thing,name\n")
