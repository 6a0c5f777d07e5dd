"""The declaration: it is a valid plant file, large enough, and every tag has a model behind it."""

from collections import Counter

import pytest

from mingwu.field.modbus.address import parse as parse_modbus
from mingwu.kernel.plant import Kind, TagSpec
from mingwu.lab.layout import Layout
from mingwu.lab.plant import s1
from mingwu.lab.plant.objects import DETAILS
from mingwu.lab.settings import LabSettings
from mingwu.lab.world import World
from mingwu.registry.plantfile import dump, parse

START_S = 1_763_860_000.0


def test_plant_file_survives_its_own_text():
    file = s1.plant_file(LabSettings())
    assert parse(dump(file)).file == file


def test_one_plant_has_two_thousand_tags_at_1_s_and_a_hundred_at_100_ms():
    tags = s1.device_tags(s1.plant_file(LabSettings()))
    periods = Counter(tag.period_ms for own in tags.values() for tag in own)
    assert 1_950 <= periods[1000] <= 2_100
    assert periods[100] == 100


def test_every_thing_is_marked_simulated():
    assert all(thing.simulated for thing in s1.plant_file(LabSettings()).thing)


def test_the_named_things_of_the_scenario_are_there():
    ids = {thing.id for thing in s1.plant_file(LabSettings()).thing}
    wanted = {"DEV.DCM2500.01", "DEV.DCM2500.02", "MLD.M0187", "PRC.DC-EAH3.r07"}
    assert wanted | {"ALG.xray.v12", "PRT.EAH3.250711.00421"} <= ids
    assert set(DETAILS) <= ids


def test_all_eleven_kinds_of_objects_are_there():
    file = s1.plant_file(LabSettings())
    kinds = {one.name: one.kind for one in file.type}
    assert {thing.kind or kinds[thing.type] for thing in file.thing} == set(Kind)


@pytest.mark.parametrize("replica", [0, 2])
def test_every_tag_has_a_reading_and_every_reading_a_tag(replica):
    settings = LabSettings(scale=3, cells=1, machines=2)
    layout = Layout(settings, replica)
    tags = s1.device_tags(s1.plant_file(settings))
    world = World(layout, START_S)
    for device, station in world.stations.items():
        if device in world.lines:
            continue
        assert {tag.property for tag in tags[device]} == set(station.readings), device
    lines = {tag.property for tag in tags[layout.mes.device]}
    assert all(lines == set(line.readings) for line in world.lines.values())


def test_readings_stay_in_the_declared_ranges_for_an_hour():
    settings = LabSettings(cells=1, machines=2)
    tags = s1.device_tags(s1.plant_file(settings))
    world = World(Layout(settings), START_S)
    ranges = [
        (world.stations[device].readings, tag.property, tag.low, tag.high)
        for device, own in tags.items()
        if device in world.stations
        for tag in own
        if tag.low is not None and tag.high is not None
    ]
    for step in range(36_000):
        world.advance()
        if step % 400 == 7:
            for station in world.stations.values():
                if station.refresh_fast:
                    station.refresh_fast()
                station.refresh()
            outside = [
                (name, readings[name])
                for readings, name, low, high in ranges
                if not low <= readings[name] <= high
            ]
            assert not outside


def test_modbus_addresses_are_readable_and_do_not_overlap():
    tags = s1.device_tags(s1.plant_file(LabSettings()))
    for device in ("dcm01", "dcm02", "xray01", "em01"):
        taken: dict[tuple[int, int], str] = {}
        for tag in tags[device]:
            spec = TagSpec(number=0, thing="x", name=tag.name, address=tag.address, type=tag.type)
            at = parse_modbus(spec)
            for place in range(at.start, at.start + at.width):
                owner = taken.setdefault((at.function, place), tag.address)
                assert owner == tag.address, tag.name


def test_scaled_plant_multiplies_devices_and_names_none_twice():
    one, three = (s1.plant_file(LabSettings(scale=n)) for n in (1, 3))
    devices = Counter(t.connection.driver for t in one.thing if t.connection)
    tripled = Counter(t.connection.driver for t in three.thing if t.connection)
    assert {name: 3 * count for name, count in devices.items()} == dict(tripled)
    assert len({thing.id for thing in three.thing}) == len(three.thing)
