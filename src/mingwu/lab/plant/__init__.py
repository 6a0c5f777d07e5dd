"""The declaration of plant S1: one source for the plant file and the simulator's address spaces.

Types, things and tags are declared here in the registry's own records. The plant file is their
dump; the servers are compiled from the same resolved tags, so that what is announced is served.
"""
