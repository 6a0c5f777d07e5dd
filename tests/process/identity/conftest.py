"""A resolver on loopback ports that the system chooses."""

import contextlib
import shutil
from types import SimpleNamespace

import pytest
import trustme

from mingwu.identity.access.serverkey import ServerKey
from mingwu.identity.cards import sync_cards
from mingwu.identity.records import Record
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.plant import CardTag, Kind, ThingCard
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
NOW_NS = 1_790_000_000_123_000_000


class LiveTable:
    def get(self, number):
        return (201.5, NOW_NS, 0xE0) if number == 7 else None

    def columns(self, numbers):
        raise NotImplementedError


CARD = ThingCard(
    id=f"{PREFIX}/DEV.DCM2500.01",
    kind=Kind.MACHINE,
    type="DieCastingCell",
    name_en="Die casting cell 1",
    name_zh="压铸单元1",
    documentation="https://example.org/dcm2500.pdf",
    simulated=True,
    tags=(CardTag(number=7, name="die_temperature", unit="Cel"),),
)


@pytest.fixture(scope="session")
def key_file(tmp_path_factory):
    """A server key made once: making one takes longer than most tests here."""
    path = tmp_path_factory.mktemp("key") / "server-key.pem"
    ServerKey.load_or_create(path)
    return path


@pytest.fixture
def tls_files(tmp_path):
    """Settings that switch TLS on, and the authority's certificate that clients trust."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    chain, key, trusted = (tmp_path / name for name in ("chain.pem", "key.pem", "ca.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(trusted))
    files = {"tls_certificate": str(chain), "tls_key": str(key), "https_port": 0}
    return SimpleNamespace(settings=files, trusted=trusted)


@pytest.fixture
def serving(tmp_path, key_file):
    """``async with serving(name, **settings) as server``: a store and a server of their own."""

    @contextlib.asynccontextmanager
    async def serve(name="main", *, filled=True, **more):
        settings = ResolverSettings(
            **{
                "directory": str(tmp_path / name), "port": 0, "http_port": 0, "durable": False,
                "map_bytes": 2**28, "prefixes": (PREFIX,),
            } | more
        )  # fmt: skip
        store = open_store(settings)
        shutil.copy(key_file, settings.directory)
        if filled:
            sync_cards(store, [CARD], now=1_790_000_000)
        try:
            async with ResolverServer(settings, store, LiveTable()) as server:
                if filled:
                    store.change(f"0.NA/{PREFIX}", with_administrator)
                yield server
        finally:
            store.close()

    return serve


def with_administrator(record):
    added = (
        HandleValue(301, "HS_SECKEY", b"correct horse", permissions=0x0C),
        HandleValue(110, "HS_ADMIN", encode_admin(Admin(f"0.NA/{PREFIX}", 301))),
    )
    return Record(record.name, (*record.values, *added))
