"""Composition root: reads configuration, constructs engines, supervises processes."""
