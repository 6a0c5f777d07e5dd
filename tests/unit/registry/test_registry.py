"""The registry: imports are idempotent, numbers stay, every question has its answer."""

import threading
from pathlib import Path

import msgspec
import pytest

from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.kernel.plant import Kind, ValueType
from mingwu.registry.errors import PlantFaults
from mingwu.registry.model import PlantFile, ThingDef
from mingwu.registry.plantfile import parse
from mingwu.registry.rows import Filter, Page
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
    registry.import_plant(parse(TINY).file, actor="test")
    yield registry
    registry.close()


def numbers(registry):
    return {f"{tag.thing}#{tag.name}": tag.number for tag in registry.all_tags()}


def test_a_second_import_changes_nothing(registry):
    before = registry.generation()
    summary = registry.import_plant(parse(TINY).file)
    assert not summary
    assert registry.generation() == summary.generation == before == 1


def test_export_gives_back_what_was_imported(registry):
    assert registry.export_plant("s1") == parse(TINY).file
    with pytest.raises(NotFound):
        registry.export_plant("s9")


def test_removed_tags_and_things_are_retired_and_come_back_with_their_numbers(registry):
    before = numbers(registry)
    assert min(before.values()) == 1
    file = parse(TINY).file
    fewer = msgspec.structs.replace(file, thing=file.thing[:1])
    summary = registry.import_plant(fewer)
    assert summary.things.removed == ("88.888.101/MLD.M0187", "88.888.101/ALG.xray.v12")
    assert summary.tags.removed == ("88.888.101/MLD.M0187#shots",)
    assert summary.relations.removed
    assert not summary.types
    assert registry.thing("88.888.101/mld.m0187").state == "retired"
    assert [thing.id for thing in registry.things()[0]] == [CASTER]
    with pytest.raises(NotFound):
        registry.card("88.888.101/MLD.M0187")
    more = TINY.replace(
        '{ name = "extra"', '{ name = "newer", address = "hr:9" },\n  { name = "extra"'
    )
    summary = registry.import_plant(parse(more).file)
    assert "88.888.101/MLD.M0187" in summary.things.added
    after = numbers(registry)
    assert {name: after[name] for name in before} == before
    assert after[f"{CASTER}#newer"] > max(before.values())


def test_changes_are_told_by_name_and_remembered(registry):
    text = TINY.replace('en = "Die caster 1"', 'en = "Caster one"').replace(
        "high = 400.0", "high = 401.0"
    )
    summary = registry.import_plant(parse(text).file, actor="ann")
    assert summary.things.changed == (CASTER,)
    assert summary.types.changed == ("DCM2500",)
    assert summary.tags.changed == (f"{CASTER}#die_temperature",)
    assert not summary.places
    first, second = registry.history(CASTER)
    assert (first.change, first.actor, second.change, second.actor) == (
        "changed",
        "ann",
        "added",
        "test",
    )
    assert "Caster one" in first.declaration


def test_declarations_made_in_code_are_checked_like_files(registry):
    plain = ThingDef(id="DOC.1", kind="document")
    registry.import_plant(PlantFile(name="s2", prefix="88.1", thing=(plain,)))
    assert registry.card("88.1/DOC.1").kind is Kind.DOCUMENT
    with pytest.raises(PlantFaults) as caught:
        registry.import_plant(
            PlantFile(name="s2", prefix="88.1", thing=(ThingDef(id="X", kind="spaceship"),))
        )
    assert caught.value.faults[0].path == "$.thing[0].kind"


def test_moving_entries_in_the_file_is_no_change_but_keeps_the_order(registry):
    file = parse(TINY).file
    moved = msgspec.structs.replace(file, thing=file.thing[::-1])
    assert not registry.import_plant(moved)
    assert [thing.id for thing in registry.things()[0]][-1] == CASTER


