"""Asking and changing Handle servers: referrals, roots, signed chains, proofs of identity."""
