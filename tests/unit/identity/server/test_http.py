"""The HTTP interface without sockets: statuses, forms, authentication, inert content."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mingwu.identity.access.authentication import secret_mac
from mingwu.identity.records import Record
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.identity.server.httpproofs import fields_of
from mingwu.identity.server.httpwrite import HttpWriter
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.values import HandleValue, Reference

API = "/api/handles/"
PART = "88.888.101/Part.7"
NEW = "88.888.101/WEB.1"
ADMIN = "0.NA/88.888.101"
BASIC = "Basic " + base64.b64encode(b"301%3A0.NA/88.888.101:correct horse").decode()
URL = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.org/1"}}
OWNER = {
    "index": 100,
    "type": "HS_ADMIN",
    "data": {
        "format": "admin",
        "value": {"handle": ADMIN, "index": 301, "permissions": "001111110011"},
    },
}


@pytest.fixture
def face(resolver):
    return HttpFace(resolver)


def get(face, target, **headers):
    reply = face.answer(HttpRequest("GET", target, headers))
    assert reply is not None
    return reply


def test_the_whole_record(face):
    reply = get(face, API + PART)
    assert reply.status == 200
    body = json.loads(reply.body)
    assert (body["responseCode"], body["handle"]) == (1, PART)
    assert [value["index"] for value in body["values"]] == [1, 2, 3]
    assert body["values"][0] == URL | {
        "data": {"format": "string", "value": "https://example.org/7"},
        "ttl": 86400,
        "timestamp": "1970-01-01T00:00:00Z",
    }


def test_percent_encoded_and_plain_slashes_are_the_same(face):
    encoded = get(face, API + "88.888.101%2FPart.7")
    assert encoded.body == get(face, API + PART).body


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("index=1", [1]),
        ("index=1&index=3", [1, 3]),
        ("type=DESC.&type=URL", [1, 2, 3]),
        ("type=URL&index=2", [1, 2]),
        ("publicOnly", [1, 2, 3]),
    ],
)
def test_selection(face, query, indexes):
    body = json.loads(get(face, f"{API}{PART}?{query}").body)
    assert [value["index"] for value in body["values"]] == indexes


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        (API + "88.888.101/none", 404, 100),
        (API + "10.1/x", 400, 301),
        (API + PART + "?index=77", 200, 200),
        (API + PART + "?index=x", 400, 4),
        (API + PART + "?index=" + "9" * 5000, 400, 4),
        (API + PART + "?publicOnly=false", 401, 402),
        (API + "88.888.101/a%00b", 400, 102),
        (API + "88.888.101/" + "x" * 3000, 400, 102),
        ("/88.888.101/none", 404, 100),
    ],
)
def test_codes_and_statuses(face, target, status, code):
    reply = get(face, target)
    assert (reply.status, json.loads(reply.body)["responseCode"]) == (status, code)


def test_live_values_in_json(face):
    body = json.loads(get(face, API + "88.888.101/DEV.DCM2500.01").body)
    live = {value["type"]: value for value in body["values"]}["MW.LIVE.die_temperature"]
    assert json.loads(live["data"]["value"])["value"] == 201.5
    assert live["ttl"] == 1


def test_pretty_and_callback(face):
    assert b"\n  " in get(face, API + PART + "?pretty").body
    reply = get(face, API + PART + "?callback=show.it")
    assert reply.body.startswith(b"/**/show.it({")
    assert reply.type.startswith("application/javascript")
    for evil in ("alert(1)", "a%20b", "%3Cscript%3E", "1x"):
        reply = get(face, f"{API}{PART}?callback={evil}")
        assert reply.type.startswith("application/json")


def test_redirects_go_to_web_addresses_only(face, store):
    assert dict(get(face, "/" + PART).headers)["Location"] == "https://example.org/7"
    for number, url in enumerate(
        (b"javascript:alert(1)", b"https://x/\r\nSet-Cookie: a=b", b"//x")
    ):
        store.put(Record(f"88.888.101/R{number}", (HandleValue(1, "URL", url),)))
    face._resolver.end()
    face._resolver.begin()
    for number in range(3):
        reply = get(face, f"/88.888.101/R{number}")
        assert reply.status == 200
        assert "Location" not in dict(reply.headers)


def test_binary_messages_through_the_tunnel(face):
    message = encode(Message(op=1, body=Resolve(PART).encode(), flags=0x01000000))
    headers = {"content-type": "application/x-hdl-message"}
    reply = face.answer(HttpRequest("POST", "/", headers, message))
    assert reply.type == "application/x-hdl-message"
    assert decode(reply.body).rc == 1


def test_site_and_unknown_resources(face):
    assert json.loads(get(face, "/api/site").body)["site"]["primarySite"] is True
    assert get(face, "/api/other").status == 404


# -- writing ----------------------------------------------------------------------------------


def send(gate, method, target, body=None, source="127.0.0.1", **headers):
    data = b"" if body is None else json.dumps(body).encode()
    request = HttpRequest(method, target, headers, data, source)
    gate.resolver.begin()
    try:
        return HttpWriter().answer(gate, request)
    finally:
        gate.resolver.end()


def code(reply):
    return reply.status, json.loads(reply.body)["responseCode"]


def test_register_change_and_remove(gate, changes):
    store = gate.administration.store
    body = {"handle": NEW, "values": [URL, OWNER]}
    assert code(send(gate, "PUT", API + NEW, body, authorization=BASIC)) == (201, 1)
    assert code(send(gate, "PUT", API + NEW, body, authorization=BASIC)) == (200, 1)
    refused = send(gate, "PUT", API + NEW + "?overwrite=false", body, authorization=BASIC)
    assert code(refused) == (409, 101)
    mail = {"index": 5, "type": "EMAIL", "data": "a@example.org"}
    reply = send(gate, "PUT", API + NEW + "?index=5", {"values": [mail]}, authorization=BASIC)
    assert code(reply) == (200, 1)
    assert store.get(NEW).value(5).text() == "a@example.org"
    assert code(send(gate, "DELETE", API + NEW + "?index=5", authorization=BASIC)) == (200, 1)
    assert store.get(NEW).value(5) is None
    assert code(send(gate, "DELETE", API + NEW, authorization=BASIC)) == (200, 1)
    assert code(send(gate, "DELETE", API + NEW, authorization=BASIC)) == (404, 100)
    assert [change.operation for change in changes] == [
        "create", "create", "create", "add_value", "remove_value", "delete", "delete",
    ]  # fmt: skip


def test_minting_and_various(gate):
    target = API + "88.888.101/?mintNewSuffix=true"
    reply = send(gate, "PUT", target, [URL, OWNER], authorization=BASIC)
    assert reply.status == 201
    minted = json.loads(reply.body)["handle"]
    more = [{"index": 7, "type": "X", "data": {"format": "hex", "value": "00ff"}}]
    reply = send(gate, "PUT", f"{API}{minted}?index=various", more, authorization=BASIC)
    assert code(reply) == (200, 1)
    assert gate.administration.store.get(minted).value(7).data == b"\0\xff"


@pytest.mark.parametrize(
    "header",
    [
        "Basic " + base64.b64encode(b"301%3A0.NA/88.888.101:wrong").decode(),
        "Basic " + base64.b64encode(b"300%3A0.NA/88.888.101:correct horse").decode(),
        "Basic " + base64.b64encode(b"nobody").decode(),
        "Basic %%%",
        "Bearer abc",
        "Handle x",
        "",
    ],
)
def test_bad_credentials_get_the_challenges(gate, header):
    reply = send(gate, "PUT", API + NEW, [URL], authorization=header)
    assert reply.status == 401
    offers = [value for name, value in reply.headers if name == "WWW-Authenticate"]
    assert offers[0].startswith("Basic")
    assert 'nonce="' in offers[1]
    assert gate.administration.store.get(NEW) is None


def test_other_machines_must_come_by_tls(gate):
    reply = send(gate, "PUT", API + NEW, [URL], source="192.0.2.1", authorization=BASIC)
    assert reply.status == 403
    request = HttpRequest(
        "PUT", API + NEW, {"authorization": BASIC}, json.dumps([URL]).encode(), "192.0.2.1", True
    )
    assert HttpWriter().answer(gate, request).status == 201
    lenient = HttpWriter(plain_writes=True)
    request = HttpRequest("DELETE", API + NEW, {"authorization": BASIC}, b"", "192.0.2.1")
    assert lenient.answer(gate, request).status == 403  # no HS_ADMIN on it: not administered


def signed_header(gate, rsa_key, *, kind="HS_PUBKEY", tamper=False):
    challenge = send(gate, "PUT", API + NEW, [URL])
    offer = next(value for _, value in challenge.headers if value.startswith("Handle"))
    fields = dict(part.strip().split("=", 1) for part in offer.removeprefix("Handle").split(","))
    nonce = base64.b64decode(fields["nonce"].strip('"'))
    client_nonce = b"client-nonce-16b"
    signed = nonce + client_nonce
    if kind == "HS_PUBKEY":
        alg, who = "SHA256", f"300:{ADMIN}"
        signature = rsa_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        alg, who = "SHA-1", f"301:{ADMIN}"
        signature = secret_mac(2, b"correct horse", signed)
    if tamper:
        signature = signature[:-1] + bytes((signature[-1] ^ 1,))
    encoded = {
        "sessionId": fields["sessionId"].strip('"'),
        "cnonce": base64.b64encode(client_nonce).decode(),
        "id": who,
        "type": kind,
        "alg": alg,
        "signature": base64.b64encode(signature).decode(),
    }
    return "Handle " + ", ".join(f'{name}="{value}"' for name, value in encoded.items())


@pytest.mark.parametrize("kind", ["HS_PUBKEY", "HS_SECKEY"])
def test_challenge_authentication(gate, rsa_key, kind):
    # 300 administers the prefix as prefix_admin says; so does 301 for this test.
    header = signed_header(gate, rsa_key, kind=kind)
    reply = send(gate, "PUT", API + NEW, [URL, OWNER], authorization=header)
    assert code(reply) == (201, 1)
    assert send(gate, "PUT", API + NEW, [URL], authorization=header).status == 401


def test_a_tampered_signature_fails(gate, rsa_key):
    header = signed_header(gate, rsa_key, tamper=True)
    assert send(gate, "PUT", API + NEW, [URL], authorization=header).status == 401


def test_administrators_see_restricted_values(gate):
    body = {"values": [URL, OWNER, {"index": 9, "type": "N", "data": "in", "permissions": "1100"}]}
    send(gate, "PUT", API + NEW, body, authorization=BASIC)
    read = send(gate, "GET", API + NEW, authorization=BASIC)
    # The right to read values must be granted; OWNER's rights leave it out.
    assert code(read) == (403, 401)
    reader = OWNER | {"data": {"format": "admin", "value": OWNER["data"]["value"]
                                    | {"permissions": "111111111111"}}}  # fmt: skip
    send(gate, "PUT", API + NEW + "?index=100", {"values": [reader]}, authorization=BASIC)
    read = send(gate, "GET", API + NEW, authorization=BASIC)
    assert [value["index"] for value in json.loads(read.body)["values"]] == [1, 100, 9]


@pytest.mark.parametrize(
    "body", [b"{", b'"x"', b"[1]", b'[{"index":1}]', b'[{"index":0,"type":"A","data":"x"}]',
             b'{"handle":"10.1/other","values":[]}']
)  # fmt: skip
def test_bad_bodies_are_refused(gate, body):
    request = HttpRequest("PUT", API + NEW, {"authorization": BASIC}, body, "127.0.0.1")
    assert HttpWriter().answer(gate, request).status == 400
    assert gate.administration.store.get(NEW) is None


def test_lists_are_for_administrators(gate, face):
    for target in ("/api/handles?prefix=88.888.101", "/api/prefixes"):
        assert face.answer(HttpRequest("GET", target)) is None
        assert send(gate, "GET", target).status == 401
    assert code(send(gate, "GET", "/api/prefixes", authorization=BASIC)) == (403, 400)
    gate.administration._server_admins = (Reference(ADMIN, 301),)
    body = json.loads(send(gate, "GET", "/api/prefixes", authorization=BASIC).body)
    assert body["prefixes"] == [ADMIN]
    target = "/api/handles?prefix=88.888.101&page=1&pageSize=1"
    body = json.loads(send(gate, "GET", target, authorization=BASIC).body)
    assert (body["totalCount"], body["handles"]) == ("2", ["88.888.101/Part.7"])
    assert (body["page"], body["pageSize"]) == (1, 1)


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", ["88.888.101/DEV.DCM2500.01", "88.888.101/Part.7"]),
        ("&page=-1&pageSize=-1", ["88.888.101/DEV.DCM2500.01", "88.888.101/Part.7"]),
        ("&page=0&pageSize=0", []),  # only the count is asked for
        ("&page=0&pageSize=1", ["88.888.101/DEV.DCM2500.01"]),
        ("&page=9&pageSize=9", []),
    ],
)
def test_lists_come_whole_or_page_by_page(gate, query, listed):
    gate.administration._server_admins = (Reference(ADMIN, 301),)
    target = "/api/handles?prefix=88.888.101" + query
    body = json.loads(send(gate, "GET", target, authorization=BASIC).body)
    assert (body["totalCount"], body["handles"]) == ("2", listed)
    assert ("page" in body) == ("page=" in query and "-1" not in query)


def test_a_list_too_long_for_one_answer_says_how_to_ask(gate, monkeypatch):
    gate.administration._server_admins = (Reference(ADMIN, 301),)
    monkeypatch.setattr("mingwu.identity.server.httpwrite._MOST_LISTED", 1)
    reply = send(gate, "GET", "/api/handles?prefix=88.888.101", authorization=BASIC)
    assert (reply.status, json.loads(reply.body)["responseCode"]) == (400, 2)
    assert "pageSize" in json.loads(reply.body)["message"]


PIECES = ["/api/handles/", PART, "?", "index=", "type=", "&", "%", "%ff", "=", "1", "é", "\x00",
          "pretty", "callback=", "/", "..", "\ud800", "publicOnly=false", "%2F", "0.NA/",
          "api"]  # fmt: skip


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT"]),
    st.binary(max_size=40),
)
def test_any_target_is_answered_or_left_to_the_worker(face, target, method, body):
    headers = {"content-type": "application/x-hdl-message"}
    reply = face.answer(HttpRequest(method, "/" + target, headers, body))
    assert reply is None or 200 <= reply.status < 600


def test_other_methods_and_places(gate):
    assert send(gate, "PATCH", API + NEW, [], authorization=BASIC).status == 405
    assert send(gate, "PUT", "/elsewhere", [], authorization=BASIC).status == 405


SESSIONS = "/api/sessions"


def session_header(session, **fields):
    pairs = {"version": "0", "sessionId": session["sessionId"]} | fields
    return "Handle " + ", ".join(f'{name}="{value}"' for name, value in pairs.items())


def proof_in(session, rsa_key):
    signed = base64.b64decode(session["nonce"]) + b"client"
    signature = rsa_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return session_header(
        session,
        cnonce=base64.b64encode(b"client").decode(),
        id=f"300:{ADMIN}",
        type="HS_PUBKEY",
        alg="SHA256",
        signature=base64.b64encode(signature).decode(),
    )


def test_a_session_is_proven_once_used_and_ended(gate, rsa_key, clock):
    opened = send(gate, "POST", SESSIONS)
    session = json.loads(opened.body)
    assert (opened.status, session["authenticated"]) == (201, False)
    header = session_header(session)
    assert send(gate, "PUT", API + NEW, [URL], authorization=header).status == 401
    proof = proof_in(session, rsa_key)
    proven = json.loads(send(gate, "PUT", SESSIONS + "/this", authorization=proof).body)
    assert (proven["authenticated"], proven["id"]) == (True, f"300:{ADMIN}")
    assert proven["nonce"] != session["nonce"]
    assert send(gate, "PUT", SESSIONS + "/this", authorization=proof).status == 401
    assert code(send(gate, "PUT", API + NEW, [URL], authorization=header)) == (201, 1)
    shown = json.loads(send(gate, "GET", SESSIONS + "/this", authorization=header).body)
    assert shown["id"] == f"300:{ADMIN}"
    stranger = HttpRequest("GET", SESSIONS + "/this", {"authorization": header}, b"", "10.9.9.9",
                           secure=True)  # fmt: skip
    assert HttpWriter().answer(gate, stranger).status == 404
    outside = HttpRequest("DELETE", API + NEW, {"authorization": header}, b"", "10.9.9.9")
    assert HttpWriter().answer(gate, outside).status == 403
    assert send(gate, "DELETE", SESSIONS + "/this", authorization=header).status == 204
    assert send(gate, "PUT", API + NEW, [URL], authorization=header).status == 401


def test_a_session_opened_with_a_password(gate):
    session = json.loads(send(gate, "POST", SESSIONS, authorization=BASIC).body)
    assert session["authenticated"]
    header = session_header(session)
    assert code(send(gate, "PUT", API + NEW, [URL], authorization=header)) == (201, 1)
    wrong = "Basic " + base64.b64encode(f"301%3A{ADMIN}:guess".encode()).decode()
    assert send(gate, "POST", SESSIONS, authorization=wrong).status == 401


def test_what_sessions_do_not_do_and_their_end(gate, clock):
    session = json.loads(send(gate, "POST", SESSIONS).body)
    header = session_header(session)
    for method, path, status in (
        ("PUT", "/this", 401), ("GET", "", 405), ("POST", "/this", 405), ("GET", "/this", 200),
    ):  # fmt: skip
        found = send(gate, method, SESSIONS + path, authorization=header)
        assert found.status == status, (method, path)
    clock.now += 3601
    assert send(gate, "GET", SESSIONS + "/this", authorization=header).status == 404
    assert send(gate, "GET", SESSIONS + "/this", authorization="Handle x").status == 404


@pytest.mark.parametrize("part", ["a", "a ", "a=", 'a="', '="', "a\t", "\u4e2d"])
def test_long_proofs_cost_no_more_than_their_length(part):
    """A header of 30 KB took the worker, and with it the process, most of a minute."""
    began = time.process_time()
    fields_of(part * (30_000 // len(part)))
    assert time.process_time() - began < 5
    assert fields_of('sessionId="1 2", nonce=xy=, id = 300%3A1/2') == {
        "sessionid": "1 2", "nonce": "xy=", "id": "300%3A1/2",
    }  # fmt: skip
