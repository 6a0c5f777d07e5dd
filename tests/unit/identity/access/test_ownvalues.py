"""What a node reads of its own records must be readable, and its secrets are nobody else's."""

import pytest

from mingwu.identity.access.administration import Administration
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.values import HandleValue, Reference, references

BOSS = Reference("0.NA/88.1", 300)


@pytest.fixture
def administration(store):
    return Administration(store, server_admins=(BOSS,))


@pytest.fixture
def name(store):
    return next(record.name for record in map(store.get, store.names("88.888.101")) if record)


@pytest.mark.parametrize(
    "kind", ["HS_ADMIN", "hs_admin", "HS_VLIST", "HS_SITE", "HS_SITE.PREFIX", "HS_PUBKEY"]
)
def test_an_unreadable_value_of_the_nodes_own_is_refused(administration, store, name, kind):
    before = store.get(name)
    for data in (b"x", b"", b"\xff" * 40):
        outcome = administration.add(name, (HandleValue(70, kind, data),), BOSS)
        assert outcome.rc == Rc.INVALID_VALUE
        assert kind in outcome.message
    assert store.get(name) == before
    assert (
        administration.create("88.888.101/NEW", (HandleValue(70, kind, b"x"),), BOSS).rc
        == Rc.INVALID_VALUE
    )
    assert store.get("88.888.101/NEW") is None


def test_a_sound_group_is_stored(administration, store, name):
    group = HandleValue(200, "HS_VLIST", references([Reference("88.1/U", 300)]))
    assert administration.add(name, (group,), BOSS).ok
    assert store.get(name).value(200).data == group.data


@pytest.mark.parametrize("kind", ["HS_SECKEY", "hs_seckey"])
def test_a_secret_sent_as_public_is_not_public(administration, store, name, kind):
    assert administration.add(name, (HandleValue(70, kind, b"pst"),), BOSS).ok
    assert store.get(name).value(70).permissions == 0x0C
    open_to_all = HandleValue(70, kind, b"pst!", permissions=0x0F)
    assert administration.modify(name, (open_to_all,), BOSS).ok
    assert store.get(name).value(70).permissions == 0x0C
    assert administration.create("88.888.101/NEW", (open_to_all,), BOSS).ok
    assert not store.get("88.888.101/NEW").value(70).is_public
