"""Where each reading comes from: when it was measured, and the signed report that brought it.

Readings from before this column stand without origin until the next report.
"""

STATEMENTS = ("ALTER TABLE carrier_unit ADD COLUMN measured TEXT NOT NULL DEFAULT '{}'",)
