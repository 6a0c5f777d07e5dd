"""Who asks and what they may change: proofs, sessions, administrators, the gate."""
