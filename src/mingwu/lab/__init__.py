"""Simulated plants that speak real protocols over real sockets."""
