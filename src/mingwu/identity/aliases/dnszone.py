"""The zone of object identifiers: a DNS question in, an authoritative answer out, no I/O.

A name below the zone is an OID, its arcs as labels from right to left; NAPTR gives what
``aliases.naptr`` knows of it. A well-formed OID that nobody carries answers "no data", never
"no such name": its children may exist, and resolvers conclude from NXDOMAIN that nothing is below
(RFC 8020). Only numbers are served; X.672's names of arcs lead to numbers by DNAME at its own root.
ANY is answered with HINFO (RFC 8482); transfers, updates and other zones are refused. What is no
DNS message gets FORMERR if it has a header, else nothing; a response is never answered.
"""

import struct
import time
from collections.abc import Callable
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.HINFO
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.NAPTR
import dns.rrset
from dns.rdata import Rdata

from mingwu.identity.aliases.naptr import Naptr, answer
from mingwu.identity.aliases.settings import OidDnsSettings
from mingwu.identity.codes.recognition import recognise
from mingwu.identity.records import RecordStore
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError

_IN = dns.rdataclass.IN
_CLASSES = {_IN, dns.rdataclass.ANY}
_TRANSFERS = {dns.rdatatype.AXFR, dns.rdatatype.IXFR}
_SERVED = {dns.rdatatype.NAPTR, dns.rdatatype.ANY}
_HEADER = struct.Struct(">HHHHHH")
_RESPONSE_BIT = 0x8000
_STRING_BYTES = 255
_FAULTS = (dns.exception.DNSException, ValueError, IndexError, struct.error)
_PLAIN_UDP_BYTES = 512
_MOST_TCP_BYTES = 65_535


# dnspython's record classes have no annotations of their own
_ns: Callable[..., Rdata] = dns.rdtypes.ANY.NS.NS
_soa: Callable[..., Rdata] = dns.rdtypes.ANY.SOA.SOA
_hinfo: Callable[..., Rdata] = dns.rdtypes.ANY.HINFO.HINFO
_naptr: Callable[..., Rdata] = dns.rdtypes.IN.NAPTR.NAPTR


class _Told(NamedTuple):
    rcode: dns.rcode.Rcode
    answers: tuple[tuple[int, tuple[Rdata, ...]], ...] = ()
    """(time to live, records of one kind)"""


