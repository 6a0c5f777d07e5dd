"""Data templates: kept in revisions, judged, compared, read from files; industry codes."""
