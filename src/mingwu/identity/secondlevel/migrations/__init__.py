"""Schema steps of the second-level node."""
