"""What the certificate says of the key's place, and who asked for the carrier last."""

STATEMENTS = (
    "ALTER TABLE carrier_unit ADD COLUMN certified TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE carrier_unit ADD COLUMN queried_by TEXT NOT NULL DEFAULT ''",
)
