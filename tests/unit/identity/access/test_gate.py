"""Operations that need an identity: challenge, proof, rights, and what is refused."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from mingwu.identity.access.authentication import answer_with_key, answer_with_secret, secret_mac
from mingwu.identity.records import Record
from mingwu.wire.handle import keys
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.bodies import (
    Challenge,
    ChallengeAnswer,
    Created,
    ErrorBody,
    Handles,
    Login,
    OneHandle,
    RemoveValues,
    Resolve,
    Verified,
    VerifyChallenge,
    read_body,
)
from mingwu.wire.handle.bodies import Record as RecordBody
from mingwu.wire.handle.codes import AdminRight, DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.message import (
    Credential,
    Message,
    decode,
    encode,
    request_digest,
    split_digest,
)
from mingwu.wire.handle.primitives import block
from mingwu.wire.handle.values import HandleValue, Reference, references

ADMIN = "0.NA/88.888.101"
SECRET = b"correct horse"
NEW = "88.888.101/NEW.1"
URL = HandleValue(1, "URL", b"https://example.org/new")
OWNER = HandleValue(100, "HS_ADMIN", encode_admin(Admin(ADMIN, 301)))


class Client:
    """Speaks to a gate from an address and proves itself with a secret or a private key."""

    def __init__(
        self, gate, *, handle=ADMIN, index=301, secret=SECRET, key=None, source="10.0.0.1", link=0
    ):
        self.gate, self.handle, self.index = gate, handle, index
        self.secret, self.key, self.source, self.link = secret, key, source, link
        self.session = 0

    def send(self, message):
        self.gate.resolver.begin()
        try:
            return decode(self.gate.answer(encode(message), self.source, self.link))
        finally:
            self.gate.resolver.end()

    def proof(self, signed):
        if self.key is not None:
            return "HS_PUBKEY", answer_with_key(self.key, signed)
        return "HS_SECKEY", answer_with_secret(self.secret, signed)

    def answer(self, request, challenge):
        """The proof for a challenge, after checking that it is about our request."""
        digest, _ = split_digest(challenge)
        assert digest == request_digest(request)
        nonce = read_body(challenge).nonce
        kind, proof = self.proof(nonce + digest[1:])
        body = ChallengeAnswer(kind, self.handle, self.index, proof).encode()
        return Message(
            op=Op.CHALLENGE_ANSWER, body=body, session_id=challenge.session_id, request_id=99
        )

    def do(self, op, body, flags=0):
        request = Message(op=op, body=body.encode(), flags=flags, request_id=7,
                          session_id=self.session)  # fmt: skip
        reply = self.send(request)
        if reply.rc != Rc.AUTHENTICATION_NEEDED:
            return reply
        assert isinstance(read_body(reply), Challenge)
        self.session = reply.session_id
        answered = self.send(self.answer(request, reply))
        assert answered.request_id == 99
        return answered


@pytest.fixture
def client(gate):
    return Client(gate)


@pytest.fixture
def created(client, gate):
    assert client.do(Op.CREATE, RecordBody(NEW, (URL, OWNER))).rc == Rc.SUCCESS
    return gate.administration.store


def test_create_with_a_secret_key(client, gate, changes):
    reply = client.do(Op.CREATE, RecordBody(NEW, (URL, OWNER)))
    assert (reply.rc, reply.op) == (Rc.SUCCESS, Op.CREATE)
    assert read_body(reply) == Created(NEW)
    record = gate.administration.store.get(NEW)
    assert record.value(1).data == URL.data
    assert record.value(1).timestamp > 1_700_000_000
    assert [(c.operation, c.handle, c.who, c.source, c.rc) for c in changes] == [
        ("create", NEW, f"301:{ADMIN}", "10.0.0.1", 1)
    ]


def test_create_with_an_rsa_key(gate, rsa_key):
    client = Client(gate, index=300, key=rsa_key)
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS


def test_any_key_of_the_administrator_by_index_zero(gate, rsa_key):
    client = Client(gate, index=0, key=rsa_key)
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS


def test_create_with_a_dsa_key(gate):
    key = dsa.generate_private_key(2048)
    numbers = key.public_key().public_numbers()
    group = numbers.parameter_numbers
    data = keys.encode_key(keys.make_key(keys.DSA, q=group.q, p=group.p, g=group.g, y=numbers.y))
    gate.administration.store.change(
        ADMIN, lambda r: Record(r.name, (*r.values, HandleValue(302, "HS_PUBKEY", data)))
    )
    gate.administration.store.change(
        ADMIN,
        lambda r: Record(
            r.name,
            (*r.values, HandleValue(101, "HS_ADMIN", encode_admin(Admin(ADMIN, 302)))),
        ),
    )
    assert Client(gate, index=302, key=key).do(Op.CREATE, RecordBody(NEW, (URL,))).rc == 1


@pytest.mark.parametrize("code", [0x02, 0x03, 0x12, 0x13])
def test_older_secret_key_proofs(gate, code):
    client = Client(gate)
    client.proof = lambda signed: (
        "HS_SECKEY", bytes((code,)) + secret_mac(code, SECRET, signed)
    )  # fmt: skip
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS


@pytest.mark.parametrize(
    "proof",
    [
        ("HS_SECKEY", b""),
        ("HS_SECKEY", b"\x01" + bytes(16)),
        ("HS_SECKEY", b"\x22" + block(b"salt") + b"\x7f\xff\xff\xff\0\0\0\xa0" + block(b"m")),
        ("HS_SECKEY", b"\x03" + bytes(32)),
        ("HS_PUBKEY", block(b"MD5") + block(b"x")),
        ("HS_PUBKEY", b"\xff\xff\xff\xff"),
        ("NONSENSE", b"x"),
    ],
)
def test_bad_proofs_fail(gate, proof):
    client = Client(gate)
    client.proof = lambda _: proof
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.AUTHENTICATION_FAILED
    assert gate.administration.store.get(NEW) is None


def test_the_wrong_secret_fails_and_soon_nobody_looks(gate, clock):
    wrong = Client(gate, secret=b"guess")
    for _ in range(5):
        assert wrong.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.AUTHENTICATION_FAILED
    right = Client(gate)
    assert right.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.AUTHENTICATION_FAILED
    elsewhere = Client(gate, source="10.0.0.2")
    assert elsewhere.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS
    clock.now += 61
    assert right.do(Op.DELETE, OneHandle(NEW)).rc == Rc.INVALID_ADMIN  # no HS_ADMIN on it


@pytest.mark.parametrize(
    ("version", "suggested", "digest"),
    [((2, 3), (0, 0), DigestAlgorithm.SHA1), ((2, 3), (2, 10), DigestAlgorithm.SHA256)],
)
def test_challenges_carry_the_digest_that_the_asker_knows(gate, version, suggested, digest):
    client = Client(gate)
    request = Message(op=Op.CREATE, body=RecordBody(NEW, (URL,)).encode(), request_id=7,
                      version=version, suggested=suggested)  # fmt: skip
    challenge = client.send(request)
    assert split_digest(challenge)[0][0] == digest
    assert client.send(client.answer(request, challenge)).rc == Rc.SUCCESS


def test_a_signature_by_another_key_fails(gate):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    reply = Client(gate, index=300, key=other).do(Op.CREATE, RecordBody(NEW, (URL,)))
    assert reply.rc == Rc.AUTHENTICATION_FAILED


def test_a_proof_is_good_once_in_time_and_from_the_same_place(gate, clock):
    client = Client(gate)
    request = Message(op=Op.CREATE, body=RecordBody(NEW, (URL, OWNER)).encode(), request_id=7)

    def challenged():
        challenge = client.send(request)
        return client.answer(request, challenge)

    answer = challenged()
    assert client.send(answer).rc == Rc.SUCCESS
    assert client.send(answer).rc == Rc.AUTHENTICATION_TIMEOUT
    answer = challenged()
    clock.now += 61
    assert client.send(answer).rc == Rc.AUTHENTICATION_TIMEOUT
    answer = challenged()
    client.source = "10.9.9.9"
    assert client.send(answer).rc == Rc.AUTHENTICATION_TIMEOUT


def test_a_proof_does_not_serve_another_request(gate):
    client = Client(gate)
    harmless = Message(op=Op.LIST_HANDLES, body=OneHandle(ADMIN).encode(), request_id=7)
    answer = client.answer(harmless, client.send(harmless))
    harmful = client.send(Message(op=Op.DELETE, body=OneHandle("88.888.101/Part.7").encode()))
    reply = client.send(replace(answer, session_id=harmful.session_id))
    assert reply.rc == Rc.AUTHENTICATION_FAILED


def test_values_are_added_modified_and_removed(client, created):
    mail = HandleValue(5, "EMAIL", b"a@example.org")
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, (mail,))).rc == Rc.SUCCESS
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, (mail,))).rc == Rc.VALUE_EXISTS
    other = replace(mail, data=b"b@example.org")
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, (other,)), OpFlag.OVERWRITE).rc == Rc.SUCCESS
    assert created.get(NEW).value(5).data == other.data
    assert client.do(Op.MODIFY_VALUE, RecordBody(NEW, (mail,))).rc == Rc.SUCCESS
    assert created.get(NEW).value(5).data == mail.data
    absent = replace(mail, index=6)
    assert client.do(Op.MODIFY_VALUE, RecordBody(NEW, (absent,))).rc == Rc.VALUES_NOT_FOUND
    assert client.do(Op.REMOVE_VALUE, RemoveValues(NEW, (5, 6))).rc == Rc.SUCCESS
    assert created.get(NEW).value(5) is None
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, ())).rc == Rc.INVALID_VALUE
    twice = RecordBody(NEW, (absent, absent))
    assert client.do(Op.ADD_VALUE, twice).rc == Rc.INVALID_VALUE


def test_write_protected_values_stay(client, gate):
    fixed = HandleValue(5, "SERIAL", b"42", permissions=0x0A)
    assert client.do(Op.CREATE, RecordBody(NEW, (fixed, OWNER))).rc == Rc.SUCCESS
    changed = replace(fixed, data=b"43")
    assert client.do(Op.MODIFY_VALUE, RecordBody(NEW, (changed,))).rc == Rc.NO_PERMISSION
    assert client.do(Op.REMOVE_VALUE, RemoveValues(NEW, (5,))).rc == Rc.NO_PERMISSION
    assert gate.administration.store.get(NEW).value(5).data == b"42"


def test_delete(client, created):
    assert client.do(Op.DELETE, OneHandle(NEW)).rc == Rc.SUCCESS
    assert created.get(NEW) is None
    assert client.do(Op.DELETE, OneHandle(NEW)).rc == Rc.HANDLE_NOT_FOUND
    assert client.do(Op.DELETE, OneHandle("10.1/x")).rc == Rc.NOT_RESPONSIBLE


def test_create_refuses_what_exists_unless_overwriting(client, created):
    again = RecordBody(NEW.lower(), (replace(URL, data=b"other"), OWNER))
    assert client.do(Op.CREATE, again).rc == Rc.HANDLE_EXISTS
    assert client.do(Op.CREATE, again, OpFlag.OVERWRITE).rc == Rc.SUCCESS
    assert created.get(NEW).name == NEW
    assert created.get(NEW).value(1).data == b"other"


def test_minted_suffixes_differ(client, gate):
    names = set()
    for _ in range(2):
        reply = client.do(Op.CREATE, RecordBody("88.888.101/", (URL,)), OpFlag.MINT_SUFFIX)
        assert reply.rc == Rc.SUCCESS
        names.add(read_body(reply).handle)
    assert len(names) == 2
    assert all(gate.administration.store.get(name) for name in names)


@pytest.mark.parametrize(
    ("name", "rc"),
    [
        ("88.888.101/", Rc.INVALID_HANDLE),
        ("88.888.101", Rc.INVALID_HANDLE),
        ("88.888.101/a\x00b", Rc.INVALID_HANDLE),
        ("88.888.101/" + "x" * 250, Rc.INVALID_HANDLE),
        ("88.888.102/x", Rc.NOT_RESPONSIBLE),
    ],
)
def test_names_that_cannot_be_registered(client, name, rc):
    assert client.do(Op.CREATE, RecordBody(name, (URL,))).rc == rc


def test_duplicate_indexes_are_refused_and_the_store_is_unharmed(client, gate):
    before = gate.administration.store.generation
    twice = RecordBody(NEW, (URL, URL))
    assert client.do(Op.CREATE, twice).rc == Rc.INVALID_VALUE
    assert gate.administration.store.generation == before


def make_user(gate, name, *values):
    secret = HandleValue(300, "HS_SECKEY", b"user secret", permissions=0x0C)
    gate.administration.store.put(Record(name, (secret, *values)))
    return Client(gate, handle=name, index=300, secret=b"user secret")


def test_a_stranger_is_no_administrator(gate, created):
    stranger = make_user(gate, "88.888.101/USR.eve")
    for op, body in (
        (Op.CREATE, RecordBody("88.888.101/EVIL", (URL,))),
        (Op.DELETE, OneHandle(NEW)),
        (Op.MODIFY_VALUE, RecordBody(NEW, (URL,))),
        (Op.REMOVE_VALUE, RemoveValues(NEW, (1,))),
        (Op.LIST_HANDLES, OneHandle(ADMIN)),
        (Op.HOME_PREFIX, OneHandle("0.NA/10.1")),
        (Op.LIST_PREFIXES, OneHandle("/")),
    ):
        assert stranger.do(op, body).rc == Rc.INVALID_ADMIN


def test_rights_are_checked_one_by_one(client, gate):
    user = make_user(gate, "88.888.101/USR.lu")
    limited = Admin("88.888.101/USR.lu", 300, int(AdminRight.MODIFY_VALUE))
    values = (URL, OWNER, HandleValue(101, "HS_ADMIN", encode_admin(limited)))
    assert client.do(Op.CREATE, RecordBody(NEW, values)).rc == Rc.SUCCESS
    assert user.do(Op.MODIFY_VALUE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS
    greedy = HandleValue(101, "HS_ADMIN", encode_admin(Admin("88.888.101/USR.lu", 300)))
    assert user.do(Op.MODIFY_VALUE, RecordBody(NEW, (greedy,))).rc == Rc.NO_PERMISSION
    # A plain value must not become an administrator by modification either.
    sly = replace(greedy, index=1)
    assert user.do(Op.MODIFY_VALUE, RecordBody(NEW, (sly,))).rc == Rc.NO_PERMISSION
    assert user.do(Op.DELETE, OneHandle(NEW)).rc == Rc.NO_PERMISSION


def test_groups_by_value_lists_and_their_circles(client, gate):
    user = make_user(gate, "88.888.101/USR.wang")
    group, other = "88.888.101/GRP.A", "88.888.101/GRP.B"
    store = gate.administration.store
    for name, members in (
        (group, [Reference(other, 200)]),
        (other, [Reference(group, 200), Reference("88.888.101/USR.wang", 300)]),
    ):
        store.put(Record(name, (HandleValue(200, "HS_VLIST", references(members)),)))
    owner = HandleValue(100, "HS_ADMIN", encode_admin(Admin(group, 200)))
    assert client.do(Op.CREATE, RecordBody(NEW, (URL, owner))).rc == Rc.SUCCESS
    assert user.do(Op.MODIFY_VALUE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS
    outsider = make_user(gate, "88.888.101/USR.eve")
    assert outsider.do(Op.MODIFY_VALUE, RecordBody(NEW, (URL,))).rc == Rc.INVALID_ADMIN


def test_restricted_values_are_read_by_their_administrators(client, created):
    hidden = HandleValue(300, "NOTE", b"inside", permissions=0x0C)
    sealed = HandleValue(301, "SEAL", b"nobody", permissions=0x00)
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, (hidden, sealed))).rc == Rc.SUCCESS
    reply = client.do(Op.RESOLVE, Resolve(NEW, (1, 300)))
    assert [value.index for value in read_body(reply).values] == [1, 300]
    assert client.do(Op.RESOLVE, Resolve(NEW, (301,))).rc == Rc.NO_PERMISSION
    public = client.do(Op.RESOLVE, Resolve(NEW), OpFlag.PUBLIC_ONLY)
    assert [value.index for value in read_body(public).values] == [1, 100]


def test_listing_names_of_a_prefix(client, gate, created):
    gate.administration.store.change(
        ADMIN,
        lambda r: Record(
            r.name,
            (*r.values, HandleValue(101, "HS_ADMIN", encode_admin(Admin(ADMIN, 301, 0x800)))),
        ),
    )
    reply = client.do(Op.LIST_HANDLES, OneHandle(ADMIN))
    assert isinstance(read_body(reply), Handles)
    assert NEW in read_body(reply).handles


def test_derived_prefixes_need_their_own_right(client, gate):
    derived = RecordBody("0.NA/88.888.101.9", (OWNER,))
    assert client.do(Op.CREATE, derived).rc == Rc.SUCCESS
    assert client.do(Op.CREATE, RecordBody("0.NA/99.1", (OWNER,))).rc == Rc.NOT_RESPONSIBLE


def test_node_administrators_home_prefixes(gate):
    gate.administration._server_admins = (Reference(ADMIN.lower(), 301),)
    client = Client(gate)
    assert client.do(Op.HOME_PREFIX, OneHandle("0.NA/88.999")).rc == Rc.SUCCESS
    assert "0.NA/88.999" in read_body(client.do(Op.LIST_PREFIXES, OneHandle("/"))).handles
    assert client.do(Op.UNHOME_PREFIX, OneHandle("0.NA/88.999")).rc == Rc.SUCCESS
    assert not gate.administration.store.is_homed("88.999")


@pytest.mark.parametrize("op", [Op.IDIS_LOGIN_KEY, Op.IDIS_LOGIN_PASSWORD])
def test_national_login_lasts_for_the_session(gate, clock, op):
    client = Client(gate)
    assert client.do(op, Login(ADMIN, 301)).rc == Rc.SUCCESS
    request = Message(op=Op.CREATE, body=RecordBody(NEW, (URL, OWNER)).encode(),
                      session_id=client.session)  # fmt: skip
    assert client.send(request).rc == Rc.SUCCESS
    client.source = "10.6.6.6"
    assert client.send(request).rc == Rc.AUTHENTICATION_NEEDED
    client.source = "10.0.0.1"
    clock.now += 24 * 3600 + 1
    assert client.send(request).rc == Rc.IDIS_LOGIN_AGAIN


def create_in(session):
    return Message(op=Op.CREATE, body=RecordBody(NEW, (URL, OWNER)).encode(), session_id=session)


@pytest.mark.parametrize("op", [Op.IDIS_LOGIN_KEY, Op.IDIS_LOGIN_PASSWORD])
def test_a_national_client_logs_in_under_a_session_id_of_its_own(gate, clock, op):
    """The deployed SDKs put one number of theirs into every message, the proof's included."""
    client = Client(gate, link=7)
    client.session = 10_001
    assert client.send(create_in(10_001)).rc == Rc.IDIS_LOGIN_FIRST
    assert client.do(op, Login(ADMIN, 301)).rc == Rc.SUCCESS
    assert client.session == 10_001
    assert client.send(create_in(10_001)).rc == Rc.SUCCESS
    private = Message(op=Op.RESOLVE, body=Resolve(ADMIN, (301,)).encode(), session_id=10_001)
    assert read_body(client.send(private)).values[0].data == SECRET
    clock.now += 24 * 3600 + 1
    assert client.send(create_in(10_001)).rc == Rc.IDIS_LOGIN_AGAIN
    assert client.do(op, Login(ADMIN, 301)).rc == Rc.SUCCESS
    assert client.send(create_in(10_001)).rc == Rc.HANDLE_EXISTS
    end = Message(op=Op.SESSION_TERMINATE, body=OneHandle("/").encode(), session_id=10_001)
    assert client.send(end).rc == Rc.SUCCESS
    assert client.send(create_in(10_001)).rc == Rc.IDIS_LOGIN_FIRST


