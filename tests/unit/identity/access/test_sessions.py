"""Sessions: keys, MACs, encryption, and what happens to messages that do not belong."""

import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mingwu.identity.access.agreement import Half, _session_key
from mingwu.identity.access.authentication import answer_with_secret, public_key
from mingwu.identity.access.gate import Gate
from mingwu.identity.access.serverkey import ServerKey
from mingwu.identity.access.sessions import Session
from mingwu.wire.handle import keys
from mingwu.wire.handle.bodies import (
    ChallengeAnswer,
    ExchangeKey,
    OneHandle,
    Record,
    Resolve,
    SessionReply,
    SessionSetup,
    read_body,
)
from mingwu.wire.handle.codes import EnvelopeFlag, Op, OpFlag, Rc
from mingwu.wire.handle.envelope import read_envelope
from mingwu.wire.handle.keys import read_key
from mingwu.wire.handle.message import Credential, Message, decode, encode, split_digest
from mingwu.wire.handle.primitives import block, text, u32
from mingwu.wire.handle.values import HandleValue

ADMIN = "0.NA/88.888.101"
PART = "88.888.101/Part.7"
URL = HandleValue(1, "URL", b"https://example.org/s")
SERVER_KEY = ServerKey(rsa.generate_private_key(65537, 2048))


GROUP_14 = int.from_bytes(read_key(Half().public).parts[1])


def half(y=12345, p=GROUP_14, g=2):
    return keys.encode_key(keys.make_key(keys.DH, y=y, p=p, g=g))


@pytest.fixture
def session_gate(gate, clock):
    """The gate with a server key for mode 2."""
    return Gate(gate.resolver, gate.administration, server_key=SERVER_KEY, clock=clock)


class Client:
    """The client's end of a session."""

    def __init__(self, gate, source="10.0.0.1"):
        self.gate, self.source = gate, source
        self.session = None
        self.requests = 0

    def raw(self, data):
        self.gate.resolver.begin()
        try:
            return self.gate.answer(data, self.source)
        finally:
            self.gate.resolver.end()

    def plain(self, op, body, session=0):
        self.requests += 1
        message = Message(op=op, body=body.encode(), session_id=session, request_id=self.requests)
        return decode(self.raw(encode(message)))

    def holds(self, number, key):
        self.session = Session(number, key, 0, 0)

    def set_up_with_own_key(self, key):
        numbers = key.public_key().public_numbers()
        public = keys.encode_key(keys.make_key(keys.RSA, e=numbers.e, n=numbers.n))
        reply = self.plain(Op.SESSION_SETUP, SessionSetup(1, 0, key=block(public)))
        assert reply.rc == Rc.SUCCESS
        blob = key.decrypt(read_body(reply).data, padding.PKCS1v15())
        assert blob[:4] == u32(3)
        self.holds(reply.session_id, blob[4:])

    def sealed(self, op, body, flags=0):
        self.requests += 1
        message = Message(
            op=op, body=body.encode(), flags=flags, session_id=self.session.id,
            request_id=self.requests,
        )  # fmt: skip
        return self.session.sealed(message)

    def ask(self, op, body, flags=0, *, secret=b"correct horse"):
        """A sealed request; answers a challenge in the session."""
        request = self.sealed(op, body, flags)
        reply = decode(self.raw(encode(request)))
        self.verify(reply)
        if reply.rc != Rc.AUTHENTICATION_NEEDED:
            return reply
        assert reply.session_id == self.session.id
        digest, _ = split_digest(reply)
        proof = answer_with_secret(secret, read_body(reply).nonce + digest[1:])
        answer = ChallengeAnswer("HS_SECKEY", ADMIN, 301, proof)
        reply = decode(self.raw(encode(self.sealed(Op.CHALLENGE_ANSWER, answer))))
        self.verify(reply)
        return reply

    def verify(self, reply):
        """The MAC by hand: versions, session, request, counter, header and body."""
        credential = reply.credential
        assert credential.type == "HS_MAC"
        covered = (
            bytes((*reply.version, *reply.suggested))
            + u32(reply.session_id) + u32(reply.request_id) + u32(credential.counter)
            + reply.raw
        )  # fmt: skip
        assert hmac.digest(self.session.key, covered, "sha256") == credential.signature


@pytest.fixture
def client(session_gate, rsa_key):
    client = Client(session_gate)
    client.set_up_with_own_key(rsa_key)
    return client


def test_one_challenge_serves_the_whole_session(client, session_gate):
    for number in range(3):
        name = f"88.888.101/S{number}"
        before = client.requests
        assert client.ask(Op.CREATE, Record(name, (URL,))).rc == Rc.SUCCESS
        assert client.requests - before == (2 if number == 0 else 1)
        assert session_gate.administration.store.get(name) is not None


