"""Names made by templates of their prefix, asked for over the protocol and as JSON."""

import json
import time

import pytest

from mingwu.identity.namespaces import evaluate, templates_in
from mingwu.identity.records import Record
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.wire.handle.bodies import Record as RecordBody
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
HOME = f"0.NA/{PREFIX}"
BASE = f"{PREFIX}/abc"
# The public example of the reference server's manual, for our prefix.
BOX = rb"""<namespace><template delimiter="@">
 <foreach>
  <if value="type" test="equals" expression="URL">
   <if value="extension" test="matches"
     expression="box\(([^,]*),([^,]*),([^,]*),([^,]*)\)" parameter="x">
    <value data="${data}?wh=${x[4]}&amp;ww=${x[3]}&amp;wy=${x[2]}&amp;wx=${x[1]}" />
   </if>
   <else><value data="${data}?${x}" /></else>
  </if>
  <else><value /></else>
 </foreach>
</template></namespace>"""


def inside(xml, delimiter=b"@"):
    return (
        b'<namespace><template delimiter="' + delimiter + b'">' + xml + b"</template></namespace>"
    )


@pytest.fixture
def use(store, resolver):
    """``use(xml)``: put a namespace on the prefix; ``use.ask(name)``: (code, {index: text})."""

    def put(*documents):
        values = tuple(
            HandleValue(50 + number, "HS_NAMESPACE", data) for number, data in enumerate(documents)
        )

        def changed(record):
            kept = tuple(value for value in record.values if value.index < 50)
            return Record(record.name, (*kept, *values), record.live)

        store.change(HOME, changed)
        store.put(
            Record(
                BASE,
                (
                    HandleValue(1, "URL", b"http://example.org/data/abc"),
                    HandleValue(2, "EMAIL", b"contact@example.org"),
                    HandleValue(3, "NOTE", b"inside", permissions=0x0C),
                ),
            )
        )
        resolver.end()
        resolver.begin()

    def ask(name, indexes=(), types=(), flags=OpFlag.PUBLIC_ONLY):
        message = Message(
            op=Op.RESOLVE, body=Resolve(name, indexes, types).encode(), flags=int(flags)
        )
        reply = decode(resolver.answer(encode(message)))
        body = read_body(reply)
        values = body.values if isinstance(body, RecordBody) else ()
        return reply.rc, {value.index: value.text() for value in values}

    put.ask = ask
    return put


def test_the_example_of_the_manual(use):
    use(BOX)
    assert use.ask(f"{BASE}@box(10,20,30,40)") == (
        Rc.SUCCESS,
        {1: "http://example.org/data/abc?wh=40&ww=30&wy=20&wx=10", 2: "contact@example.org"},
    )
    assert use.ask(f"{BASE}@other")[1][1] == "http://example.org/data/abc?other"
    assert use.ask(f"{BASE.upper()}@other")[0] == Rc.SUCCESS


def test_selection_and_codes(use):
    use(BOX)
    assert use.ask(f"{BASE}@x", types=("email",)) == (Rc.SUCCESS, {2: "contact@example.org"})
    assert use.ask(f"{BASE}@x", indexes=(9,))[0] == Rc.VALUES_NOT_FOUND
    assert use.ask(f"{BASE}")[1].keys() == {1, 2}, "a name with a record is its record"
    for name in (f"{PREFIX}/none@x", f"{PREFIX}/@x", f"{PREFIX}/none", f"{PREFIX}/x@y@z"):
        assert use.ask(name)[0] == Rc.HANDLE_NOT_FOUND
    assert use.ask("99.1/abc@x")[0] == Rc.NOT_RESPONSIBLE


def test_restricted_values_of_the_base_never_go_in(use):
    use(inside(b'<foreach><value permissions="1110"/></foreach>'))
    for flags in (0, OpFlag.PUBLIC_ONLY):
        assert "inside" not in use.ask(f"{BASE}@x", flags=flags)[1].values()


def test_restricted_values_that_a_template_makes_are_shown_to_nobody(use):
    use(inside(b'<value index="1" type="A" data="a" permissions="1100"/>'
               b'<value index="2" type="B" data="b"/>'))  # fmt: skip
    assert use.ask(f"{PREFIX}/any@x", flags=0) == (Rc.SUCCESS, {2: "b"})


def test_live_values_of_the_base_are_live(use):
    use(inside(b"<foreach><value/></foreach>"))
    _, values = use.ask(f"{PREFIX}/DEV.DCM2500.01@now")
    assert json.loads(values[100007])["value"] == 201.5


