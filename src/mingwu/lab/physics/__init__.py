"""Pure models of the plant's machines: seeded, stepped in simulated time, no I/O.

Every model offers ``readings`` (property name -> value in the unit its point declares),
``step(dt_s)`` and ``refresh()`` (bring the slow readings up to date). The same seed and the same
sequence of steps give the same trajectory, bit by bit.
"""
