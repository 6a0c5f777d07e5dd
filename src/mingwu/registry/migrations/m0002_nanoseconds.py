"""Tags may ask the history to keep their times to the nanosecond."""

STATEMENTS = ("ALTER TABLE tag ADD COLUMN nanoseconds BOOLEAN NOT NULL DEFAULT FALSE",)
