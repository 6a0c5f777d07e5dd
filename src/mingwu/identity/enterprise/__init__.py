"""The enterprise node: templates, registration and life cycle, grants, imports, HTTP façades."""
