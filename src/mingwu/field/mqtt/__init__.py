"""MQTT 3.1.1 devices with JSON or plain payloads.

``address`` is the grammar of tag addresses, ``plan`` turns one message into columns, ``link`` is
the only importer of the MQTT client library, ``driver`` the driver itself.
"""