class OidZone:
    """Answers for one zone over a record store; reads take microseconds and never block."""

    def __init__(self, store: RecordStore, settings: OidDnsSettings) -> None:
        self._store = store
        self._settings = settings
        self._root = dns.name.from_text(settings.root.rstrip(".") + ".")
        self._origin = dns.name.from_text(settings.zone.rstrip(".") + ".")
        if not self._origin.is_subdomain(self._root):
            fault = Phrase(f"not below {settings.root}", f"不在 {settings.root} 之下")
            raise InvalidInput("input.invalid", path="oid_dns.zone", fault=fault)
        server = settings.name_server or f"ns.{settings.zone}"
        target = dns.name.from_text(server.rstrip(".") + ".")
        self._ns = _ns(_IN, dns.rdatatype.NS, target)
        self._soa = _soa(
            _IN, dns.rdatatype.SOA, target, dns.name.Name((b"hostmaster",)) + self._origin,
            int(time.time()), 3600, 600, 86_400, settings.negative_ttl_s,
        )  # fmt: skip

    def respond(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The answer to send, or None to stay silent."""
        if len(wire) < _HEADER.size:
            return None
        number, flags = _HEADER.unpack_from(wire)[:2]
        if flags & _RESPONSE_BIT:
            return None
        try:
            asked = dns.message.from_wire(wire)
            reply = dns.message.make_response(asked, our_payload=self._settings.udp_answer_bytes)
        except _FAULTS:
            return _HEADER.pack(number, _RESPONSE_BIT | dns.rcode.FORMERR, 0, 0, 0, 0)
        self._fill(asked, reply)
        return self._packed(asked, reply, udp=udp)

    def truncated(self, wire: bytes) -> bytes | None:
        """“Ask by TCP”, no longer than the question; None where the question has no header."""
        if len(wire) < _HEADER.size:
            return None
        number, flags = _HEADER.unpack_from(wire)[:2]
        if flags & _RESPONSE_BIT:
            return None
        kept = flags & (dns.flags.RD | 0x7800)  # what was asked for and the kind of question
        return _HEADER.pack(number, _RESPONSE_BIT | dns.flags.TC | kept, 0, 0, 0, 0)

    # ------------------------------------------------------------ answering
    def _fill(self, asked: dns.message.Message, reply: dns.message.Message) -> None:
        told = self._judge(asked)
        reply.set_rcode(told.rcode)
        if told.rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            return
        reply.flags |= dns.flags.AA
        name = asked.question[0].name
        for ttl, records in told.answers:
            reply.answer.append(dns.rrset.from_rdata_list(name, ttl, records))
        if not told.answers:
            soa = dns.rrset.from_rdata(self._origin, self._settings.negative_ttl_s, self._soa)
            reply.authority.append(soa)

    def _judge(self, asked: dns.message.Message) -> _Told:
        if asked.edns > 0:
            return _Told(dns.rcode.BADVERS)
        if asked.opcode() != dns.opcode.QUERY:
            return _Told(dns.rcode.NOTIMP)
        if len(asked.question) != 1:
            return _Told(dns.rcode.FORMERR)
        question = asked.question[0]
        ours = question.name.is_subdomain(self._origin)
        if question.rdclass not in _CLASSES or question.rdtype in _TRANSFERS or not ours:
            return _Told(dns.rcode.REFUSED)
        own = self._apex(question.rdtype) if question.name == self._origin else None
        return own or self._oid(question.name, question.rdtype)

    def _apex(self, kind: dns.rdatatype.RdataType) -> _Told | None:
        """What only the zone's own name has; None leaves it to the OID that it may be."""
        known: dict[int, Rdata] = {dns.rdatatype.SOA: self._soa, dns.rdatatype.NS: self._ns}
        if kind == dns.rdatatype.ANY:
            return _Told(dns.rcode.NOERROR, ((3600, (_HINFO,)),))
        found = known.get(kind)
        if found is None and self._origin != self._root:
            return None
        return _Told(dns.rcode.NOERROR, ((3600, (found,)),) if found else ())

    def _oid(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> _Told:
        labels = name.relativize(self._root).labels
        dotted = b".".join(reversed(labels)).decode("ascii", errors="replace")
        # one arc is the top of the tree, which no code system writes alone
        code = recognise(f"urn:oid:{dotted}") if len(labels) > 1 else None
        if len(labels) == 1 and dotted in {"0", "1", "2"}:
            return _Told(dns.rcode.NOERROR)
        if code is None or not code.ok or code.canonical != dotted:
            return _Told(dns.rcode.NXDOMAIN)
        try:
            found = answer(self._store, code).answers if kind in _SERVED else []
        except MingwuError:
            return _Told(dns.rcode.NOERROR)
        records = tuple(_rdata(one) for one in found if _fits(one))
        if not records:
            return _Told(dns.rcode.NOERROR)
        ttl = min(one.ttl for one in found)
        if kind == dns.rdatatype.ANY:
            return _Told(dns.rcode.NOERROR, ((ttl, (_HINFO,)),))
        return _Told(dns.rcode.NOERROR, ((ttl, records),))

    def _packed(
        self, asked: dns.message.Message, reply: dns.message.Message, *, udp: bool
    ) -> bytes:
        if not udp:
            return bytes(reply.to_wire(max_size=_MOST_TCP_BYTES))
        allowed = asked.payload if asked.edns >= 0 else _PLAIN_UDP_BYTES
        size = min(max(allowed, _PLAIN_UDP_BYTES), self._settings.udp_answer_bytes)
        try:
            return bytes(reply.to_wire(max_size=size))
        except dns.exception.TooBig:
            reply.flags |= dns.flags.TC
            reply.answer.clear()
            reply.authority.clear()
            return bytes(reply.to_wire(max_size=size))


_HINFO = _hinfo(_IN, dns.rdatatype.HINFO, b"RFC8482", b"")


def _fits(one: Naptr) -> bool:
    """A character string of DNS holds 255 bytes; a longer address cannot be told this way."""
    return len(one.regexp) <= _STRING_BYTES


def _rdata(one: Naptr) -> Rdata:
    return _naptr(
        _IN, dns.rdatatype.NAPTR, one.order, one.preference, one.flags.encode(),
        one.services.encode(), one.regexp.encode(), dns.name.root,
    )  # fmt: skip
