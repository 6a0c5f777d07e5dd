"""Tables of hosted names, as the command reads and sends them."""

import pytest

from mingwu.cli import secondlevel
from mingwu.cli.hostedtable import calls
from mingwu.cli.main import main
from mingwu.kernel.errors import InvalidInput

HEAD = "name,template,brand,mass\n"


@pytest.fixture
def table(tmp_path):
    def write(text):
        file = tmp_path / "names.csv"
        file.write_text(text, "utf-8")
        return file

    return write


def test_a_table_becomes_calls_of_2000_names(table):
    rows = "".join(f"88.101.1/PRT.{one:04d},T.1,名牌,\n" for one in range(2001))
    first, second = calls(table("\ufeff" + HEAD + rows), "register")
    assert (len(first), len(second)) == (2000, 1)
    assert second == [{"name": "88.101.1/PRT.2000", "template": "T.1", "values": {"brand": "名牌"}}]
    (names,) = calls(table("name\n88.101.1/A\n"), "remove")
    assert names == ["88.101.1/A"]


@pytest.mark.parametrize(
    ("text", "where"),
    [("code\nx\n", ":1"), (HEAD + "a,b\n", ":2"), (HEAD + "a,b,c,d,e\n", ":2"),
     (HEAD + "88.101.1/A,,,\n,,x,y\n", ":3")],
)  # fmt: skip
def test_a_bad_table_is_refused_whole_with_the_line(table, text, where):
    with pytest.raises(InvalidInput) as caught:
        calls(table(text), "register")
    assert str(caught.value.params["path"]).endswith(where)


@pytest.mark.parametrize(("token", "path"), [
    ("session-token", "/prefixes/88.101.1/identifiers"), ("mwt-x", "/tenant/identifiers/88.101.1"),
])  # fmt: skip
def test_the_command_tells_what_was_refused(table, tmp_path, capsys, monkeypatch, token, path):
    sent = []

    async def call(arguments, method, path, body, _shape):
        sent.append((method, path, body))
        return [
            {"name": "88.101.1/A", "code": 1, "error": "", "message": ""},
            {"name": "88.101.1/B", "code": 102, "error": "x", "message": "against the rule"},
        ]

    monkeypatch.setattr(secondlevel, "_call", call)
    (tmp_path / "token").write_text(token)
    file = table(HEAD + "88.101.1/A,T.1,x,1\n88.101.1/B,T.1,y,2\n")
    status = main(["secondlevel", "change", "88.101.1", str(file), "--api", "http://127.0.0.1:9",
                   "--token-file", str(tmp_path / "token"), "--lang", "en"])  # fmt: skip
    said = capsys.readouterr().out
    assert (status, "88.101.1/B  102  against the rule" in said) == (1, True)
    assert "1 done, 1 refused" in said
    ((method, told, body),) = sent
    assert (method, told, body[0]["values"]) == ("PUT", path, {"brand": "x", "mass": "1"})
