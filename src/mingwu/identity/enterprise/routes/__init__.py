"""The enterprise node's own HTTP routes below /api/identity."""
