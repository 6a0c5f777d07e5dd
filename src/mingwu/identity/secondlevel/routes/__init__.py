"""The second-level node's HTTP routes below /api/secondlevel."""
