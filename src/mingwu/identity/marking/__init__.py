"""Marking and reading: symbols, labels, sheets, and what a picture of a symbol leads to."""