def test_an_older_national_client_goes_on_without_a_session_id(gate):
    client = Client(gate, link=7)
    assert client.do(Op.IDIS_LOGIN_KEY, Login(ADMIN, 301)).rc == Rc.SUCCESS
    assert client.send(create_in(0)).rc == Rc.SUCCESS
    assert Client(gate, link=8).send(create_in(0)).rc == Rc.AUTHENTICATION_NEEDED
    end = Message(op=Op.SESSION_TERMINATE, body=OneHandle("/").encode(), session_id=client.session)
    assert client.send(end).rc == Rc.SUCCESS
    assert client.send(create_in(0)).rc == Rc.AUTHENTICATION_NEEDED


def test_the_same_session_id_on_another_connection_is_another_client(gate):
    """Each program with the SDK counts its session ids from the same number."""
    one, other = Client(gate, link=7), Client(gate, link=8, secret=b"guess")
    login = Message(op=Op.IDIS_LOGIN_KEY, body=Login(ADMIN, 301).encode(), session_id=10_001)
    challenge = one.send(login)
    stolen = other.answer(login, challenge)
    assert other.send(stolen).rc == Rc.AUTHENTICATION_TIMEOUT  # not its own challenge
    assert one.send(one.answer(login, challenge)).rc == Rc.SUCCESS
    for link, source in ((8, "10.0.0.1"), (0, "10.0.0.1"), (7, "10.0.0.9")):
        other.link, other.source = link, source
        assert other.send(create_in(10_001)).rc in {Rc.IDIS_LOGIN_FIRST, Rc.AUTHENTICATION_NEEDED}
    assert one.send(create_in(10_001)).rc == Rc.SUCCESS


