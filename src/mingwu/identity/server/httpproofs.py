"""Proofs in HTTP headers: Basic with a secret, signatures, sessions, client certificates named.

Each function tells the proven key or None; Elsewhere (keys of other nodes) passes through.
"""

import base64
import hmac
import re
import secrets
from urllib.parse import unquote

from mingwu.identity.access import sm2proof
from mingwu.identity.access.authentication import (
    NONCE_BYTES,
    PUBLIC_KEY,
    SECRET_KEY,
    answer_with_secret,
    hash_named,
)
from mingwu.identity.access.elsewhere import Elsewhere, Question
from mingwu.identity.access.gate import Gate
from mingwu.identity.access.httpsessions import HttpSession
from mingwu.identity.server.clientcert import parse_key_name
from mingwu.identity.server.exchange import HttpRequest
from mingwu.wire.handle.codes import DigestAlgorithm
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import block, u32
from mingwu.wire.handle.values import Reference

# Possessive and from a word's beginning only: a long word without a value costs its length once.
_PAIR = re.compile(r'\b(\w++)\s*+=\s*+(?:"([^"]*)"|([^\s,]*))')
_SECRET_CODES = {
    "SHA1": DigestAlgorithm.SHA1,
    "SHA256": DigestAlgorithm.SHA256,
    "HMACSHA1": DigestAlgorithm.HMAC_SHA1,
    "HMACSHA256": DigestAlgorithm.HMAC_SHA256,
    "PBKDF2HMACSHA1": DigestAlgorithm.PBKDF2_HMAC_SHA1,
}


def says_certificate(fields: str) -> bool:
    """``Authorization: Handle clientCert="true"``: the proof was given in the TLS handshake."""
    return any(name.lower() == "clientcert" and (quoted or bare).lower() == "true"
               for name, quoted, bare in _PAIR.findall(fields))  # fmt: skip


def basic(gate: Gate, text: str) -> Reference | None:
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        who = parse_key_name(unquote(user))
    except (ValueError, ProtocolError):  # not Base64, not even ASCII, or no text inside
        return None
    if gate.failures.too_many(gate.source, who):
        return None
    secret = unquote(password).encode()
    for value in gate.keys(who):
        if value.type.upper() == SECRET_KEY and any(
            hmac.compare_digest(value.data, offer) for offer in (password.encode(), secret)
        ):
            return who
    if gate.administration.is_ours(who.handle):
        gate.counted(who, good=False)
        return None
    # Elsewhere the secret is asked about as if it had answered a challenge of ours.
    nonce, digest = secrets.token_bytes(NONCE_BYTES), secrets.token_bytes(NONCE_BYTES)
    proof = answer_with_secret(secret, nonce + digest)
    return who if gate.identified(Question(who, SECRET_KEY, proof, nonce, digest)) else None


def signed(gate: Gate, text: str) -> Reference | None:
    """``Handle sessionId, cnonce, id, type, alg, signature`` (and salt, iterations, length)."""
    fields = fields_of(text)
    session = gate.http_sessions.get(fields.get("sessionid", ""), gate.source)
    if session is not None:
        return session.who if "signature" not in fields else _signed_in(gate, fields, session)
    try:
        pending = gate.challenges.take(int(fields["sessionid"]))
        who = parse_key_name(unquote(fields["id"]))
        client_nonce = base64.b64decode(fields["cnonce"], validate=True)
        proof = _proof(fields)
    except (KeyError, ValueError, ProtocolError):
        return None
    if pending is None or pending.source != gate.source:
        return None
    question = Question(who, fields["type"], proof, pending.nonce, client_nonce)
    try:
        return who if gate.identified(question) else None
    except Elsewhere:
        gate.challenges.put_back(int(fields["sessionid"]), pending)
        raise


def _signed_in(gate: Gate, fields: dict[str, str], session: HttpSession) -> Reference | None:
    """The same in a session of this interface, whose nonce is good for one proof."""
    nonce = session.nonce
    try:
        who = parse_key_name(unquote(fields["id"]))
        client_nonce = base64.b64decode(fields["cnonce"], validate=True)
        question = Question(who, fields["type"], _proof(fields), nonce, client_nonce)
    except (KeyError, ValueError, ProtocolError):
        return None
    good = gate.identified(question)
    session.take_nonce()
    return who if good else None


def fields_of(text: str) -> dict[str, str]:
    """Names and values of a ``Handle`` header."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(text)}


def session_of(gate: Gate, request: HttpRequest) -> HttpSession | None:
    """The session that the Authorization header names."""
    _, _, rest = request.headers.get("authorization", "").partition(" ")
    return gate.http_sessions.get(fields_of(rest).get("sessionid", ""), request.source)


def _proof(fields: dict[str, str]) -> bytes:
    """The proof of the header in the form of the binary protocol."""
    signature = base64.b64decode(fields["signature"], validate=True)
    if fields["type"].upper() == PUBLIC_KEY:
        if fields["alg"].upper() != sm2proof.DIGEST:
            hash_named(fields["alg"])
        return block(fields["alg"].encode()) + block(signature)
    code = _SECRET_CODES[re.sub(r"[^A-Z0-9]", "", fields["alg"].upper())]
    if code == DigestAlgorithm.PBKDF2_HMAC_SHA1 and "salt" in fields:
        salt = base64.b64decode(fields["salt"], validate=True)
        rounds, bits = int(fields["iterations"]), int(fields["length"])
        signature = block(salt) + u32(rounds) + u32(bits) + block(signature)
    return bytes((code,)) + signature
