"""Settings of the gateway runtime."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class EdgeSettings(Settings, frozen=True, kw_only=True):
    """How a gateway schedules, batches and buffers."""

    # Readings of a device wait at most this long to travel together in one batch, seconds.
    linger_s: Annotated[float, Meta(ge=0, le=10)] = 0.2
    # A batch is sent at once when it has this many points.
    batch_points: Annotated[int, Meta(ge=1, le=2000)] = 2000
    # Changes of a subscribed device are gathered over this time before they are looked at, seconds.
    gather_s: Annotated[float, Meta(ge=0.01, le=2)] = 0.1
    # Batches on their way to the bus at the same time.
    window: Annotated[int, Meta(ge=1, le=4096)] = 64
    # Memory for batches the bus has not acknowledged, MiB; beyond 80 % older batches are thinned.
    buffer_mib: Annotated[int, Meta(ge=1, le=65_536)] = 64
    # First pause before a lost device is tried again, seconds; doubles up to the next setting.
    retry_min_s: Annotated[float, Meta(gt=0)] = 0.5
    # Longest pause before a lost device is tried again, seconds.
    retry_max_s: Annotated[float, Meta(gt=0)] = 3.0
    # A driver that has not answered a read by then is taken for lost, seconds.
    read_limit_s: Annotated[float, Meta(gt=0)] = 15.0
    # A driver that has not connected by then is taken for lost, seconds.
    open_limit_s: Annotated[float, Meta(gt=0)] = 15.0
    # Source times further ahead of the gateway's clock than this are not believed, seconds.
    future_limit_s: Annotated[float, Meta(ge=0)] = 86_400.0
    # Period of the status document, seconds.
    status_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.0
    # How long stopping may wait for the bus to acknowledge what is buffered, seconds.
    drain_s: Annotated[float, Meta(ge=0)] = 3.0
