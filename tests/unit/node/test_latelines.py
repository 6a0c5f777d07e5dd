"""Steps of applications whose line in the journal was cut off get it late, and only once."""

import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import Mode, Reason
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.lab.enterprises.trade import stranger
from mingwu.node import latelines
from mingwu.store.settings import StoreSettings
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.setattr(latelines, "ON_ITS_WAY_S", -60.0)
    records = RecordStore(tmp_path / "records", map_bytes=2**26, durable=False)
    settings = SecondLevelSettings(
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'node.db'}"),
        escrow_directory=str(tmp_path / "escrow"), secrets_directory=str(tmp_path / "keys"),
    )  # fmt: skip
    node = SecondLevel.open(settings, records, site_at("127.0.0.1", 2641))
    trust = Trust.open(TrustSettings(store=StoreSettings(url=f"sqlite:///{tmp_path / 'trust.db'}")))
    yield node, trust.journal
    node.close()
    trust.close()
    records.close()


def appender(journal):
    def append(actor, action, subject, detail, address):
        journal.append(actor, action, subject, address=address, detail=detail)

    return append


def lines(journal, application):
    found = journal.entries(object=application)
    return [(entry.actor, entry.action.removeprefix("identity.")) for entry in reversed(found)]


def test_missing_lines_are_written_once_in_order(parts):
    node, journal = parts
    form = stranger("88.101", 2, Mode.HOSTED)
    id_ = node.applications.submit(form, "applicant").id
    journal.append("applicant", "identity.prefix-submit", id_)
    node.applications.send_back(id_, "clerk", [Reason("purpose", "?")])
    node.applications.submit(form, "applicant", id_=id_)
    node.applications.accept(id_, "chief")
    assert latelines.write_late(node, journal, appender(journal)) == 3
    assert lines(journal, id_) == [
        ("applicant", "prefix-submit"),
        ("clerk", "prefix-return"),
        ("applicant", "prefix-submit"),
        ("chief", "prefix-accept"),
    ]
    assert '"late":true' in journal.entries(object=id_)[0].detail
    assert latelines.write_late(node, journal, appender(journal)) == 0
    assert journal.verify().sound


def test_a_step_whose_line_may_be_on_its_way_is_left_alone(parts, monkeypatch):
    node, journal = parts
    monkeypatch.setattr(latelines, "ON_ITS_WAY_S", 5.0)
    node.applications.submit(stranger("88.101", 2, Mode.HOSTED), "applicant")
    assert latelines.write_late(node, journal, appender(journal)) == 0


@pytest.mark.parametrize("since_ms", [0, 1])
def test_a_line_is_not_forgotten_behind_many_others(parts, since_ms):
    node, journal = parts
    cut = node.applications.submit(stranger("88.101", 1, Mode.HOSTED), "applicant").id
    for number in range(2, 42):
        form = stranger("88.101", number, Mode.HOSTED)
        journal.append(
            "applicant", "identity.prefix-submit", node.applications.submit(form, "applicant").id
        )
    assert latelines.write_late(node, journal, appender(journal), since_ms) == 1
    assert lines(journal, cut) == [("applicant", "prefix-submit")]
