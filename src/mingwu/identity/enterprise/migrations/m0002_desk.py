"""The filing queue in order of time per state, and when an application identity was last in."""

STATEMENTS = (
    "CREATE INDEX enterprise_identifier_waiting ON enterprise_identifier (state, sequence)",
    "ALTER TABLE enterprise_application ADD COLUMN last_used_at_ms BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX enterprise_grant_by_time ON enterprise_grant (at_ms)",
)
