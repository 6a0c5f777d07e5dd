"""Identity groups, grants by template, identifier and item; application identities."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mingwu.identity.enterprise.granting.grants import Grant, Group, May, Scope
from mingwu.identity.enterprise.model import Actor, Registration, TemplateRef
from mingwu.kernel.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from mingwu.wire.handle.values import Reference

PREFIX = "88.888.101"
NAME = f"{PREFIX}/G.1"
APP = f"{PREFIX}/App_mes"


@pytest.fixture
def registered(node, boss, part):
    node.registrations.register([part("G.1", inspector="王")], actor=boss)
    return node


def test_restricted_items_are_seen_by_the_granted(registered):
    node = registered
    index = 2004
    guest = ("300:88.5/U", "88.5/U")
    assert node.readable(NAME, guest) == frozenset()
    grant = Grant(grantee="88.5/u", scope=Scope.IDENTIFIER, target=NAME, item="inspector")
    node.grants.grant([grant], actor="boss")
    assert node.readable(NAME, guest) == {index}
    assert node.readable_by(NAME, Reference("88.5/U", 300)) == {index}
    assert node.readable_by(NAME, Reference("88.6/U", 300)) == frozenset()
    assert node.grants.revoke([grant]) == 1
    assert node.readable(NAME, guest) == frozenset()
    assert node.readable(f"{PREFIX}/none", guest) == frozenset()


def test_groups_and_whole_templates(registered):
    node = registered
    number = str(node.register.template_of(NAME).number)
    grant = Grant(grantee="group:Auditors", scope=Scope.TEMPLATE, target=number)
    with pytest.raises(NotFound):
        node.grants.grant([grant], actor="boss")
    node.grants.put_group(Group(name="Auditors", zh="审计", members=("li", "88.5/U")))
    node.grants.grant([grant], actor="boss")
    assert node.readable(NAME, ("LI",)) == {2004}
    assert node.readable(NAME, ("wang",)) == frozenset()
    node.set_access(NAME, own=True)
    assert node.readable(NAME, ("li",)) == frozenset(), "its own access leaves the template's out"
    node.set_access(NAME, own=True, is_public=True)
    assert node.readable(NAME, ("anybody",)) == {2004}
    node.set_access(NAME, own=False)
    node.grants.remove_group("auditors")
    assert node.readable(NAME, ("li",)) == frozenset()
    assert node.grants.list() == []


def test_write_grants_by_item(registered):
    node, app = registered, Actor(name=APP)

    def change(**values):
        item = Registration(name=NAME, template=TemplateRef(), values=values)
        [result] = node.registrations.change([item], actor=app, merge=True)
        return result.fault.code if result.fault else None

    assert change(mass="1") == "enterprise.no-access"
    grant = Grant(grantee=APP, scope=Scope.IDENTIFIER, target=NAME, item="mass", may=May.WRITE)
    node.grants.grant([grant], actor="boss")
    assert change(mass="1") is None
    assert change(mass="2", grade="A") == "enterprise.no-access"
    assert node.register.get(NAME).row.owner == "boss"


def test_secrets_of_applications(node):
    secret = node.applications.create(APP, login="mes", account="boss")
    with pytest.raises(Conflict):
        node.applications.create(APP.upper(), login="other", account="boss")
    assert node.applications.check_secret("mes", secret, "::1").handle == APP
    assert node.applications.check_secret("nobody", "x", "::1") is None
    inner = hashlib.sha256(secret.encode()).hexdigest()
    day = f"{datetime.fromtimestamp(node.now_ms() / 1000, UTC):%Y-%m-%d}"
    dated = hashlib.sha256((inner + day).encode()).hexdigest()
    assert node.applications.check_dated("mes", dated, "::1").login == "mes"
    old = hashlib.sha256((inner + "2019-08-15").encode()).hexdigest()
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            node.applications.check_dated("mes", old, "::1")
    with pytest.raises(NotAuthenticated):  # braked, even with the right one
        node.applications.check_dated("mes", dated, "::1")
    assert node.applications.check_secret("mes", secret, "::2"), "other addresses are not"
    node.applications.set_enabled(APP, enabled=False)
    with pytest.raises(NotAuthenticated):
        node.applications.check_secret("mes", secret, "::2")


def test_challenges_are_answered_once_with_the_right_key(node):
    key = rsa.generate_private_key(65537, 2048)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    node.applications.create(APP, login="mes", account="boss", public_key=pem.decode())

    def sign(nonce, scheme=hashes.SHA256):
        return base64.b64encode(key.sign(nonce.encode(), padding.PKCS1v15(), scheme())).decode()

    nonce = node.applications.challenge(APP)
    assert node.applications.answer(APP, sign(nonce), "::1").handle == APP
    with pytest.raises(NotAuthenticated):
        node.applications.answer(APP, sign(nonce), "::1")
    for bad in (sign("other"), "no base64!", sign(node.applications.challenge(APP), hashes.SHA1)):
        node.applications.challenge(APP)
        with pytest.raises(NotAuthenticated):
            node.applications.answer(APP, bad, "::1")
    with pytest.raises(NotFound):
        node.applications.challenge(f"{PREFIX}/App_none")
    with pytest.raises(InvalidInput):
        node.applications.set_key(APP, "-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----")
