"""All words of the console, zh and en, by key; a module per area, joined in ``table``."""
