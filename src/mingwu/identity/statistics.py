"""Counters of the resolver: what was asked, over what, and how it ended.

Plain integers touched only by the serving thread; ``snapshot`` copies them for a status document.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Statistics:
    """Running totals since start. ``by_code`` counts answers by response code."""

    udp: int = 0
    tcp: int = 0
    http: int = 0
    bytes_out: int = 0
    malformed: int = 0
    rate_limited: int = 0
    connections: int = 0
    connections_refused: int = 0
    slow_cut: int = 0
    by_code: Counter[int] = field(default_factory=Counter)

    def snapshot(self) -> dict[str, object]:
        """A JSON-ready copy."""
        return {
            "udp": self.udp,
            "tcp": self.tcp,
            "http": self.http,
            "answered": self.udp + self.tcp + self.http,
            "bytes_out": self.bytes_out,
            "malformed": self.malformed,
            "rate_limited": self.rate_limited,
            "connections": self.connections,
            "connections_refused": self.connections_refused,
            "slow_cut": self.slow_cut,
            "by_code": {str(code): count for code, count in sorted(self.by_code.items())},
        }
