"""Modbus TCP, Modbus RTU on a serial line, and RTU carried over TCP.

``address`` is the grammar of tag addresses, ``plan`` the compiled block reads and the column
decoder, ``exchange`` the request/reply logic without I/O, ``line`` the shared connection,
``driver`` the driver itself.
"""
