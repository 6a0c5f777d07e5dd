"""Trusted resolution: records that carry signatures, and how far to believe them."""
