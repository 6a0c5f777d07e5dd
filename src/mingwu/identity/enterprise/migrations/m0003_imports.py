"""Imports as jobs: uploaded tables in parts, the jobs with their counts, what became of rows.

A job is alive while its owner beats; ``enterprise_import_row`` keeps every refused row and the
first rows of each other outcome.
"""

STATEMENTS = (
    """CREATE TABLE enterprise_upload (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        size BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        form TEXT NOT NULL,
        created_by TEXT NOT NULL,
        at_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE enterprise_upload_part (
        upload TEXT NOT NULL,
        number BIGINT NOT NULL,
        data BYTEA NOT NULL,
        PRIMARY KEY (upload, number)
    )""",
    """CREATE TABLE enterprise_import (
        id BIGINT PRIMARY KEY,
        state TEXT NOT NULL,
        dry BOOLEAN NOT NULL,
        mapping TEXT NOT NULL,
        upload TEXT NOT NULL,
        source TEXT NOT NULL,
        file TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        actor TEXT NOT NULL,
        address TEXT NOT NULL,
        owner TEXT NOT NULL,
        cancel BOOLEAN NOT NULL,
        fault TEXT NOT NULL,
        total BIGINT NOT NULL,
        report TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL,
        started_at_ms BIGINT NOT NULL,
        beat_at_ms BIGINT NOT NULL,
        ended_at_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE enterprise_import_row (
        job BIGINT NOT NULL,
        number BIGINT NOT NULL,
        outcome TEXT NOT NULL,
        name TEXT NOT NULL,
        code TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (job, number)
    )""",
    "CREATE INDEX enterprise_import_row_by_outcome ON enterprise_import_row (job, outcome, number)",
)
