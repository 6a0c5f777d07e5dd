"""Sans-I/O codecs: bytes in, messages out. No sockets, no clocks, no threads."""
