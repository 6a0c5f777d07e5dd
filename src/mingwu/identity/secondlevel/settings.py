"""Settings of the second-level node. Defaults are those of the demonstration (laptop, loopback)."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings
from mingwu.store.settings import StoreSettings


class SecondLevelSettings(Settings, frozen=True, kw_only=True):
    """One second-level node."""

    # Its own prefix, under which enterprise prefixes are given.
    prefix: str = "88.101"
    # Name of the operator in reports, Chinese.
    operator_zh: str = "演示行业二级节点（模拟）"
    # Name of the operator in reports, English.
    operator_en: str = "Demonstration second-level node (simulated)"
    # Unified social credit code of the operator.
    operator_uscc: str = "91330000MA2ABCDE51"
    # Whether node and enterprises are made up; pages and answers mark it so. A node that runs the
    # role `lab` is, unless its file says otherwise.
    simulated: bool = False
    store: StoreSettings = StoreSettings()
    # Most prefixes a tenant gets unless another number is set for it.
    tenant_prefixes: Annotated[int, Meta(ge=1)] = 3
    # Most identifiers a tenant registers unless another number is set for it.
    tenant_identifiers: Annotated[int, Meta(ge=0)] = 1_000_000
    # Most requests of a tenant in a Beijing day unless another number is set for it.
    tenant_daily_requests: Annotated[int, Meta(ge=0)] = 1_000_000
    # Seconds between two probes of an enterprise node.
    probe_interval_s: Annotated[float, Meta(gt=0)] = 30.0
    # Seconds a probe may take.
    probe_timeout_s: Annotated[float, Meta(gt=0)] = 2.0
    # Probes that must fail in a row before a node counts as down.
    probe_failures: Annotated[int, Meta(ge=1)] = 3
    # Agreed share of successful probes in a month, percent.
    sla_percent: Annotated[float, Meta(ge=0, le=100)] = 99.0
    # Folder of escrow deposits.
    escrow_directory: str = "var/escrow"
    # Largest piece of a deposit, bytes (the top node takes up to 1 GiB); one is sent from memory.
    escrow_piece_bytes: Annotated[int, Meta(ge=1024, le=2**30)] = 2**26
    # Days between two FULL deposits; DIFF ones in between.
    escrow_full_days: Annotated[int, Meta(ge=1)] = 7
    # Hour of Beijing time after which the daily deposit is made.
    escrow_hour: Annotated[int, Meta(ge=0, le=23)] = 8
    # Address of the top node's receiver of tables and deposits; empty sends nothing.
    upstream_url: str = ""
    # Address of the top node's EPP service: host:port for TCP, a URL for HTTP (plain http on
    # loopback only); empty sends nothing.
    upstream_epp: str = ""
    # Seconds between two looks into the top node's message queue.
    upstream_poll_s: Annotated[float, Meta(gt=0)] = 60.0
    # PEM file with the certificate authority of that service; given, a session by TCP uses TLS,
    # one by https trusts this authority only.
    upstream_epp_ca: str = ""
    # Handle address of the top node (host:port), asked where it delegates our prefix; empty asks
    # nobody.
    upstream_resolver: str = ""
    # Our number with the top node (its appId).
    app_id: str = "mingwu-demo"
    # Folder of the node's SM2 key (made at the first start, 0600).
    secrets_directory: str = "var/secrets"
    # The top node's SM2 public key, hex of 65 bytes: deposits are sealed for it.
    upstream_public_key: str = ""
    # Seconds a request upstream may take.
    upstream_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    # Seconds an enterprise's own node may take to answer a unified query.
    query_timeout_s: Annotated[float, Meta(gt=0)] = 3.0
    # PEM file with the certificate authority of enterprises' nodes; empty trusts the system's.
    query_ca: str = ""
    # Public address of the data access service, ending in /iiidap, told in links and in the
    # bootstrap file; empty tells the address that was asked.
    iiidap_url: str = ""
    # Most objects on a page of search results.
    iiidap_page: Annotated[int, Meta(ge=1, le=1000)] = 50
    # Questions a minute that the data access service answers to a stranger's address.
    iiidap_per_minute: Annotated[int, Meta(ge=1)] = 120
    # Questions a minute that it answers to an account.
    iiidap_known_per_minute: Annotated[int, Meta(ge=1)] = 1200
    # Days that delivered messages and deposits are kept.
    keep_days: Annotated[int, Meta(ge=15)] = 60
    # First pause before a failed delivery is tried again, seconds; doubles up to an hour.
    retry_s: Annotated[float, Meta(gt=0)] = 5.0
    # Seconds between two rounds of the duties.
    round_s: Annotated[float, Meta(gt=0)] = 5.0
