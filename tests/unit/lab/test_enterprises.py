"""The made-up enterprises of S3: how many names, under which rules, told from numbers alone."""

import re

import pytest

from mingwu.identity.secondlevel.applications import form_faults
from mingwu.identity.secondlevel.coderules import rule_for
from mingwu.identity.secondlevel.model import Mode, SiteForm
from mingwu.kernel.names import parse
from mingwu.lab.enterprises.settings import EnterpriseLabSettings
from mingwu.lab.enterprises.trade import (
    BATTERY,
    E_DRIVE,
    enterprises,
    form,
    items,
    motor_in,
    registers_much,
)


@pytest.mark.parametrize("identifiers", [100, 101, 5000, 60_001])
@pytest.mark.parametrize("own", [1, 12])
def test_sixty_share_all_identifiers_and_one_holds_a_sixth(identifiers: int, own: int) -> None:
    all_ = enterprises(EnterpriseLabSettings(identifiers=identifiers, own_nodes=own))
    hosted = [one for one in all_ if one.mode is Mode.HOSTED]
    assert (len(all_), len(all_) - len(hosted)) == (60, own)
    assert sum(one.names for one in hosted) == identifiers
    assert min(one.names for one in hosted) > 0
    much = registers_much(all_)
    assert much.names == identifiers // 6
    assert len({one.prefix for one in all_}) == 60


def test_every_name_keeps_the_rule_of_its_industry_and_leads_to_a_motor() -> None:
    all_ = enterprises(EnterpriseLabSettings(identifiers=600))
    own = [one for one in all_ if one.mode is Mode.OWN]
    motors = {one.identifier(number) for one in own for number in range(one.names)}
    names = []
    for one in all_[len(own) :]:
        rule = rule_for(one.trade.industry)
        assert rule.industry, one.trade
        for number, item in enumerate(items(one, own)):
            assert rule.fault(parse(item.name).suffix) == ""
            assert item.values["MW.SIMULATED"] == "true"
            assert item.name == one.identifier(number)
            assert (item.values.get("REL.contains", "") in motors) == (one.trade is E_DRIVE)
            names.append(item.name)
    assert len(set(names)) == len(names) == 600


def test_items_go_on_where_a_batch_ended() -> None:
    all_ = enterprises(EnterpriseLabSettings(identifiers=600))
    one = registers_much(all_)
    assert list(items(one, all_[:12]))[40:] == list(items(one, all_[:12], 40))
    battery = next(other for other in all_ if other.trade is BATTERY)
    assert re.fullmatch(r"BAT\.\d{8}[0-9A-HJ-NP-Z]{16}", battery.suffix(7))
    assert battery.suffix(7) != next(
        other for other in reversed(all_) if other.trade is BATTERY
    ).suffix(7)


def test_applications_are_sound_and_say_that_they_are_made_up() -> None:
    site = SiteForm(host="127.0.0.1", port=2751)
    for one in enterprises(EnterpriseLabSettings()):
        made = form(one, site)
        assert form_faults(made) == []
        assert "模拟" in made.organisation.name
        assert (made.site == site) == (one.mode is Mode.OWN)
    drive = enterprises(EnterpriseLabSettings())[12]
    own = enterprises(EnterpriseLabSettings())[:12]
    makers = {parse(motor_in(drive, number, own)).prefix for number in range(12)}
    assert len(makers) == 12
