"""The second-level node: who may have which prefix, and what is owed to the top-level node."""
