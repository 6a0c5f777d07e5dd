"""Things, types, places (IEC 62264), relations and tags; each row keyed by its name."""
