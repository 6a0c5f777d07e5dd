"""One folder per application. Empty until its issue opens it."""
