"""Figures of the outbox are read without its bodies: a million changes are some 400 MB of them."""

STATEMENTS = (
    """CREATE INDEX secondlevel_outbox_figures
        ON secondlevel_outbox (channel, subject, state, created_ms, acknowledged_ms)""",
)
