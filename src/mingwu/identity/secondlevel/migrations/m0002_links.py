"""Where enterprises' own nodes are asked for data, and as which application of theirs."""

STATEMENTS = (
    """CREATE TABLE secondlevel_link (
        prefix TEXT PRIMARY KEY, uscc TEXT NOT NULL, url TEXT NOT NULL, application TEXT NOT NULL,
        templates TEXT NOT NULL, changed_by TEXT NOT NULL, changed_at_ms BIGINT NOT NULL)""",
)
