"""Settings of the enterprise node. Defaults serve one plant on one machine."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings
from mingwu.store.settings import StoreSettings


class ImportSource(Settings, frozen=True, kw_only=True):
    """A database identifiers may be imported from.

    ``name``: how mappings name it. ``url``: SQLAlchemy address; use an account that may only read.
    ``query``: one SELECT; its column names are what the mapping refers to.
    """

    name: str
    url: str
    query: str


class EnterpriseSettings(Settings, frozen=True, kw_only=True):
    """Registration of identifiers under the enterprise's own prefixes."""

    # Where templates, identifiers and their history lie; commits wait for the disk.
    store: StoreSettings = StoreSettings(durable=True)
    # Prefixes of this enterprise.
    prefixes: tuple[str, ...] = ("88.888.101",)
    # Name of the enterprise, as façades and reports show it.
    enterprise_zh: str = ""
    enterprise_en: str = ""  # the same in English
    # Most items in one batch call.
    batch_items: Annotated[int, Meta(ge=1, le=100_000)] = 2000
    # Most bytes of one request body.
    body_bytes: Annotated[int, Meta(ge=1024)] = 32 * 2**20
    # Most bytes of one uploaded table, and of what an uploaded workbook unpacks to.
    upload_bytes: Annotated[int, Meta(ge=1024)] = 128 * 2**20
    unpacked_bytes: Annotated[int, Meta(ge=1024)] = 512 * 2**20  # the latter
    uploads_bytes: Annotated[int, Meta(ge=1024)] = 2**30  # most bytes of all kept tables together
    import_rows: Annotated[int, Meta(ge=1)] = 1_000_000  # most rows read from one table or query
    # Days that uploaded tables, and the rows imports told about, are kept.
    upload_days: Annotated[float, Meta(gt=0)] = 7.0
    # Databases that imports may read.
    sources: tuple[ImportSource, ...] = ()
    # Hours a façade's token lasts.
    token_hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    # Seconds a façade's challenge waits for its answer.
    challenge_s: Annotated[float, Meta(gt=0)] = 60.0