def test_plants_do_not_touch_each_other(registry):
    other = PlantFile(name="s2", prefix="88.888.102")
    file = parse(TINY).file
    thief = msgspec.structs.replace(
        file, name="s2", place=(), gateway=(), type=(), thing=file.thing[2:]
    )
    with pytest.raises(PlantFaults):
        registry.import_plant(msgspec.structs.replace(thief, prefix="88.888.102"))
    stolen = msgspec.structs.replace(file.thing[2], relation=())
    with pytest.raises(Conflict) as caught:
        registry.import_plant(msgspec.structs.replace(thief, thing=(stolen,)))
    assert caught.value.code == "registry.owned"
    pointing = msgspec.structs.replace(file.thing[2], id="ALG.2")
    pointing = msgspec.convert(
        msgspec.to_builtins(pointing) | {"relation": [{"kind": "inspects", "target": CASTER}]},
        type(pointing),
    )
    registry.import_plant(msgspec.structs.replace(other, thing=(pointing,)))
    assert [plant.name for plant in registry.plants()] == ["s1", "s2"]
    assert registry.things()[1] == 4
    assert registry.relations(CASTER)[-1].id == "88.888.102/ALG.2"


def test_a_thing_retired_in_one_plant_may_move_to_another(registry):
    file = parse(TINY).file
    old = numbers(registry)["88.888.101/MLD.M0187#shots"]
    registry.import_plant(msgspec.structs.replace(file, thing=()))
    text = TINY.replace('name = "s1"', 'name = "s2"').replace("JZ", "XX").replace('"gw1"', '"gw2"')
    text = text.replace('"DCM2500"', '"DCM2"').replace('"MOULD"', '"MLD2"')
    registry.import_plant(parse(text).file)
    assert registry.thing(CASTER).plant == "s2"
    assert numbers(registry)["88.888.101/MLD.M0187#shots"] == old


def test_the_gateway_gets_devices_with_all_tags_riding_on_them(registry):
    spec = registry.gateway("gw1")
    (device,) = spec.devices
    assert (device.name, device.thing, device.driver) == ("dcm1", CASTER, "modbus")
    assert device.settings == {"host": "127.0.0.1", "port": 5020}
    assert device.simulated
    assert [tag.thing for tag in device.tags].count("88.888.101/MLD.M0187") == 1
    assert len(device.tags) == 8
    temperature = device.tags[0]
    assert (temperature.name, temperature.address, temperature.unit) == (
        "die_temperature",
        "hr:110:f32",
        "Cel",
    )
    assert temperature.deadband.absolute == 0.2
    with pytest.raises(NotFound):
        registry.gateway("gw9")
    (row,) = registry.gateways()
    assert (row.devices, row.tags) == (1, 8)


def test_tag_table_filters_sorts_and_pages(registry):
    def names(page=None, **wanted):
        rows, total = registry.tags(Filter(**wanted), page or Page())
        return [row.name for row in rows], total

    assert names(text="ZONE die")[1] == 3
    assert names(text="模具") == (["die_temperature"], 1)
    assert names(text="100%") == ([], 0)
    assert names(text="_")[1] == 5
    assert names(place="JZ/DC")[1] == 8
    assert names(place="JZ/D")[1] == 0
    assert names(thing="88.888.101/mld.m0187") == (["shots"], 1)
    assert names(kind=Kind.PART) == (["shots"], 1)
    assert names(unit="bar") == (["extra"], 1)
    assert names(value_type=ValueType.TEXT) == (["state"], 1)
    assert names(exposed=True)[1] == 2
    assert names(gateway="gw1", device="dcm1")[1] == 8
    assert names(simulated=False)[1] == 0
    assert names(numbers=(1, 8)) == (["die_temperature", "shots"], 2)
    page = Page(sort="high", descending=True, limit=3)
    assert names(page) == (["die_temperature", "set_point", "extra"], 8)
    assert names(Page(sort="period_ms", limit=1)) == (["zone_2"], 8)
    assert names(Page(offset=6)) == (["extra", "shots"], 8)
    with pytest.raises(InvalidInput) as caught:
        names(Page(sort="nonsense"))
    assert "period_ms" in caught.value.next_step()


