"""The first schema: industries, templates, identifiers and their history, access, applications.

``enterprise_history`` is the truth: each change of an identifier is a row with its whole content,
numbered in commit order; ``enterprise_identifier`` points to the latest row of each name.
"""

STATEMENTS = (
    """CREATE TABLE enterprise_industry (
        code TEXT PRIMARY KEY,
        parent TEXT NOT NULL,
        level INTEGER NOT NULL,
        zh TEXT NOT NULL,
        en TEXT NOT NULL,
        source TEXT NOT NULL
    )""",
    """CREATE TABLE enterprise_template (
        number BIGINT PRIMARY KEY,
        prefix TEXT NOT NULL,
        version TEXT NOT NULL,
        handle_key TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        revision BIGINT NOT NULL,
        name_zh TEXT NOT NULL,
        name_en TEXT NOT NULL,
        classify TEXT NOT NULL,
        definition TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL,
        changed_at_ms BIGINT NOT NULL,
        UNIQUE (prefix, version)
    )""",
    """CREATE TABLE enterprise_template_revision (
        template BIGINT NOT NULL,
        revision BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        definition TEXT NOT NULL,
        PRIMARY KEY (template, revision)
    )""",
    """CREATE TABLE enterprise_identifier (
        key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        prefix TEXT NOT NULL,
        kind TEXT NOT NULL,
        template BIGINT NOT NULL,
        state TEXT NOT NULL,
        version BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        owner TEXT NOT NULL,
        registered_at_ms BIGINT NOT NULL,
        changed_at_ms BIGINT NOT NULL
    )""",
    "CREATE INDEX enterprise_identifier_by_state ON enterprise_identifier (template, state)",
    "CREATE INDEX enterprise_identifier_by_sequence ON enterprise_identifier (sequence)",
    """CREATE TABLE enterprise_history (
        sequence BIGINT PRIMARY KEY,
        previous BIGINT NOT NULL,
        name TEXT NOT NULL,
        version BIGINT NOT NULL,
        kind TEXT NOT NULL,
        template BIGINT NOT NULL,
        state TEXT NOT NULL,
        action TEXT NOT NULL,
        actor TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        content TEXT NOT NULL,
        note TEXT NOT NULL
    )""",
    """CREATE TABLE enterprise_unique (
        template BIGINT NOT NULL,
        item TEXT NOT NULL,
        value TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (template, item, value)
    )""",
    "CREATE INDEX enterprise_unique_by_key ON enterprise_unique (key)",
    "CREATE TABLE enterprise_reprojection (template BIGINT PRIMARY KEY, after_key TEXT NOT NULL)",
    """CREATE TABLE enterprise_group (
        name TEXT PRIMARY KEY,
        zh TEXT NOT NULL,
        en TEXT NOT NULL
    )""",
    """CREATE TABLE enterprise_member (
        group_name TEXT NOT NULL,
        member TEXT NOT NULL,
        PRIMARY KEY (group_name, member)
    )""",
    "CREATE INDEX enterprise_member_by_member ON enterprise_member (member)",
    """CREATE TABLE enterprise_grant (
        grantee TEXT NOT NULL,
        scope TEXT NOT NULL,
        target TEXT NOT NULL,
        item TEXT NOT NULL,
        may TEXT NOT NULL,
        granted_by TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        PRIMARY KEY (grantee, scope, target, item, may)
    )""",
    "CREATE INDEX enterprise_grant_by_target ON enterprise_grant (target)",
    """CREATE TABLE enterprise_own_access (
        key TEXT PRIMARY KEY,
        is_public BOOLEAN NOT NULL
    )""",
    """CREATE TABLE enterprise_application (
        handle_key TEXT PRIMARY KEY,
        handle TEXT NOT NULL,
        login TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        account TEXT NOT NULL,
        secret_sha256 TEXT NOT NULL,
        public_key TEXT NOT NULL,
        enabled BOOLEAN NOT NULL,
        created_at_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE enterprise_session (
        session TEXT PRIMARY KEY,
        handle TEXT NOT NULL,
        expires_at_ms BIGINT NOT NULL
    )""",
    """CREATE TABLE enterprise_mapping (
        name TEXT PRIMARY KEY,
        definition TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        changed_at_ms BIGINT NOT NULL
    )""",
)
