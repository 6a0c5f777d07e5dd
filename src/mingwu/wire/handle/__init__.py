"""Handle System protocol 2.1-2.11 and its national additions: bytes in, messages out.

Modules: ``codes`` (numbers), ``primitives`` (checked reading and writing), ``envelope`` (packets
and fragments), ``message`` (header, credential, digests), ``bodies`` (one field table per body),
``values`` (handle values), ``admin``/``site``/``keys`` (typed data), ``jsonform`` (the JSON form
of the HTTP interface). Terms follow RFC 3651 and 3652; where deployed servers differ from the
RFCs, the deployed form is implemented, because that is what the other side speaks.
"""
