"""Settings of the simulated root, top-level and recursive nodes."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

Port = Annotated[int, Meta(ge=0, le=65_535)]


class KnownNode(Settings, frozen=True, kw_only=True):
    """A second-level node that has been admitted."""

    # Number given to it (its appId).
    app_id: str = "mingwu-demo"
    # Its prefix.
    prefix: str = "88.101"
    # Its SM2 public key, hex of 65 bytes.
    public_key: str
    # Address where it resolves, an IP address.
    host: str = "127.0.0.1"
    # Port where it resolves (Handle protocol).
    port: Port = 2641
    # Address of its data access service (IIIDAP), told in the bootstrap file; empty tells none.
    iiidap_url: str = ""


class TopNodeSettings(Settings, frozen=True, kw_only=True):
    """Root, top node and recursive node in one process. Ports of 0 are chosen by the system."""

    # Folder for records, received tables, deposits and the node's SM2 key.
    directory: str = "lab/topnode"
    # Address to listen on.
    host: str = "127.0.0.1"
    # The top node's prefix: everything below is delegated by it.
    prefix: str = "88"
    # Handle port of the root.
    root_port: Port = 2741
    # Handle port of the top node.
    top_port: Port = 2742
    # Handle port of the recursive node.
    recursive_port: Port = 2743
    # Address of this machine that the recursive node asks from; empty: the system chooses.
    recursive_source: str = ""
    # Handle port that answers from escrow when a node is down.
    emergency_port: Port = 2744
    # Port of the EPP service over TCP.
    epp_port: Port = 2745
    # Port of the receiver of tables and deposits (HTTP), of EPP over HTTP (path /epp) and of the
    # bootstrap file of data access services (/iiidap/bootstrap.json).
    http_port: Port = 2746
    # Seconds after which an unused EPP session over HTTP ends.
    epp_session_s: Annotated[float, Meta(gt=0)] = 300.0
    # Seconds until the passing on of a prefix to another enterprise is approved; 0 does it at once.
    transfer_review_s: Annotated[float, Meta(ge=0)] = 0.0
    # Admitted second-level nodes.
    nodes: tuple[KnownNode, ...] = ()
    # Seconds between two probes of a node.
    probe_interval_s: Annotated[float, Meta(gt=0)] = 5.0
    # Seconds a probe may take.
    probe_timeout_s: Annotated[float, Meta(gt=0)] = 2.0
    # Latest probes that are looked at together.
    probe_window: Annotated[int, Meta(ge=1)] = 12
    # Share of failed probes in the window from which the records of escrow are served, percent.
    takeover_percent: Annotated[float, Meta(gt=0, le=100)] = 51.0
    # Longest time the recursive node keeps an answer, seconds.
    cache_ttl_s: Annotated[int, Meta(ge=0)] = 300
    # Time it keeps "no such name", seconds.
    negative_ttl_s: Annotated[int, Meta(ge=0)] = 5
    # Most answers it keeps.
    cache_entries: Annotated[int, Meta(ge=1)] = 50_000
    # Most bytes that each record store may grow to; reserved as address space.
    map_bytes: Annotated[int, Meta(ge=2**20)] = 64 * 2**30
