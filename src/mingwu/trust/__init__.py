"""Accounts, roles, sessions, keys, secrets files and the append-only journal."""
