"""Keys, an anchor, a second-level node and a prefix, each certified by the one above."""

import pytest

from mingwu.identity.records import Record
from mingwu.identity.trusted.signing import RecordSigner, prefix_perms, self_signed
from mingwu.identity.trusted.verifying import Anchor
from mingwu.kernel.names import fold
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm
from mingwu.wire.handle.values import HandleValue, Reference

NOW = 1_790_000_000
ROOT = Reference("0.0/0.0", 301)
SECOND = Reference("0.NA/88.888", 301)
PLANT = Reference("0.NA/88.888.101", 301)
NAME = "88.888.101/DEV.DCM2500.01"


@pytest.fixture(scope="session", params=[Algorithm.RSA, Algorithm.SM2])
def ring(request):
    """Four keys of one algorithm."""
    names = ("root", "second", "plant", "stranger")
    return {name: keys.generate(request.param) for name in names}


class World:
    """Records that others serve, and signers at each level."""

    def __init__(self, ring):
        self.ring = ring
        self.anchor = Anchor(str(ROOT), ring["root"].public())
        self.root = RecordSigner(ROOT, ring["root"], now=lambda: NOW)
        self.second = RecordSigner(SECOND, ring["second"], now=lambda: NOW)
        self.plant = RecordSigner(PLANT, ring["plant"], now=lambda: NOW)
        own = self_signed(ROOT, ring["root"], now=lambda: NOW)
        self.records = {
            ROOT.handle: (own,),
            SECOND.handle: (self.certify(self.root, SECOND, "second", "88.888"),),
            PLANT.handle: (self.certify(self.second, PLANT, "plant", "88.888.101"),),
        }
        self.asked = []

    def certify(self, signer, subject, key, prefix):
        return signer.certify(subject, self.ring[key].public(), prefix_perms(prefix))

    def fetch(self, handle):
        self.asked.append(handle)
        return {fold(k): v for k, v in self.records.items()}.get(fold(handle))


@pytest.fixture
def world(ring):
    return World(ring)


@pytest.fixture
def record():
    return Record(
        NAME,
        (
            HandleValue(1, "URL", b"https://example.org/1"),
            HandleValue(2, "DESC", "压铸单元1".encode()),
            HandleValue(300, "HS_SECKEY", b"hidden", permissions=0x0C),
        ),
    )
