"""The resolver's process and what it serves: UDP, TCP and HTTP."""
