"""One folder per driver; the contract they share is ``field.base``."""
