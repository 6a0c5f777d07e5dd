"""Networks that an enterprise asks from, so that its own questions are told from others'."""

STATEMENTS = ("ALTER TABLE secondlevel_enterprise ADD COLUMN networks TEXT NOT NULL DEFAULT ''",)
