"""Who may see and change what: grants, groups, application identities, and why."""
