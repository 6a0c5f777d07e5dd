"""Plant networks: topology, IPv6 plan, TSN, SD-WAN, 5G. Empty until its issue opens it."""
