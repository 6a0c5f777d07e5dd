"""Modbus without I/O, client and server side: bytes in, messages out.

``pdu`` builds requests and reads replies, ``server`` reads requests and builds replies, ``mbap``
frames them for TCP, ``rtu`` for serial lines (and for RTU carried over TCP). Standards: MODBUS
Application Protocol V1.1b3 (quoted as MAP), MODBUS over Serial Line V1.02 (MSL), MODBUS Messaging
on TCP/IP Implementation Guide V1.0b (MTCP).

Bytes from outside raise :class:`~mingwu.wire.modbus.pdu.ProtocolError` or nothing.
"""
