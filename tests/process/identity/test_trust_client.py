"""An answer of a running resolver, verified from the outside."""

import pytest

from mingwu.identity.client import resolve
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.server import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.anchors import read_anchors
from mingwu.identity.trusted.client import verify_resolution
from mingwu.identity.trusted.settings import TrustedSettings
from mingwu.identity.trusted.setup import found, signer_of
from mingwu.identity.trusted.signing import sign_due
from mingwu.identity.trusted.verdict import Verdict
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm
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
    store.close()