def test_thing_table(registry):
    rows, total = registry.things(Filter(text="caster"), Page(sort="id"))
    assert (total, rows[0].tags, rows[0].en) == (1, 7, "Die caster 1")
    assert registry.things(Filter(gateway="gw1"))[1] == 2
    assert registry.things(Filter(kind=Kind.ALGORITHM))[1] == 1
    assert registry.things(page=Page(sort="tags", descending=True))[0][0].id == CASTER


def test_places_count_what_is_below(registry):
    (root,) = registry.places()
    assert (root.path, root.things, root.all_things, root.all_tags) == ("JZ", 0, 2, 8)
    cell = root.children[0].children[0]
    assert (cell.level.value, cell.things, cell.children) == ("work_cell", 2, ())


def test_relations_read_from_both_ends(registry):
    mounted, inspected = registry.relations("88.888.101/MLD.M0187")
    assert (mounted.id, mounted.outward, mounted.label_zh) == (CASTER, True, "安装于")
    assert (inspected.outward, inspected.label_en) == (False, "inspected by")
    with pytest.raises(NotFound):
        registry.relations("88.888.101/NONE")


def test_cards_carry_exposed_tags_only(registry):
    card = registry.card(CASTER.lower())
    assert (card.id, card.name_zh, card.place, card.simulated) == (
        CASTER,
        "压铸机1",
        "JZ/DC/C1",
        True,
    )
    assert [tag.name for tag in card.tags] == ["die_temperature"]
    assert (card.kind, card.tags[0].type) == (Kind.MACHINE, ValueType.FLOAT)
    assert type(card.kind) is Kind
    assert len(registry.cards()) == 3


def test_cards_carry_relations_and_codes(registry):
    text = TINY.replace('id = "MLD.M0187"', 'id = "MLD.M0187"\ncodes = ["(8004)6901234M0187"]')
    registry.import_plant(parse(text).file)
    card = registry.card("88.888.101/MLD.M0187")
    assert card.relations == (("mounted_on", CASTER),)
    assert card.codes == ("(8004)6901234M0187",)
    assert {one.id: one for one in registry.cards()}[card.id] == card


def test_two_processes_importing_at_once_do_not_collide(tmp_path):
    settings = RegistrySettings(store=StoreSettings(url=sqlite_url(tmp_path / "r.db")))
    failures = []

    def work(name):
        try:
            registry = Registry.open(settings)
            text = TINY.replace('name = "s1"', f'name = "{name}"').replace("JZ", name)
            text = text.replace("88.888.101", f"88.888.{name[1:]}").replace('"gw1"', f'"g{name}"')
            text = text.replace('"DCM2500"', f'"T{name}"').replace('"MOULD"', f'"M{name}"')
            registry.import_plant(parse(text).file)
            registry.close()
        except Exception as error:  # noqa: BLE001 — shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    registry = Registry.open(settings)
    tags = registry.all_tags()
    assert sorted(tag.number for tag in tags) == list(range(1, 33))
    assert registry.generation() == 4
    registry.close()


def test_a_tag_may_ask_for_nanoseconds(registry):
    file = parse(TINY).file
    kinds = [
        msgspec.structs.replace(
            kind,
            property=tuple(
                msgspec.structs.replace(item, nanoseconds=at == 0)
                for at, item in enumerate(kind.property)
            ),
        )
        for kind in file.type
    ]
    assert registry.nanosecond_tags() == frozenset()
    registry.import_plant(msgspec.structs.replace(file, type=tuple(kinds)))
    asked = registry.nanosecond_tags()
    specs = [
        t for g in registry.gateways() for d in registry.gateway(g.name).devices for t in d.tags
    ]
    assert asked == {tag.number for tag in specs if tag.nanoseconds}
    assert asked
