"""The first tables: carriers, their events, signed reports and orders.

Binary columns are base64 text, so that the same statements run on SQLite and PostgreSQL. Times end
in ``_ms`` (since the epoch); 0 means "never".
"""

STATEMENTS = (
    """CREATE TABLE carrier_unit (
        serial TEXT PRIMARY KEY,
        key_id TEXT NOT NULL,
        prefix TEXT NOT NULL,
        suffix TEXT NOT NULL,
        form TEXT NOT NULL,
        bearer TEXT NOT NULL,
        owner TEXT NOT NULL,
        holder TEXT NOT NULL,
        protection TEXT NOT NULL,
        address TEXT NOT NULL,
        state TEXT NOT NULL,
        blocked TEXT NOT NULL,
        identifier TEXT NOT NULL,
        identifier_key TEXT NOT NULL,
        link TEXT NOT NULL,
        previous_link TEXT NOT NULL,
        attributes TEXT NOT NULL,
        fence TEXT NOT NULL,
        content TEXT NOT NULL,
        is_outside BOOLEAN NOT NULL,
        simulated BOOLEAN NOT NULL,
        counter BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        provisioned_ms BIGINT NOT NULL,
        powered_ms BIGINT NOT NULL,
        registered_ms BIGINT NOT NULL,
        written_ms BIGINT NOT NULL,
        first_reported_ms BIGINT NOT NULL,
        reported_ms BIGINT NOT NULL,
        sampled_ms BIGINT NOT NULL,
        queried_ms BIGINT NOT NULL,
        reports BIGINT NOT NULL,
        samples BIGINT NOT NULL,
        dropped BIGINT NOT NULL,
        queries BIGINT NOT NULL
    )""",
    "CREATE INDEX carrier_unit_by_identifier ON carrier_unit (identifier_key)",
    """CREATE TABLE carrier_event (
        number BIGINT PRIMARY KEY,
        serial TEXT NOT NULL,
        code TEXT NOT NULL,
        severity TEXT NOT NULL,
        address TEXT NOT NULL,
        detail TEXT NOT NULL,
        evidence TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        times BIGINT NOT NULL
    )""",
    "CREATE INDEX carrier_event_by_serial ON carrier_event (serial, number)",
    """CREATE TABLE carrier_report (
        digest TEXT PRIMARY KEY,
        serial TEXT NOT NULL,
        counter BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        frame TEXT NOT NULL,
        certificate TEXT NOT NULL
    )""",
    "CREATE INDEX carrier_report_by_serial ON carrier_report (serial, counter)",
    """CREATE TABLE carrier_order (
        number BIGINT PRIMARY KEY,
        serial TEXT NOT NULL,
        kind TEXT NOT NULL,
        version BIGINT NOT NULL,
        content TEXT NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL,
        actor TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        sent_ms BIGINT NOT NULL,
        acknowledged_ms BIGINT NOT NULL
    )""",
    "CREATE INDEX carrier_order_by_serial ON carrier_order (serial, number)",
)