def test_mode_2_takes_the_clients_key(session_gate):
    for prefix in (u32(3), b""):
        client = Client(session_gate)
        reply = client.plain(Op.SESSION_SETUP, SessionSetup(2, 60))
        body = read_body(reply)
        assert isinstance(body, SessionReply)
        assert body.mode == 2
        key = b"0123456789abcdef"
        sent = public_key(keys.read_key(body.data)).encrypt(prefix + key, padding.PKCS1v15())
        done = client.plain(Op.SESSION_EXCHANGE_KEY, ExchangeKey(sent), reply.session_id)
        assert done.rc == Rc.SUCCESS
        client.holds(reply.session_id, key)
        assert client.ask(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY).rc == Rc.SUCCESS
        again = client.plain(Op.SESSION_EXCHANGE_KEY, ExchangeKey(sent), reply.session_id)
        assert again.rc == Rc.SESSION_FAILED


def test_mode_3_uses_a_key_of_a_handle(session_gate, rsa_key):
    client = Client(session_gate)
    setup = SessionSetup(3, 0, key=text(ADMIN) + u32(300))
    reply = client.plain(Op.SESSION_SETUP, setup)
    blob = rsa_key.decrypt(read_body(reply).data, padding.PKCS1v15())
    client.holds(reply.session_id, blob[4:])
    assert client.ask(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY).rc == Rc.SUCCESS


# A prime of 1024 bits as deployed clients make them: group 2 of RFC 2409.
GROUP_2 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A0879"
    "8E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B"
    "0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)


@pytest.mark.parametrize("prime", [GROUP_2, GROUP_14])
def test_mode_4_agrees_on_a_key_by_plain_arithmetic(session_gate, prime):
    client, secret = Client(session_gate), 0xC0FFEE << 200 | 7
    ours = block(half(y=pow(2, secret, prime), p=prime))
    reply = client.plain(Op.SESSION_SETUP, SessionSetup(4, 0, key=ours))
    body = read_body(reply)
    assert (reply.rc, body.mode, body.data[:4]) == (Rc.SUCCESS, 4, u32(3))
    numbers = read_key(body.data[4:]).numbers()
    assert (numbers["p"], numbers["g"]) == (prime, 2)
    shared = pow(numbers["y"], secret, prime)
    client.holds(reply.session_id, shared.to_bytes((shared.bit_length() + 7) // 8)[:32])
    assert client.ask(Op.CREATE, Record("88.888.101/DH", (URL,))).rc == Rc.SUCCESS
    request = client.sealed(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY)
    raw = client.raw(client.session.encrypted(request))
    envelope = read_envelope(raw)
    assert envelope.flags & EnvelopeFlag.ENCRYPTED
    assert client.session.decrypted(envelope, raw[20:]).rc == Rc.SUCCESS


@pytest.mark.parametrize(
    ("shared", "key"),
    [
        (bytes(5) + bytes(range(1, 124)), bytes(range(1, 33))),
        (bytes(100) + b"\1" * 28, bytes(4) + b"\1" * 28),
        (b"\1" * 20, b"\1" * 20),
    ],
)
def test_leading_zeros_of_the_shared_number_do_not_count(shared, key):
    assert _session_key(shared) == key


@pytest.mark.parametrize(
    ("setup", "rc"),
    [
        (SessionSetup(4, 0), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(p=GROUP_14 >> 1025))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(p=GROUP_14 - 1))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(p=GROUP_14**2))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(y=1))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(y=GROUP_14 - 1))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(y=0))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half(g=1))), Rc.PROTOCOL_ERROR),
        (SessionSetup(4, 0, key=block(half()[:-3])), Rc.PROTOCOL_ERROR),
        (SessionSetup(9, 0), Rc.SESSION_BAD_SETUP),
        (SessionSetup(3, 0, key=text("88.888.101/none") + u32(1)), Rc.SESSION_BAD_SETUP),
        (SessionSetup(1, 0, key=block(b"")), Rc.PROTOCOL_ERROR),
        (SessionSetup(1, 0, key=b"\xff\xff\xff\xff"), Rc.PROTOCOL_ERROR),
    ],
)
def test_set_ups_that_cannot_be(session_gate, setup, rc):
    assert Client(session_gate).plain(Op.SESSION_SETUP, setup).rc == rc


@pytest.mark.parametrize("blob", [b"", b"short", u32(1) + bytes(16)])
def test_unusable_session_keys_end_the_session(session_gate, blob):
    client = Client(session_gate)
    reply = client.plain(Op.SESSION_SETUP, SessionSetup(2, 60))
    target = public_key(keys.read_key(read_body(reply).data))
    sent = target.encrypt(blob, padding.PKCS1v15())
    failed = client.plain(Op.SESSION_EXCHANGE_KEY, ExchangeKey(sent), reply.session_id)
    assert failed.rc == Rc.SESSION_BAD_KEY
    assert session_gate.sessions.get(reply.session_id) is None


