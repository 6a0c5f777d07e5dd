"""What is fuzzed: functions of bytes that must accept or refuse, and never do anything else.

A target raises nothing but what it says here it may (ProtocolError is caught inside); a failed
``assert`` is a finding, too. ``tests/fuzz/run.py`` drives them with atheris; the cases that were
found are kept under ``tests/golden/handle/fuzz`` and replayed without it.
"""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mingwu.identity.access.administration import Administration
from mingwu.identity.access.gate import Gate
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.namespaces import evaluate, templates_in
from mingwu.identity.records import Record as StoredName
from mingwu.identity.records import RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.identity.server.httpwrite import HttpWriter
from mingwu.identity.server.process import home_prefixes, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle import admin, jsonform, keys, site
from mingwu.wire.handle.bodies import (
    OUTCOMES,
    REQUESTS,
    SUCCESSES,
    ChallengeAnswer,
    Login,
    OneHandle,
    Record,
    Resolve,
    SessionSetup,
    VerifyChallenge,
    read_body,
)
from mingwu.wire.handle.codes import Op, Rc
from mingwu.wire.handle.envelope import Reassembly, split
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.primitives import Reader, block, text
from mingwu.wire.handle.values import (
    HandleValue,
    encode_value,
    read_references,
    read_value,
    references,
)

NAME = "88.888.101/F"
VALUES = (
    HandleValue(1, "URL", b"https://example.org"),
    HandleValue(100, "HS_ADMIN", admin.encode_admin(admin.Admin("0.NA/88.888.101", 300))),
    HandleValue(300, "HS_SECKEY", b"secret", permissions=0x0C),
)


def message(data: bytes) -> None:
    """Whole messages with their bodies: what decodes encodes to what decodes to the same."""
    try:
        read = decode(data)
        body = read_body(read)
    except ProtocolError:
        return
    assert decode(encode(read)) == read
    again = type(body).decode(body.encode())
    assert again == body


def bodies(data: bytes) -> None:
    """Every body by operation and code."""
    kinds = sorted({*REQUESTS.values(), *SUCCESSES.values(), *OUTCOMES.values()}, key=str)
    if len(data) < 2:
        return
    kind = kinds[data[0] % len(kinds)]
    try:
        body = kind.decode(data[1:])
        encoded = body.encode()
    except ProtocolError:
        return
    assert kind.decode(encoded) == body


def values(data: bytes) -> None:
    """Handle values, the data of typed ones, and their JSON."""
    try:
        value = read_value(Reader(data))
    except ProtocolError:
        return
    assert read_value(Reader(encode_value(value))) == value
    shown = jsonform.value_to_json(value)
    json.dumps(shown)
    try:
        back = jsonform.value_from_json(shown, 0)
    except ProtocolError:
        return  # an index, a time or a ttl that JSON does not take
    assert back.data == value.data or value.type.upper().startswith("HS_")


def typed(data: bytes) -> None:
    """HS_ADMIN, HS_SITE, HS_PUBKEY, HS_VLIST data, and an HS_NAMESPACE evaluated."""
    for read, write in (
        (admin.read_admin, admin.encode_admin),
        (site.read_site, site.encode_site),
        (keys.read_key, keys.encode_key),
        (lambda raw: read_references(Reader(raw)), references),
    ):
        try:
            found = read(data)
        except ProtocolError:
            continue
        assert read(write(found)) == found


def namespace(data: bytes) -> None:
    """HS_NAMESPACE data; what is accepted is evaluated."""
    try:
        templates = templates_in(data)
    except ProtocolError:
        return
    for template in templates:
        made = evaluate(template, f"{NAME}@e(1)", NAME, "e(1)", VALUES[:2])
        assert len(made) <= 2048


