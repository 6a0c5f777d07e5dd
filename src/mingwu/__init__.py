"""Mingwu 名物: every thing in the plant has a name; every name resolves to live data."""

__version__ = "0.1.0"
