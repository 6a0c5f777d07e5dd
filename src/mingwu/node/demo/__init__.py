"""The demonstrations: one module per scenario, ``scenarios`` is the table of them."""
