"""Numbered migrations of the registry's tables; released ones never change."""
