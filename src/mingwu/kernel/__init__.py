"""The shared words of the house: names, tags, batches, quality, errors, ports. No I/O.

Everything here may be imported by every other package; nothing here imports any of them.
"""
