"""Names on the bus: subjects and streams. No other place spells them.

=====================================  ========================================================
``mw.telemetry.<gateway>.<device>``    batches (envelope), stream TELEMETRY
``mw.event.<area>.<name>``             events (JSON), stream EVENT
``mw.command.<gateway>.<device>``      write requests (JSON, request/reply), recorded in COMMAND
``mw.audit.<area>``                    audit records (JSON), stream AUDIT
``mw.status.<role>.<name>``            status document (JSON), once a second, core only
``mw.refresh.<gateway>``, ``.all``     asks gateways to report every tag once, core only
=====================================  ========================================================

A token is made of letters, digits, ``_`` and ``-``; names from outside pass :func:`token`.
"""

import re

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

TELEMETRY = "TELEMETRY"
EVENT = "EVENT"
COMMAND = "COMMAND"
AUDIT = "AUDIT"

ALL_TELEMETRY = "mw.telemetry.>"
ALL_EVENTS = "mw.event.>"
ALL_COMMANDS = "mw.command.>"
ALL_AUDIT = "mw.audit.>"
ALL_STATUS = "mw.status.>"
REFRESH_ALL = "mw.refresh.all"

HISTORY_CONSUMER = "history"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def nothing(stream: str) -> str:
    """A subject on which nobody speaks, for a stream that does not listen yet."""
    return f"mw.reserved.{stream}"


def token(text: str) -> str:
    """``text`` if it may stand between two dots; raises InvalidInput otherwise."""
    if not _TOKEN.fullmatch(text):
        raise InvalidInput(
            "input.invalid",
            path="subject",
            fault=Phrase(f"“{text[:80]}” is not a token", f"“{text[:80]}”不能作为主题中的一段"),
        )
    return text


def telemetry(source: str) -> str:
    """Subject of a batch's source ``gateway/device``."""
    gateway, _, device = source.partition("/")
    return f"mw.telemetry.{token(gateway)}.{token(device)}"


def event(area: str, name: str) -> str:
    """Subject of events, e.g. ``event("gateway", "gw1")``."""
    return f"mw.event.{token(area)}.{token(name)}"


def command(gateway: str, device: str) -> str:
    """Subject on which the gateway takes write requests for a device (``*`` for all)."""
    return f"mw.command.{token(gateway)}.{device if device == '*' else token(device)}"


def audit(area: str) -> str:
    """Subject of audit records."""
    return f"mw.audit.{token(area)}"


def status(role: str, name: str) -> str:
    """Subject of a role's status document."""
    return f"mw.status.{token(role)}.{token(name)}"


def refresh(gateway: str) -> str:
    """Subject that asks one gateway to report every tag."""
    return f"mw.refresh.{token(gateway)}"
