"""Rows of a relational table or query, polled and never written.

``address`` is the grammar of tag addresses, ``plan`` the statement and the decoder, ``database``
the connection in its own thread, ``driver`` the driver itself.
"""