def test_no_more_logins_are_kept_than_fit_and_those_in_use_stay(gate, monkeypatch):
    monkeypatch.setattr("mingwu.identity.access.logins._MOST", 4)  # three, and the connection's
    client = Client(gate, link=1)
    for session in range(1, 4):
        client.session = session
        assert client.do(Op.IDIS_LOGIN_KEY, Login(ADMIN, 301)).rc == Rc.SUCCESS
    assert client.send(create_in(1)).rc == Rc.SUCCESS  # used last
    client.session = 4
    assert client.do(Op.IDIS_LOGIN_KEY, Login(ADMIN, 301)).rc == Rc.SUCCESS
    codes = {session: client.send(create_in(session)).rc for session in range(1, 5)}
    assert codes == {
        1: Rc.HANDLE_EXISTS, 2: Rc.IDIS_LOGIN_FIRST, 3: Rc.HANDLE_EXISTS, 4: Rc.HANDLE_EXISTS,
    }  # fmt: skip


@pytest.mark.parametrize("link", [0, 7])
def test_a_message_of_a_session_of_before_a_restart_says_so(gate, link):
    """Its client then sets a new one up; a challenge it would answer in the dead session."""
    credential = Credential("", 3, "HS_MAC", "HMAC-SHA256", b"m" * 32)
    sealed = replace(create_in(4711), credential=credential)
    assert Client(gate, link=link).send(sealed).rc == Rc.SESSION_TIMEOUT


