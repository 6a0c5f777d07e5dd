"""The first schema: accounts, login failures, sessions and tokens, the journal."""

STATEMENTS = (
    """CREATE TABLE account (
        name TEXT PRIMARY KEY,
        display TEXT NOT NULL,
        role TEXT NOT NULL,
        password TEXT NOT NULL,
        must_change BOOLEAN NOT NULL,
        enabled BOOLEAN NOT NULL,
        language TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL,
        changed_at_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE login_failure (
        key TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        last_at_ms BIGINT NOT NULL,
        locked_until_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE session (
        token_hash TEXT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        account TEXT NOT NULL,
        label TEXT NOT NULL,
        role TEXT NOT NULL,
        address TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL,
        used_at_ms BIGINT NOT NULL,
        expires_at_ms BIGINT NOT NULL
    )""",
    "CREATE INDEX session_by_account ON session (account)",
    """CREATE TABLE journal (
        number BIGINT PRIMARY KEY,
        at_ns BIGINT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        outcome TEXT NOT NULL,
        address TEXT NOT NULL,
        detail TEXT NOT NULL,
        digest TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )""",
    "CREATE INDEX journal_by_object ON journal (object)",
    "CREATE INDEX journal_by_time ON journal (at_ns)",
)
