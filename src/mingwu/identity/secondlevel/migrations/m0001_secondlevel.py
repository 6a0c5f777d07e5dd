"""The first schema: applications, tenants, prefixes, identifiers, monitoring, duties, escrow."""

STATEMENTS = (
    """CREATE TABLE secondlevel_enterprise (
        uscc TEXT PRIMARY KEY, name TEXT NOT NULL, profile TEXT NOT NULL, industry TEXT NOT NULL,
        state TEXT NOT NULL, group_name TEXT NOT NULL, max_prefixes BIGINT NOT NULL,
        max_identifiers BIGINT NOT NULL, daily_requests BIGINT NOT NULL,
        changed_at_ms BIGINT NOT NULL)""",
    """CREATE TABLE secondlevel_group (
        name TEXT PRIMARY KEY, zh TEXT NOT NULL, en TEXT NOT NULL, permissions TEXT NOT NULL)""",
    """CREATE TABLE secondlevel_application (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, kind TEXT NOT NULL, uscc TEXT NOT NULL,
        prefix TEXT NOT NULL, state TEXT NOT NULL, form TEXT NOT NULL, reasons TEXT NOT NULL,
        submitted_by TEXT NOT NULL, reviewer TEXT NOT NULL, submitted_at_ms BIGINT NOT NULL,
        changed_at_ms BIGINT NOT NULL)""",
    "CREATE INDEX secondlevel_application_queue ON secondlevel_application (state, number)",
    """CREATE TABLE secondlevel_application_event (
        application TEXT NOT NULL, sequence BIGINT NOT NULL, at_ms BIGINT NOT NULL,
        actor TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (application, sequence))""",
    """CREATE TABLE secondlevel_prefix (
        prefix TEXT PRIMARY KEY, uscc TEXT NOT NULL, mode TEXT NOT NULL, site TEXT NOT NULL,
        state TEXT NOT NULL, since_ms BIGINT NOT NULL, changed_at_ms BIGINT NOT NULL,
        projected BOOLEAN NOT NULL, upstream TEXT NOT NULL)""",
    "CREATE INDEX secondlevel_prefix_owner ON secondlevel_prefix (uscc)",
    """CREATE TABLE secondlevel_identifier (
        key TEXT PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL, template TEXT NOT NULL,
        content TEXT NOT NULL, deleted BOOLEAN NOT NULL, at_ms BIGINT NOT NULL,
        projected BOOLEAN NOT NULL)""",
    "CREATE INDEX secondlevel_identifier_prefix ON secondlevel_identifier (prefix, deleted)",
    "CREATE INDEX secondlevel_identifier_template ON secondlevel_identifier (template, key)",
    """CREATE INDEX secondlevel_identifier_open ON secondlevel_identifier (projected)
        WHERE NOT projected""",
    """CREATE TABLE secondlevel_value (
        template TEXT NOT NULL, item TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL,
        PRIMARY KEY (template, item, value, key))""",
    "CREATE INDEX secondlevel_value_key ON secondlevel_value (key)",
    """CREATE TABLE secondlevel_change (
        sequence BIGINT PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL,
        operation INTEGER NOT NULL, at_ms BIGINT NOT NULL, template TEXT NOT NULL,
        content TEXT NOT NULL)""",
    """CREATE TABLE secondlevel_template (
        handle TEXT PRIMARY KEY, prefix TEXT NOT NULL, definition TEXT NOT NULL,
        changed_at_ms BIGINT NOT NULL)""",
    """CREATE TABLE secondlevel_software (
        id TEXT PRIMARY KEY, prefix TEXT NOT NULL, name TEXT NOT NULL, purpose TEXT NOT NULL,
        changed_at_ms BIGINT NOT NULL)""",
    """CREATE TABLE secondlevel_daily (
        day TEXT NOT NULL, prefix TEXT NOT NULL, source TEXT NOT NULL, requests BIGINT NOT NULL,
        successes BIGINT NOT NULL, PRIMARY KEY (day, prefix, source))""",
    """CREATE TABLE secondlevel_resolved (
        key TEXT PRIMARY KEY, prefix TEXT NOT NULL, last_at_ms BIGINT NOT NULL,
        foreign_at_ms BIGINT NOT NULL)""",
    "CREATE INDEX secondlevel_resolved_prefix ON secondlevel_resolved (prefix)",
    """CREATE TABLE secondlevel_latency (
        day TEXT NOT NULL, node TEXT NOT NULL, what TEXT NOT NULL, count BIGINT NOT NULL,
        sum_us BIGINT NOT NULL, least_us BIGINT NOT NULL, least_at_ms BIGINT NOT NULL,
        most_us BIGINT NOT NULL, most_at_ms BIGINT NOT NULL, peak_qps BIGINT NOT NULL,
        peak_at_ms BIGINT NOT NULL, failures BIGINT NOT NULL, PRIMARY KEY (day, node, what))""",
    """CREATE TABLE secondlevel_node (
        node TEXT PRIMARY KEY, state TEXT NOT NULL, since_ms BIGINT NOT NULL,
        failures INTEGER NOT NULL, latency_us BIGINT NOT NULL, probed_at_ms BIGINT NOT NULL,
        detail TEXT NOT NULL)""",
    """CREATE TABLE secondlevel_event (
        number BIGINT PRIMARY KEY, node TEXT NOT NULL, kind TEXT NOT NULL, cause INTEGER NOT NULL,
        began_ms BIGINT NOT NULL, ended_ms BIGINT NOT NULL, text_zh TEXT NOT NULL,
        text_en TEXT NOT NULL)""",
    """CREATE TABLE secondlevel_outbox (
        number BIGINT PRIMARY KEY, channel TEXT NOT NULL, subject TEXT NOT NULL,
        body TEXT NOT NULL, created_ms BIGINT NOT NULL, attempts INTEGER NOT NULL,
        next_at_ms BIGINT NOT NULL, acknowledged_ms BIGINT NOT NULL, state TEXT NOT NULL,
        error TEXT NOT NULL)""",
    "CREATE INDEX secondlevel_outbox_due ON secondlevel_outbox (state, number)",
    "CREATE TABLE secondlevel_mark (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE secondlevel_deposit (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, kind TEXT NOT NULL,
        made_at_ms BIGINT NOT NULL, from_sequence BIGINT NOT NULL, to_sequence BIGINT NOT NULL,
        objects BIGINT NOT NULL, files TEXT NOT NULL, state TEXT NOT NULL)""",
)
