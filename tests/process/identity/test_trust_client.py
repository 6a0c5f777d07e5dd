"""An answer of a running resolver, verified from the outside."""

import pytest

from mingwu.identity.client.handleclient import resolve
from mingwu.identity.client.root import resolve_from, root_at
from mingwu.identity.live import LiveSource
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.server.process import ResolverServer, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.anchors import read_anchors
from mingwu.identity.trusted.client import resolve_certified, verify_resolution
from mingwu.identity.trusted.settings import TrustedSettings
from mingwu.identity.trusted.setup import found, signer_of
from mingwu.identity.trusted.signing import sign_due
from mingwu.identity.trusted.verdict import Verdict
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.site import encode_site
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
NAME = f"{PREFIX}/DEV.1"


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", [Algorithm.RSA, Algorithm.SM2])
async def test_verdict_from_outside(tmp_path, algorithm):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    store.put(Record(NAME, (HandleValue(1, "URL", b"https://example.org/1"),)))
    directory = str(tmp_path / "names")
    settings = ResolverSettings(directory=directory, port=0, http_port=0, prefixes=(PREFIX,))
    async with ResolverServer(settings, store) as server:
        mine = TrustedSettings(
            issuer=f"301:0.NA/{PREFIX}", key_file=str(tmp_path / "key/k.pem"), algorithm=algorithm
        )
        signer = signer_of(mine)
        anchors = read_anchors([found(store, PREFIX, keys.generate(algorithm), signer.key)])
        where = f"127.0.0.1:{server.port}"
        unsigned = await verify_resolution(await resolve(NAME, where), where, anchors)
        assert unsigned.verdict is Verdict.UNSIGNED
        sign_due(store, signer, PREFIX)
        for types in ((), ("URL",)):
            result = await resolve(NAME, where, types=types)
            report = await verify_resolution(result, where, anchors)
            assert report.is_trusted, report
        # A node above refers here, but has not copied the certificate into its prefix record.
        bare = RecordStore(tmp_path / "above", map_bytes=2**26, durable=False)
        site = HandleValue(3, "HS_SITE", encode_site(site_of(settings, server.port, 0)))
        bare.put(Record(f"0.NA/{PREFIX}", (site,)))
        bare.home("0.NA")
        above = ResolverSettings(
            directory=str(tmp_path / "above"), port=0, http_port=0, prefixes=()
        )
        async with ResolverServer(above, bare) as root_server:
            root = root_at(f"127.0.0.1:{root_server.port}")
            result = await resolve_from(root, NAME)
            report = await verify_resolution(result, root.server, anchors, root=root)
            assert report.is_trusted, report
        bare.close()
    store.close()


class Table:
    """One live value."""

    def get(self, number):
        return (201.5, 1_790_000_000_000_000_000, 0xC0) if number == 7 else None

    def columns(self, numbers):
        raise NotImplementedError


@pytest.mark.anyio
async def test_live_values_are_signed_with_the_answer_when_asked(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    live = (LiveSource(index=100_000, number=7, tag="temperature", unit="Cel"),)
    store.put(Record(NAME, (HandleValue(1, "URL", b"https://example.org/1"),), live))
    directory = str(tmp_path / "names")
    settings = ResolverSettings(directory=directory, port=0, http_port=0, prefixes=(PREFIX,))
    async with ResolverServer(settings, store, Table()) as server:
        mine = TrustedSettings(issuer=f"301:0.NA/{PREFIX}", key_file=str(tmp_path / "key/k.pem"))
        signer = signer_of(mine)
        anchors = read_anchors([found(store, PREFIX, keys.generate(Algorithm.RSA), signer.key)])
        sign_due(store, signer, PREFIX)
        where = f"127.0.0.1:{server.port}"
        plain = await verify_resolution(await resolve(NAME, where), where, anchors)
        assert plain.is_trusted
        assert (plain.live, plain.live_signed) == ((100_000,), False)
        result, report = await resolve_certified(NAME, where, anchors)
        assert result.ok
        assert report.is_trusted
        assert (report.live, report.live_signed) == ((100_000,), True)
        # A site record that nobody vouches for does not make its server's signature good.
        _, blind = await resolve_certified(NAME, where, ())
        assert not blind.live_signed
    store.close()
