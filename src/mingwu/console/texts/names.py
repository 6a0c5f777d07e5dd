"""Words of the pages about names: a name's page, registration, filing, templates, scanning."""

TEXTS: dict[str, tuple[str, str]] = {}