def test_a_session_ends_when_told(gate):
    client = Client(gate)
    client.do(Op.IDIS_LOGIN_KEY, Login(ADMIN, 301))
    end = Message(op=Op.SESSION_TERMINATE, body=OneHandle("/").encode(),
                  session_id=client.session)  # fmt: skip
    assert client.send(end).rc == Rc.SUCCESS
    request = Message(op=Op.DELETE, body=OneHandle(NEW).encode(), session_id=client.session)
    assert client.send(request).rc == Rc.AUTHENTICATION_NEEDED


def test_other_servers_may_verify_our_secret_keys(gate):
    nonce, digest = b"n" * 16, b"d" * 32
    good = answer_with_secret(SECRET, nonce + digest)
    for proof, valid in ((good, True), (good[:-1] + bytes((good[-1] ^ 1,)), False)):
        body = VerifyChallenge(ADMIN, 301, nonce, digest, proof)
        reply = decode(
            gate.answer(encode(Message(op=Op.VERIFY_CHALLENGE, body=body.encode())), "10.0.0.3")
        )
        assert read_body(reply) == Verified(valid)


def test_a_node_that_takes_no_changes(gate):
    gate.administration._writable = False
    reply = Client(gate).do(Op.CREATE, RecordBody(NEW, (URL,)))
    assert reply.rc == Rc.READ_ONLY
    assert isinstance(read_body(reply), ErrorBody)


