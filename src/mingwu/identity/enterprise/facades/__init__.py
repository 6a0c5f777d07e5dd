"""Interfaces that existing enterprise systems call already, on the same store: SNMS, IDHub."""
