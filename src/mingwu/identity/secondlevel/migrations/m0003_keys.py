"""Keys by which programs of enterprises work at this node in their enterprise's name."""

STATEMENTS = (
    """CREATE TABLE secondlevel_key (
        id TEXT PRIMARY KEY, uscc TEXT NOT NULL, label TEXT NOT NULL, digest TEXT NOT NULL,
        made_by TEXT NOT NULL, made_at_ms BIGINT NOT NULL, used_at_ms BIGINT NOT NULL,
        calls BIGINT NOT NULL)""",
    "CREATE INDEX secondlevel_key_uscc ON secondlevel_key (uscc)",
)
