"""EPP documents: commands and answers survive the wire, noise is refused with one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.secondlevel.epp import line as eppline
from mingwu.identity.secondlevel.epp import messages as epp
from mingwu.identity.secondlevel.epp import reply as eppreply
from mingwu.identity.secondlevel.epp.messages import Command, Result
from mingwu.identity.secondlevel.epp.reply import Response, Waiting
from mingwu.kernel.errors import ConfigError, InvalidInput

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20)
EPP = b'<epp xmlns="urn:ietf:params:xml:ns:epp-1.0">'


@given(st.sampled_from(["create", "update", "delete", "info", "transfer"]), TEXT, TEXT)
def test_commands_round_trip(verb, name, text):
    op = "request" if verb == "transfer" else ""
    command = Command(verb=verb, id="7", prefix="88.101.1", fields={name: text}, op=op)
    assert epp.read_command(epp.write_command(command)) == command


@pytest.mark.parametrize(
    "command",
    [
        Command(verb="hello", id=""),
        Command(verb="login", id="1", prefix="88.1", fields={"app": "a", "signature": "00ff"}),
        Command(verb="logout", id="1"),
        Command(verb="check", id="1", prefixes=("88.101.1", "88.101.2")),
        Command(verb="poll", id="1", op="req"),
        Command(verb="poll", id="1", op="ack", message="m-1"),
    ],
    ids=lambda command: command.verb + command.op,
)
def test_other_commands_round_trip(command):
    assert epp.read_command(epp.write_command(command)) == command


@pytest.mark.parametrize(
    "reply",
    [
        Response(code=Result.OK, text="ok", id="9", server_id="s", fields={"uscc": "x"}),
        Response(code=Result.OK, id="9", server_id="s", free={"88.1.1": True, "88.1.2": False}),
        Response(code=Result.MESSAGE, id="9", server_id="s", prefix="88.1.1", fields={"a": "b"},
                 waiting=Waiting(count=2, id="m", at="2026-01-01T00:00:00Z", text="told")),
        Response(code=Result.OK, id="9", server_id="s", waiting=Waiting(count=0, id="m")),
    ],
    ids=["fields", "check", "message", "acknowledged"],
)  # fmt: skip
def test_answers_round_trip(reply):
    assert eppreply.read_response(eppreply.write_response(reply)) == reply


def test_every_result_has_a_text():
    assert set(eppreply.TEXTS) == set(Result)


def test_greeting_carries_the_challenge_and_its_required_parts():
    document = eppreply.greeting("sv", "n0nce")
    assert eppreply.read_greeting(document) == ("sv", "n0nce")
    root = epp.parse(document)
    inner = root.find(epp.tag("greeting"))
    assert [one.tag.rpartition("}")[2] for one in inner] == ["svID", "svDate", "svcMenu", "dcp"]
    statement = inner.find(f"{epp.tag('dcp')}/{epp.tag('statement')}")
    assert [one.tag.rpartition("}")[2] for one in statement] == [
        "purpose", "recipient", "retention",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a/>",
        b"<epp",
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + EPP + b"</epp>",
        ('<!DOCTYPE x><epp xmlns="urn:ietf:params:xml:ns:epp-1.0"/>').encode("utf-16"),
        EPP + b"<command><renew/></command></epp>",
        EPP + b"<command><create/></command></epp>",
        EPP + b"<command><logout/><logout/></command></epp>",
        EPP + b'<command><x:logout xmlns:x="urn:x"/></command></epp>',
        EPP + b"<command/></epp>",
        b"\xff\xfe\x00",
        b" " * (epp.MOST_BYTES + 1),
    ],
)
def test_bad_documents_are_refused(document):
    with pytest.raises(InvalidInput):
        epp.read_command(document)


@given(st.binary(max_size=200))
def test_noise_is_never_another_exception(document):
    for read in (epp.read_command, eppreply.read_response, eppreply.read_greeting):
        with pytest.raises(InvalidInput):
            read(document)


@pytest.mark.parametrize("head", [bytes(4), b"\0\0\0\4", b"\xff\xff\xff\xff"])
def test_impossible_frames(head):
    with pytest.raises(InvalidInput):
        eppline.frame_size(head)


@pytest.mark.parametrize(
    "address",
    ["http://top.example/epp", "ftp://127.0.0.1/epp", "http:///epp", "https://[::1/epp", "h:0"],
)
def test_addresses_that_cannot_be_used(address):
    with pytest.raises(ConfigError) as caught:
        eppline.EppAddress(address, "")
    assert "upstream_epp" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "is_http"),
    [("", False), ("top:700", False), ("http://127.0.0.1:1/epp", True), ("http://[::1]/epp", True),
     ("https://top.example/epp", True)],
)  # fmt: skip
def test_addresses_that_can(address, is_http):
    assert eppline.EppAddress(address, "").is_http is is_http
