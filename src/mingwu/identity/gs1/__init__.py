"""A GS1-conformant resolver over the record store."""
