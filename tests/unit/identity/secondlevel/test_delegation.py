"""A prefix record with HS_SITE.PREFIX speaks for every prefix derived from it; HS_SITE does not."""

import pytest

from mingwu.identity.lookup import Query, look_up
from mingwu.identity.records import Record
from mingwu.identity.secondlevel.prefixes import referral_value, site_at
from mingwu.wire.handle.codes import Rc


@pytest.mark.parametrize(
    ("derived", "name", "rc"),
    [
        (True, "88.101/X", Rc.SERVICE_REFERRAL),
        (True, "88.101.5/X", Rc.SERVICE_REFERRAL),
        (True, "88.101.5.7/X", Rc.SERVICE_REFERRAL),
        (True, "0.NA/88.101.5", Rc.PREFIX_REFERRAL),
        (True, "88.1010/X", Rc.NOT_RESPONSIBLE),
        (True, "88/X", Rc.NOT_RESPONSIBLE),
        (False, "88.101/X", Rc.SERVICE_REFERRAL),
        (False, "88.101.5/X", Rc.NOT_RESPONSIBLE),
    ],
)
def test_delegation_of_derived_prefixes(records, derived, name, rc):
    value = referral_value(site_at("127.0.0.1", 1), derived=derived)
    records.put(Record("0.NA/88.101", (value,)))
    snapshot = records.snapshot()
    snapshot.begin()
    try:
        assert look_up(snapshot, None, Query(name)).rc == rc
    finally:
        snapshot.end()
