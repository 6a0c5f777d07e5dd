"""A simulated national top-level node, root and recursive node: the other side of the duties."""
