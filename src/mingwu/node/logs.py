"""Logging of a process: one line per record on stderr, which the supervisor files per child."""

import logging


def start(level: str = "INFO") -> None:
    """Configure the root logger; chatty libraries speak from WARNING on."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    for library in ("asyncua", "gmqtt", "nats", "uvicorn", "sqlalchemy", "clickhouse_connect"):
        logging.getLogger(library).setLevel(logging.WARNING)
