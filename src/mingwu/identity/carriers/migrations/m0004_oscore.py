"""Security contexts of carriers that come by CoAP: sealed master secret, replay window."""

STATEMENTS = (
    """CREATE TABLE carrier_oscore (
        serial TEXT PRIMARY KEY,
        kid TEXT NOT NULL UNIQUE,
        secret TEXT NOT NULL,
        window_index BIGINT NOT NULL,
        window_bits BIGINT NOT NULL
    )""",
)