def test_a_session_id_without_the_key_is_worth_nothing(client, session_gate):
    assert client.ask(Op.CREATE, Record("88.888.101/S", (URL,))).rc == Rc.SUCCESS
    thief = Client(session_gate)
    stolen = thief.plain(Op.DELETE, OneHandle(PART), client.session.id)
    assert stolen.rc == Rc.AUTHENTICATION_NEEDED
    thief.holds(client.session.id, b"a guessed key 16")
    reply = decode(thief.raw(encode(thief.sealed(Op.DELETE, OneHandle(PART)))))
    assert reply.rc == Rc.SESSION_FAILED
    assert session_gate.administration.store.get(PART) is not None


def test_repeated_and_changed_messages_are_refused(client, session_gate):
    assert client.ask(Op.CREATE, Record("88.888.101/S", (URL,))).rc == Rc.SUCCESS
    message = encode(client.sealed(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY))
    assert decode(client.raw(message)).rc == Rc.SUCCESS
    assert decode(client.raw(message)).rc == Rc.SESSION_DUPLICATE
    fresh = bytearray(encode(client.sealed(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY)))
    at = fresh.index(b"Part.7")
    fresh[at : at + 6] = b"PART.8"
    assert decode(client.raw(bytes(fresh))).rc == Rc.SESSION_FAILED


def test_counters_far_behind_are_refused(client):
    late = client.sealed(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY)
    for _ in range(300):
        client.ask(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY)
    assert decode(client.raw(encode(late))).rc == Rc.SESSION_DUPLICATE


def test_encrypted_questions_get_encrypted_answers(client):
    request = client.sealed(Op.RESOLVE, Resolve(PART), OpFlag.PUBLIC_ONLY)
    data = client.session.encrypted(request)
    assert b"Part.7" not in data
    answer = client.raw(data)
    envelope = read_envelope(answer)
    assert envelope.flags & EnvelopeFlag.ENCRYPTED
    reply = client.session.decrypted(envelope, answer[20:])
    client.verify(reply)
    assert [value.index for value in read_body(reply).values] == [1, 2, 3]


def test_every_broken_ciphertext_gets_the_same_code(client):
    good = client.session.encrypted(client.sealed(Op.RESOLVE, Resolve(PART)))
    codes = set()
    for at in range(20, len(good)):
        broken = bytearray(good)
        broken[at] ^= 0x55
        codes.add(decode(client.raw(bytes(broken))).rc)
    for cut in (20, 35, 36, 52, len(good) - 1):
        envelope = replace(read_envelope(good), length=cut - 20)
        codes.add(decode(client.raw(envelope.pack() + good[20:cut])).rc)
    assert codes == {Rc.SESSION_FAILED}


def test_encrypted_messages_of_unknown_sessions(session_gate, client, clock):
    data = client.session.encrypted(client.sealed(Op.RESOLVE, Resolve(PART)))
    clock.now += 24 * 3600 + 1
    reply = decode(client.raw(data))
    assert (reply.rc, reply.request_id) == (Rc.SESSION_TIMEOUT, client.requests)


def test_sessions_end_when_told_by_their_owner_only(client, session_gate):
    client.plain(Op.SESSION_TERMINATE, OneHandle("/"), client.session.id)
    assert session_gate.sessions.get(client.session.id) is not None
    assert client.ask(Op.SESSION_TERMINATE, OneHandle("/")).rc == Rc.SUCCESS
    assert session_gate.sessions.get(client.session.id) is None


def test_foreign_macs_do_not_count(client):
    request = client.sealed(Op.RESOLVE, Resolve(PART))
    for credential in (
        replace(request.credential, digest="MD5"),
        replace(request.credential, signature=b""),
    ):
        reply = decode(client.raw(encode(replace(request, credential=credential))))
        assert reply.rc == Rc.SESSION_FAILED
    unsigned = replace(request, credential=Credential("", 1, "HS_OTHER", "x", b"y"))
    reply = decode(client.raw(encode(unsigned)))
    assert reply.rc == Rc.AUTHENTICATION_NEEDED


def test_a_source_sets_up_a_few_sessions_a_second(session_gate, clock):
    client, other = Client(session_gate), Client(session_gate, source="10.0.0.9")
    codes = [client.plain(Op.SESSION_SETUP, SessionSetup(2, 60)).rc for _ in range(30)]
    assert codes == [Rc.SUCCESS] * 20 + [Rc.TOO_BUSY] * 10
    assert other.plain(Op.SESSION_SETUP, SessionSetup(2, 60)).rc == Rc.SUCCESS
    clock.now += 1
    assert client.plain(Op.SESSION_SETUP, SessionSetup(2, 60)).rc == Rc.SUCCESS
