"""OPC UA client (OPC 10000-4 services over the UA TCP binary mapping of OPC 10000-6).

The session, its security and the rare services are asyncua's. The hot paths (Read and Publish)
are ours: requests are encoded once and replies are read as numpy columns; see ``rawcall`` for the
one place that touches asyncua's internals and ``layout`` for the way replies are read.
"""
