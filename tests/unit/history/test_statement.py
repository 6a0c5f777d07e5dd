"""HTTP requests to statements: inserts with data are split, everything else is text."""

import pytest

from mingwu.history.statement import form_fields, parse
from mingwu.kernel.errors import InvalidInput


@pytest.mark.parametrize("cut", [0, 1, 20, 37, 60])
def test_insert_with_data_in_the_body(cut: int):
    body = b"INSERT INTO db.t (`a`, b) FORMAT Native\n\x01\x02INSERT\n\xff"
    statement = parse({}, [body[:cut], body[cut:]])
    assert statement.sql == "INSERT INTO db.t (`a`, b)"
    assert statement.format == "Native"
    assert b"".join(statement.data or []) == b"\x01\x02INSERT\n\xff"


def test_insert_with_the_query_in_the_address():
    statement = parse({"query": "insert into t format ArrowStream"}, [b"\x00", b"\x01"])
    assert (statement.sql, statement.format) == ("insert into t", "ArrowStream")
    assert statement.data == [b"\x00", b"\x01"]


def test_insert_keeps_its_settings():
    statement = parse({}, [b"INSERT INTO t (a) SETTINGS async_insert=0 FORMAT CSV\n1\n2\n"])
    assert statement.sql == "INSERT INTO t (a) SETTINGS async_insert=0"
    assert statement.data == [b"1\n2\n"]


@pytest.mark.parametrize(
    "text",
    ["INSERT INTO t VALUES (1)", "INSERT INTO t SELECT 1", "insert into t (a) format values\n(1)"],
)
def test_inserts_without_data_are_text(text: str):
    assert parse({}, [text.encode()]).data is None


def test_address_and_body_are_joined():
    assert parse({"query": "SELECT"}, [b"1"]).sql == "SELECT\n1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1\n FORMAT Native ;", "Native"),
        ("SELECT 'FORMAT X'", "CSV"),
        ("SELECT 1", "CSV"),
    ],
)
def test_format(text: str, name: str):
    statement = parse({"default_format": "CSV"}, [text.encode()])
    assert statement.format == name
    assert statement.returns_rows


def test_parameters_settings_and_transport_are_told_apart():
    statement = parse(
        {
            "query": "SELECT {a:UInt8}",
            "param_a": "5",
            "max_threads": "1",
            "database": "mingwu",
            "wait_end_of_query": "1",
            "max_execution_time": "99999",
        },
        [],
    )
    assert statement.parameters == {"a": "5"}
    assert statement.settings == {"max_threads": "1"}, "the historian's limits are its own"
    assert statement.database == "mingwu"


@pytest.mark.parametrize(
    "parameters", [{}, {"query": " "}, {"query": "SELECT 1", "a b; DROP": "1"}]
)
def test_what_cannot_be_a_statement(parameters: dict[str, str]):
    with pytest.raises(InvalidInput):
        parse(parameters, [])


def test_binary_without_an_insert_is_refused():
    with pytest.raises(InvalidInput):
        parse({}, [b"\xff\xfe\x00"])


def test_ddl_returns_no_rows():
    assert not parse({}, [b"CREATE TABLE t (a UInt8) ENGINE = Memory"]).returns_rows
    assert parse({}, [b"-- why\n/* not */ (SELECT 1)"]).returns_rows


def test_form_fields():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="param_a"\r\n\r\n[1,2]\r\n--x--\r\n'
    )
    assert form_fields("multipart/form-data; boundary=x", body) == {
        "query": "SELECT 1",
        "param_a": "[1,2]",
    }
    with pytest.raises(InvalidInput):
        form_fields("multipart/form-data", b"")
