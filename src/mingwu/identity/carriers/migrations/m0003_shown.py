"""What the record of a carrier's identifier says of its state: what the registrar was told last.

Carriers from before this column are told of once more.
"""

STATEMENTS = ("ALTER TABLE carrier_unit ADD COLUMN shown TEXT NOT NULL DEFAULT ''",)
