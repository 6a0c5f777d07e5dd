"""A store with a few believable names, and resolvers over it without any socket."""

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mingwu.identity.access.administration import Administration
from mingwu.identity.access.gate import Gate
from mingwu.identity.cards import sync_cards
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.process import home_prefixes, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.plant import CardTag, Kind, ThingCard, ValueType
from mingwu.wire.handle import keys
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
ADMIN = f"0.NA/{PREFIX}"
SECRET = b"correct horse"
NOW_NS = 1_790_000_000_123_000_000

CASTER = ThingCard(
    id=f"{PREFIX}/DEV.DCM2500.01",
    kind=Kind.MACHINE,
    type="DieCastingCell",
    name_en="Die casting cell 1",
    name_zh="压铸单元1",
    place="jiangzhou/workshop1/casting",
    documentation="https://example.org/dcm2500.pdf",
    simulated=True,
    tags=(
        CardTag(number=7, name="die_temperature", unit="Cel"),
        CardTag(number=8, name="shots", unit="1", type=ValueType.INT),
    ),
)


class LiveTable:
    """Last values by tag number, as the bus would know them."""

    def __init__(self, **values):
        self.values = {int(number.removeprefix("t")): value for number, value in values.items()}

    def get(self, number):
        return self.values.get(number)

    def columns(self, numbers):
        raise NotImplementedError


class ManualClock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**28, durable=False)
    site = site_of(ResolverSettings(), 2641, 8000)
    home_prefixes(store, (PREFIX,), site)
    sync_cards(store, [CASTER], now=1_790_000_000)
    store.put(
        Record(
            f"{PREFIX}/Part.7",
            (
                HandleValue(1, "URL", b"https://example.org/7"),
                HandleValue(2, "DESC.zh", "壳体".encode()),
                HandleValue(3, "DESC.en", b"housing"),
                HandleValue(300, "HS_SECKEY", b"hidden", permissions=0x0C),
            ),
        )
    )
    yield store
    store.close()


@pytest.fixture
def live():
    return LiveTable(t7=(201.5, NOW_NS, 0xE0), t8=(48211.0, NOW_NS, 0xC0))


@pytest.fixture
def resolver(store, live):
    resolver = Resolver(store, site_of(ResolverSettings(), 2641, 8000), live=live)
    resolver.begin()
    yield resolver
    resolver.end()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(scope="session")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def changes():
    return []


@pytest.fixture
def gate(store, live, clock, rsa_key, changes):
    """A worker's gate; the prefix administrator has a public key (300) and a secret (301)."""
    numbers = rsa_key.public_key().public_numbers()
    public = keys.encode_key(keys.make_key(keys.RSA, e=numbers.e, n=numbers.n))

    def with_keys(record):
        added = (
            HandleValue(300, "HS_PUBKEY", public),
            HandleValue(301, "HS_SECKEY", SECRET, permissions=0x0C),
            HandleValue(110, "HS_ADMIN", encode_admin(Admin(ADMIN, 301, 0x7FF))),
        )
        return Record(record.name, (*record.values, *added), record.live)

    store.change(ADMIN, with_keys)
    resolver = Resolver(store, site_of(ResolverSettings(), 2641, 8000), live=live)
    administration = Administration(store, journal=changes.append)
    return Gate(resolver, administration, challenge_timeout_s=60, clock=clock)


class AsgiClient:
    """Asks an ASGI application in memory, one request after the other, from plain tests."""

    def __init__(self, app):
        self._transport = httpx.ASGITransport(app)

    def request(self, method, path, **more):
        async def ask():
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://node"
            ) as client:
                client.headers.clear()
                return await client.request(method, path, **more)

        return anyio.run(ask)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, **more):
        return self.request("POST", path, **more)


@pytest.fixture
def asgi():
    """Makes a client of an application."""
    return AsgiClient