def _json_like(data: bytes, depth: int = 0) -> object:
    """Some JSON that the bytes spell, with the words of the format in likely places."""
    if not data or depth > 4:
        return None
    kind, rest = data[0] % 8, data[1:] or b"\0"
    half = max(1, len(rest) // 2)
    plain = (
        _WORDS[rest[0] % len(_WORDS)],
        int.from_bytes(rest[:9], signed=True),
        rest.decode("utf-8", "surrogateescape"),
        (True, False, None, -1, 2**31, 2**64, 1.5, "1" * 12)[rest[0] % 8],
    )
    if kind < len(plain):
        return plain[kind]
    if kind == len(plain):
        return [_json_like(rest[:half], depth + 1), _json_like(rest[half:], depth + 1)]
    pieces = [rest[at : at + half] for at in range(0, len(rest), half)]
    return {_WORDS[one[0] % len(_WORDS)]: _json_like(one[1:], depth + 1) for one in pieces}


_WORDS = (
    "index", "type", "data", "format", "value", "ttl", "timestamp", "permissions", "references",
    "handle", "string", "base64", "hex", "admin", "vlist", "site", "key", "kty", "RSA", "n", "e",
    "servers", "address", "127.0.0.1", "interfaces", "serverId", "publicKey", "protocolVersion",
    "HS_ADMIN", "HS_SITE", "HS_PUBKEY", "HS_VLIST", "URL", "1110", "2020-01-01T00:00:00Z",
)  # fmt: skip


def json_form(data: bytes) -> None:
    """JSON of values as strangers write it: spelled out, or put together from its words."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = {"index": 1, "type": "A", "data": _json_like(data)}
        if data and data[0] & 1:
            content |= {_WORDS[data[0] % 10]: _json_like(data[1:])}
    try:
        value = jsonform.value_from_json(content, 0)
        encoded = encode_value(value)
    except ProtocolError:
        return
    assert read_value(Reader(encoded)).index == value.index
    json.dumps(jsonform.value_to_json(value))


def datagrams(data: bytes) -> None:
    """Packets of one message in any order; data is cut at lengths it names itself."""
    parts, at = Reassembly(), 0
    while at < len(data):
        size = data[at]
        packet = data[at + 1 : at + 1 + size]
        at += 1 + size
        try:
            whole = parts.feed(packet)
        except ProtocolError:
            return
        if whole is not None:
            for piece in split(whole):
                assert len(piece) <= max(512, 20)
            return


@cache
def _gate() -> Gate:
    """A gate over a small store in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="mingwu-fuzz-"))
    store = RecordStore(folder, map_bytes=2**26, durable=False)
    where = site_of(ResolverSettings(), 2641, 8000)
    home_prefixes(store, ("88.888.101",), where)
    store.put(StoredName(NAME, VALUES))
    return Gate(Resolver(store, where), Administration(store))


def gate(data: bytes) -> None:
    """A stranger's message to a whole gate: an answer that decodes, or silence."""
    served = _gate()
    served.resolver.begin()
    try:
        reply = served.answer(data, "198.51.100.7")
    finally:
        served.resolver.end()
    assert isinstance(reply, bytes)
    if reply:
        assert decode(reply).rc != Rc.REQUEST
    assert served.administration.store.get(NAME) is not None


def http(data: bytes) -> None:
    """Method, target, one header and body of a request, split at line ends."""
    lines = data.split(b"\n", 3)
    lines += [b""] * (4 - len(lines))
    method, target, header, body = lines
    request = HttpRequest(
        method.decode("latin-1"), target.decode("utf-8", "replace"),
        {"authorization": header.decode("latin-1")} if header else {}, body, "198.51.100.7", True,
    )  # fmt: skip
    served = _gate()
    served.resolver.begin()
    try:
        reply = HttpFace(served.resolver).answer(request)
        reply = reply or HttpWriter().answer(served, request)
    finally:
        served.resolver.end()
    assert 200 <= reply.status < 600
    assert served.administration.store.get(NAME) is not None


LIMITS = EnterpriseSettings(import_rows=200, unpacked_bytes=2**22)


def tables(data: bytes) -> None:
    """An uploaded table: text, or an archive; every row stays within the head."""
    try:
        file = TableFile(io.BytesIO(data), LIMITS)
        head = file.guess_head()
        with file.table(head=head) as table:
            read = list(table.lines)
    except InvalidInput as error:
        refused = error.code
    else:
        refused = ""
    if refused:
        assert refused.startswith("enterprise.table-")
        return
    numbers = [number for number, _, _ in read]
    assert numbers == sorted(set(numbers))
    assert all(tuple(row) == table.columns for _, row, _ in read)
    assert len(read) <= LIMITS.import_rows