def test_a_broken_key_does_not_hide_the_good_one(gate, rsa_key):
    broken = HandleValue(299, "HS_PUBKEY", b"\0\0\0\3abc")
    gate.administration.store.change(ADMIN, lambda r: Record(r.name, (broken, *r.values), r.live))
    client = Client(gate, index=0, key=rsa_key)
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS


def test_sha1_signatures_of_old_clients_are_accepted(gate, rsa_key):
    client = Client(gate, index=300)
    client.proof = lambda signed: (
        "HS_PUBKEY",
        block(b"SHA1") + block(rsa_key.sign(signed, padding.PKCS1v15(), hashes.SHA1())),  # noqa: S303
    )
    assert client.do(Op.CREATE, RecordBody(NEW, (URL,))).rc == Rc.SUCCESS


class Granted:
    """Grants as the enterprise node would know them."""

    def __init__(self, **granted):
        self.granted = granted
        self.asked = []

    def readable_by(self, name, who):
        self.asked.append((name, str(who)))
        return frozenset(self.granted.get(who.handle.rpartition(".")[2], ()))


def test_restricted_values_are_read_by_grant(client, gate, created):
    hidden = (
        HandleValue(300, "NOTE", b"inside", permissions=0x0C),
        HandleValue(301, "SEAL", b"more", permissions=0x0C),
    )
    assert client.do(Op.ADD_VALUE, RecordBody(NEW, hidden)).rc == Rc.SUCCESS
    grants = gate.administration._grants = Granted(ann=(300,))
    ann, eve = make_user(gate, "88.888.101/USR.ann"), make_user(gate, "88.888.101/USR.eve")
    whole = read_body(ann.do(Op.RESOLVE, Resolve(NEW)))
    assert [value.index for value in whole.values] == [1, 100, 300]
    assert ann.do(Op.RESOLVE, Resolve(NEW, (300,))).rc == Rc.SUCCESS
    assert ann.do(Op.RESOLVE, Resolve(NEW, (300, 301))).rc == Rc.NO_PERMISSION
    for query in (Resolve(NEW), Resolve(NEW, (300,)), Resolve(NEW, types=("SEAL",))):
        assert eve.do(Op.RESOLVE, query).rc == Rc.NO_PERMISSION
    asked = len(grants.asked)
    assert asked
    assert client.do(Op.RESOLVE, Resolve(NEW), OpFlag.PUBLIC_ONLY).rc == Rc.SUCCESS
    assert len(grants.asked) == asked, "public questions ask for no grants"
