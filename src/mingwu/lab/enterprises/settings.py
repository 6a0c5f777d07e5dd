"""Settings of the simulated enterprises (S3): names, own nodes, questions."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

Port = Annotated[int, Meta(ge=0, le=65_535)]
ENTERPRISES, FACADES = 60, 2


class EnterpriseLabSettings(Settings, frozen=True, kw_only=True):
    """60 enterprises under the second-level node, some with own nodes, and their clients."""

    # Folder of the own nodes' records and of the note that the second-level node is filled.
    directory: str = "lab/enterprises"
    # Prefix of the second-level node.
    prefix: str = "88.101"
    # Identifiers of all hosted enterprises together; one of them registers a sixth.
    identifiers: Annotated[int, Meta(ge=100, le=10_000_000)] = 5_000
    # Enterprises that run nodes of their own.
    own_nodes: Annotated[int, Meta(ge=1, le=40)] = 12
    # First Handle port of those nodes, one each; 0 lets the system choose.
    own_first_port: Port = 2751
    # Identifiers at each of those nodes.
    own_names: Annotated[int, Meta(ge=1, le=100_000)] = 200
    # First HTTP port of the two nodes that offer façades; 0: none does.
    facade_first_port: Port = 0
    # Address where the second-level node resolves, HOST:PORT.
    resolver: str = "127.0.0.1:2641"
    # Questions of clients in a second; 0 asks nothing.
    asked_per_s: Annotated[float, Meta(ge=0, le=1000)] = 2.0
    # Seed of all random streams.
    seed: int = 3
