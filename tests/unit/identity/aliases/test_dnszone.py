"""The OID zone as a codec: answers, denials, refusals; nothing that arrives breaks it."""

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.dnsserver import SourceShare
from mingwu.identity.aliases.dnszone import OidZone
from mingwu.identity.aliases.settings import OidDnsSettings
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.values import HandleValue

NAME = "7.5.2.1.oid-res.org."


@pytest.fixture(scope="module")
def zone(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("names"), map_bytes=2**26, durable=False)
    long = "https://example.org/" + "x" * 300
    store.put_many([
        Record("88.888.101/A", (
            HandleValue(1, "URL", b"https://example.org/a?b=!c", ttl=600),
            HandleValue(2, "ORS.MINF", b"https://example.org/module"),
        )),
        Record("88.888.101/LONG", (HandleValue(1, "URL", long.encode()),)),
        Record("88.888.101/MANY", tuple(
            HandleValue(n, "URL", f"https://example.org/{n:03}/{'y' * 80}".encode())
            for n in range(1, 40)
        )),
    ])  # fmt: skip
    book = AliasBook(store)
    book.add("88.888.101/A", "1.2.5.7")
    book.add("88.888.101/LONG", "1.2.5.8")
    book.add("88.888.101/MANY", "1.2.5.9")
    yield OidZone(store, OidDnsSettings())
    store.close()


def ask(zone, name, kind="NAPTR", *, udp=True, **more):
    wire = zone.respond(dns.message.make_query(name, kind, **more).to_wire(), udp=udp)
    assert wire is not None
    return dns.message.from_wire(wire)


def test_what_is_known_of_an_oid(zone):
    reply = ask(zone, NAME)
    assert reply.rcode() == dns.rcode.NOERROR
    assert reply.flags & dns.flags.AA
    (rrset,) = reply.answer
    assert rrset.ttl == 600
    found = {one.service: one.regexp.decode() for one in rrset}
    assert found == {
        b"ORS+COID": "!^.*$!urn:oid:1.2.5.7!",
        b"ORS+UINF": "!^.*$!https://example.org/a?b=%21c!",
        b"ORS+MINF": "!^.*$!https://example.org/module!",
    }
    assert ask(zone, NAME.upper()).answer


@pytest.mark.parametrize("name", ["1.5.2.1.oid-res.org", "5.2.1.oid-res.org", "1.oid-res.org"])
def test_an_oid_that_nobody_carries_is_no_data_since_others_may_be_below(zone, name):
    reply = ask(zone, name)
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize("name", ["www", "7.5.2.x", "7.5.2.9", "007.2.1", "7.50.1", "a b.2.1"])
def test_what_can_be_no_oid_does_not_exist(zone, name):
    reply = ask(zone, name.replace(" ", "\\032") + ".oid-res.org")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_other_kinds_are_no_data_and_any_is_short(zone):
    assert ask(zone, NAME, "A").answer == []
    assert ask(zone, NAME, "ANY").answer[0].rdtype == dns.rdatatype.HINFO


def test_the_apex_has_its_records(zone):
    assert ask(zone, "oid-res.org", "SOA").answer[0][0].mname.to_text() == "ns.oid-res.org."
    assert ask(zone, "oid-res.org", "NS").answer[0][0].target.to_text() == "ns.oid-res.org."
    assert ask(zone, "oid-res.org", "NAPTR").answer == []


def test_a_delegated_zone_knows_its_place_in_the_tree(zone):
    below = OidZone(zone._store, OidDnsSettings(zone="5.2.1.oid-res.org"))
    assert len(ask(below, NAME).answer[0]) == 3
    assert ask(below, "5.2.1.oid-res.org", "SOA").answer
    assert ask(below, "5.2.1.oid-res.org").rcode() == dns.rcode.NOERROR
    assert ask(below, "1.2.1.oid-res.org").rcode() == dns.rcode.REFUSED
    with pytest.raises(InvalidInput):
        OidZone(zone._store, OidDnsSettings(zone="example.org"))


@pytest.mark.parametrize(("name", "kind"), [("example.org", "NAPTR"), (NAME, "AXFR"), (".", "NS")])
def test_the_rest_is_refused(zone, name, kind):
    assert ask(zone, name, kind).rcode() == dns.rcode.REFUSED


def test_updates_other_classes_and_versions(zone):
    query = dns.message.make_query(NAME, "NAPTR")
    query.set_opcode(dns.opcode.STATUS)
    wire = zone.respond(query.to_wire(), udp=True)
    assert dns.message.from_wire(wire).rcode() == dns.rcode.NOTIMP
    assert ask(zone, NAME, rdclass="CH").rcode() == dns.rcode.REFUSED
    assert ask(zone, NAME, use_edns=1).rcode() == dns.rcode.BADVERS


def test_long_answers_go_by_tcp(zone):
    many = "9.5.2.1.oid-res.org"
    plain = ask(zone, many)
    assert plain.flags & dns.flags.TC
    assert plain.answer == []
    assert ask(zone, many, use_edns=0, payload=4096).flags & dns.flags.TC  # our own limit
    whole = ask(zone, many, udp=False)
    assert len(whole.answer[0]) == 40
    # a string of DNS ends at 255 bytes: an address that is longer is left out
    assert [one.service for one in ask(zone, "8.5.2.1.oid-res.org").answer[0]] == [b"ORS+COID"]


@given(st.binary(max_size=120))
def test_random_bytes_never_break_it(zone, data):
    reply = zone.respond(data, udp=True)
    if len(data) < 12 or data[2] & 0x80:
        assert reply is None
    else:
        assert reply is not None
        assert reply[:2] == data[:2]
        assert reply[2] & 0x80


QUERY = dns.message.make_query(NAME, "NAPTR", use_edns=0).to_wire()


@given(st.lists(st.tuples(st.integers(0, len(QUERY) - 1), st.integers(0, 255)), max_size=5),
       st.integers(0, len(QUERY)))  # fmt: skip
def test_damaged_questions_never_break_it(zone, changes, keep):
    broken = bytearray(QUERY)
    for at, value in changes:
        broken[at] = value
    reply = zone.respond(bytes(broken[:keep]), udp=True)
    assert reply is None or len(reply) >= 12
    short = zone.truncated(bytes(broken[:keep]))
    assert short is None or len(short) <= keep


def test_a_source_network_has_its_share():
    share = SourceShare(1000)
    assert all(share.allows("198.51.100.7", 100, 5.0) for _ in range(10))
    assert not share.allows("198.51.100.200", 1, 5.5)  # the same /24
    assert share.allows("198.51.101.7", 1, 5.5)
    assert share.allows("198.51.100.7", 1, 6.1)
    assert share.allows("2001:db8::1%eth0", 1000, 6.1)
    assert not share.allows("2001:db8:0:ff::1", 1, 6.1)  # the same /56
