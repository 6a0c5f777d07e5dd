"""Rows of a relational table."""
