"""Up to when the questions of the resolvers' log are counted for a carrier."""

STATEMENTS = ("ALTER TABLE carrier_unit ADD COLUMN resolved_ms BIGINT NOT NULL DEFAULT 0",)