def sheets(data: bytes) -> None:
    """The first sheet of a workbook that is whole otherwise."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as box:
        for name, content in _PARTS.items():
            box.writestr(name, content)
        box.writestr("xl/worksheets/sheet1.xml", data)
    tables(archive.getvalue())


_PARTS = {
    "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet r:id="1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="1" Type="r/worksheet" '
    'Target="worksheets/sheet1.xml"/><Relationship Id="2" Type="r/sharedStrings" '
    'Target="sharedStrings.xml"/><Relationship Id="3" Type="r/styles" Target="styles.xml"/>'
    "</Relationships>",
    "xl/sharedStrings.xml": "<sst><si><t>one</t></si><si><r><t>two</t></r></si></sst>",
    "xl/styles.xml": '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
    '<xf numFmtId="46"/></cellXfs></styleSheet>',
}

TARGETS: dict[str, Callable[[bytes], None]] = {
    "message": message,
    "bodies": bodies,
    "values": values,
    "typed": typed,
    "namespace": namespace,
    "json": json_form,
    "datagrams": datagrams,
    "gate": gate,
    "http": http,
    "tables": tables,
    "sheets": sheets,
}


def seeds(name: str) -> list[bytes]:
    """Good inputs to begin with."""
    requests = (
        (Op.RESOLVE, Resolve(NAME, (1,), ("URL",))),
        (Op.CREATE, Record(NAME, VALUES)),
        (Op.LIST_HANDLES, OneHandle("0.NA/88.888.101")),
        (Op.CHALLENGE_ANSWER, ChallengeAnswer("HS_SECKEY", NAME, 300, b"\x22" + bytes(40))),
        (Op.VERIFY_CHALLENGE, VerifyChallenge(NAME, 300, bytes(16), bytes(32), b"\x03proof")),
        (Op.SESSION_SETUP, SessionSetup(1, 60, key=block(b"key"))),
        (Op.IDIS_LOGIN_KEY, Login(NAME, 300)),
    )
    frames = [encode(Message(op=op, body=body.encode(), request_id=7)) for op, body in requests]
    where = site_of(ResolverSettings(), 2641, 8000)
    key = keys.encode_key(keys.make_key(keys.RSA, e=65537, n=2**512 + 1))
    packets = split(frames[1] + bytes(900))
    return {
        "message": frames,
        "gate": frames,
        "bodies": [bytes((n,)) + body.encode() for n, (_, body) in enumerate(requests)],
        "values": [encode_value(value) for value in VALUES],
        "typed": [VALUES[1].data, site.encode_site(where), key, references(()), text("x")],
        "namespace": [_NAMESPACE],
        "json": [json.dumps(jsonform.value_to_json(value)).encode() for value in VALUES],
        "datagrams": [b"".join(bytes((min(255, len(p)),)) + p[:255] for p in packets)],
        "http": [
            f"GET\n/api/handles/{NAME}?index=1&type=URL\n\n".encode(),
            f"PUT\n/api/handles/{NAME}?index=various\nBasic MzAwJTNBeDp5\n[]".encode(),
            b'DELETE\n/api/handles/x\nHandle sessionId="1", nonce="x"\n',
            b'GET\n/api/handles?prefix=88.888.101\nHandle clientCert="true"\n',
        ],
        "tables": [
            '编号,名称\n1,壳\n2,"盖,\n"\n'.encode("gbk"),
            b"\xff\xfe" + "a;b\n1;2\n".encode("utf-16-le"),
            b"\xef\xbb\xbfa\tb\n1\t2\t3\n",
            b"\xd0\xcf\x11\xe0",
            b"PK\x03\x04",
        ],
        "sheets": [_SHEET, b"<!DOCTYPE a>" + _SHEET],
    }[name]  # fmt: skip


_SHEET = b"""<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr">
<is><t>b</t></is></c></row><row r="3"><c r="A3"><v>1.5</v></c><c r="B3" s="1"><v>46331</v></c></row>
<row><c s="2"><v>1.25</v></c><c t="b"><f>A1</f><v>1</v></c><c t="e"><v>#N/A</v></c></row>
</sheetData><mergeCells><mergeCell ref="A3:A4"/></mergeCells></worksheet>"""
_NAMESPACE = b"""<namespace><template delimiter="@"><foreach>
<if value="extension" test="matches" expression="e\\((\\d)\\)" parameter="x">
<value data="${data}${x[1]}"/></if><else><notfound/></else></foreach>
<def parameter="y">z</def></template></namespace>"""
