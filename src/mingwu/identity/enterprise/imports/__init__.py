"""Tables and databases into names: uploads, previews, jobs."""
