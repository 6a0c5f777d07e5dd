"""Migrations of the component ``identity.carriers``."""
