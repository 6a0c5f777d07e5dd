"""Words of the pages about nodes: the second-level node, statistics, node status, carriers."""

TEXTS: dict[str, tuple[str, str]] = {}
