"""Aliases: the names of one thing in several code systems, and the graph that they make."""
