"""Numbered migrations of accounts, sessions and the journal; released ones never change."""
