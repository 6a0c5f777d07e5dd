"""The first account of a node."""

from mingwu.node.config import Config
from mingwu.trust.service import Trust


def first_account(config: Config) -> str | None:
    """The password of the first administrator, returned at the very first start only."""
    trust = Trust.open(config.trust)
    try:
        password = trust.accounts.ensure_admin()
        if password is not None:
            trust.journal.append("node", "account.first", "admin")
        return password
    finally:
        trust.close()