def test_values_without_a_base_definitions_and_text(use):
    use(
        inside(
            b'<def parameter="site">https://example.org</def>'
            b'<value index="1" type="URL">${site}/${base}/${extension}/${nothing}${extension[7]}'
            b"</value>"
            b'<value index="2" type="DESC" data="${handle}" ttl="60"/>'
        )
    )
    name = f"{PREFIX}/free@1"
    assert use.ask(name)[1] == {1: f"https://example.org/{PREFIX}/free/1/", 2: name}


def test_without_a_delimiter_every_name_of_the_prefix_is_meant(use):
    use(b'<namespace><template><value index="1" type="A" data="${extension}"/>'
        b"</template></namespace>")  # fmt: skip
    assert use.ask(f"{PREFIX}/whatever") == (Rc.SUCCESS, {1: "whatever"})


def test_notfound_and_what_cannot_be_made(use):
    for number, xml in enumerate(
        (
            b"<notfound/>",
            b'<value type="A" data="no index"/>',
            b'<value index="0" type="A" data="x"/>',
            b'<value index="${extension}" type="A" data="x"/>',
            b'<value index="1" type="A" data="x" ttl="soon"/>',
            b'<value index="1" type="A" data="x" permissions="9"/>',
            b"<foreach/>",
        )
    ):
        use(inside(xml, delimiter=b"!%d!" % number))
        assert use.ask(f"{PREFIX}/abc!{number}!x")[0] == Rc.HANDLE_NOT_FOUND


def test_the_first_template_that_has_an_answer_gives_it_and_broken_ones_none(use):
    use(b"<broken", inside(b"<notfound/>"), inside(b'<value index="1" type="A" data="second"/>'))
    assert use.ask(f"{BASE}@x") == (Rc.SUCCESS, {1: "second"})


def test_json_is_made_of_the_same(use, resolver):
    use(BOX)
    reply = HttpFace(resolver).answer(HttpRequest("GET", f"/api/handles/{BASE}@a?b"))
    values = json.loads(reply.body)["values"]
    assert values[0]["data"]["value"] == "http://example.org/data/abc?a"


@pytest.mark.parametrize(
    ("expression", "text"),
    [(r"(a|a)*b", "a" * 900), (r"(x+x+)+y", "x" * 900), (r"((a{1,30}){1,30})*c", "a" * 1000)],
)
def test_expressions_made_to_hang_do_not(expression, text):
    xml = (
        f'<if value="extension" test="matches" expression="{expression}">'
        '<value index="1" type="A" data="x"/></if>'
    )
    (template,) = templates_in(inside(xml.encode()))
    started = time.perf_counter()
    assert evaluate(template, f"1/a@{text}", "1/a", text, ()) == ()
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("expression", ["(", r"(a)\1", "(?=a)", "a{1,2000}", "a" * 1001])
def test_expressions_that_are_refused(expression):
    xml = f'<if value="extension" test="matches" expression="{expression}"/>'
    with pytest.raises(ProtocolError, match="expression"):
        templates_in(inside(xml.encode()))


def test_what_grows_is_cut():
    doubling = b"".join(
        b'<def parameter="a">${a}${a}</def>' if number else b'<def parameter="a">xx</def>'
        for number in range(100)
    )
    (template,) = templates_in(inside(doubling + b'<value index="1" type="A" data="${a}"/>'))
    assert evaluate(template, "1/a@b", "1/a", "b", ()) == ()
    (each,) = templates_in(inside(b"<foreach>" + b"<value/>" * 8 + b"</foreach>"))
    many = [HandleValue(number, "A", b"x") for number in range(1, 1500)]
    assert evaluate(each, "1/a@b", "1/a", "b", many) == ()


def test_a_namespace_that_cannot_be_evaluated_is_not_stored(gate):
    from .access.test_gate import Client

    client = Client(gate)
    good, bad = HandleValue(60, "HS_NAMESPACE", BOX), HandleValue(60, "HS_NAMESPACE", b"<x")
    grown = gate.administration.add(HOME, (bad,), client_reference(client))
    assert grown.rc == Rc.INVALID_VALUE
    assert gate.administration.add(HOME, (good,), client_reference(client)).ok


def client_reference(client):
    from mingwu.wire.handle.values import Reference

    return Reference(client.handle, client.index)
