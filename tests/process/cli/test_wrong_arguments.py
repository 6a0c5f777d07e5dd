"""The identity commands with wrong arguments: a sentence, a next step, an exit status, no trace."""

import io
import random
import re

import pytest

from mingwu.cli.main import main

NOBODY = "127.0.0.1:9"  # the discard port: nobody listens there
NAME = "88.888.101/X"
SERVER = ["--server", NOBODY]
API = ["--api", f"http://{NOBODY}", "--token-file", "{token}"]
ODD = (
    "", " ", "-1", "0", "9" * 40, "1e400", "NaN", "../../etc/passwd", "/", "é" * 300,
    "👩\u200d🏭", "'; DROP TABLE x;--", "<b>", "%00%ff", "a\r\nb", "{0}", "--", "-", "@", "=",
    "x" * 5_000, ":", "[::1", "host:port", "http://", "https://[", "file:///etc/passwd", "88.", "*",
    "{folder}", "{missing}", "{text}", "{binary}", "\u202ex",
)  # fmt: skip
# Commands with one place to be filled with odd text.
SHAPES = (
    ["resolve", "?", *SERVER],
    ["resolve", NAME, "--server", "?"],
    ["resolve", NAME, *SERVER, "--index", "?"],
    ["resolve", NAME, *SERVER, "--type", "?"],
    ["resolve", NAME, *SERVER, "--anchor", "?", "--trust"],
    ["resolve", NAME, "--root", "?"],
    ["resolve", NAME, "--config", "?"],
    ["handle", "create", "?", "1:URL=x", *SERVER],
    ["handle", "create", NAME, "?", *SERVER],
    ["handle", "create", NAME, "1:URL=x", "--admin", "?", *SERVER],
    ["handle", "create", NAME, "1:URL=x", "--ttl", "?", *SERVER],
    ["handle", "create", NAME, "1:URL=x", "--permissions", "?", *SERVER],
    ["handle", "create", NAME, "--file", "?", *SERVER],
    ["handle", "add", NAME, "1:URL=x", "--as", "?", "--key", "{text}", *SERVER],
    ["handle", "add", NAME, "1:URL=x", "--as", "300:0.NA/88", "--key", "?", *SERVER],
    ["handle", "modify", NAME, "1:URL=x", "--as", "300:0.NA/88", "--secret-file", "?", *SERVER],
    ["handle", "remove", NAME, "?", *SERVER],
    ["handle", "delete", "?", *SERVER],
    ["handle", "list", "?", *SERVER],
    ["handle", "home", "?", *SERVER],
    ["handle", "read", "?", *SERVER],
    ["handle", "site", "?", *SERVER],
    ["handle", "login", "--login", "?", *SERVER],
    ["handle", "key", "{folder}/new.pem", "--algorithm", "?"],
    ["handle", "key", "{folder}/new2.pem", "--install", "?"],
    ["iiidap", "query", "?", *SERVER],
    ["iiidap", "query", NAME, "--server", "?"],
    ["iiidap", "query", NAME, "--bootstrap", "?"],
    ["iiidap", "search", "identifiers", "?", *SERVER],
    ["iiidap", "search", "identifiers", "x*", "--sort", "?", *SERVER],
    ["iiidap", "search", "identifiers", "x*", "--pages", "?", *SERVER],
    ["iiidap", "search", "?", "x*", *SERVER],
    ["secondlevel", "query", "?", *API],
    ["secondlevel", "query", "T", "?", *API],
    ["secondlevel", "query", "T", "--limit", "?", *API],
    ["secondlevel", "links", "--api", "?", "--token-file", "{token}"],
    ["secondlevel", "links", "--api", f"http://{NOBODY}", "--token-file", "?"],
    ["secondlevel", "link", "?", "https://x", "88.1/App", *API],
    ["secondlevel", "link", "88.101.1", "?", "88.1/App", *API],
    ["secondlevel", "link", "88.101.1", "https://x", "88.1/App", "--template", "?", *API],
    ["names", "import", "?", "--config", "{config}", "--template", "1"],
    ["names", "import", "{text}", "--config", "?"],
    ["names", "import", "{text}", "--config", "{config}", "--template", "?"],
    ["names", "import", "{text}", "--config", "{config}", "--mapping", "?"],
    ["names", "import", "{text}", "--config", "{config}", "--template", "1", "--set", "?"],
    ["names", "import", "--config", "{config}", "--source", "?"],
    ["names", "?", "--config", "{config}"],
    ["template", "show", "?", "--config", "{config}"],
    ["template", "import", "?", "--config", "{config}"],
    ["template", "diff", "?", "--config", "{config}"],
    ["label", "?", "--out", "{folder}/a.pdf", *SERVER],
    ["label", NAME, "--out", "?", *SERVER],
    ["label", NAME, "--out", "{folder}/a.pdf", "--template", "?", *SERVER],
    ["label", NAME, "--out", "{folder}/a.svg", "--symbol", "?", *SERVER],
    ["label", NAME, "--out", "{folder}/a.svg", "--symbol", "qr", "--module-mm", "?", *SERVER],
    ["label", NAME, "--out", "{folder}/a.pdf", "--skip", "?", *SERVER],
    ["label", NAME, "--out", "{folder}/a.svg", "--symbol", "qr", "--url", "?", *SERVER],
    ["scan", "?", "--offline"],
    ["scan", "{binary}", "--server", "?"],
    ["epc", "encode", "?"],
    ["epc", "decode", "?"],
    ["epc", "encode", "(01)09506000134352(21)1", "--scheme", "?"],
    ["epc", "encode", "(01)09506000134352(21)1", "--prefix-digits", "?"],
    ["epc", "encode", "(01)09506000134352(21)1", "--filter", "?"],
    ["epc", "encode", "(01)09506000134352(21)1", "--scheme", "dsgtin+", "--date", "?"],
    ["epc", "decode", "30", "--pc", "?"],
    ["carrier", "show", "?"],
    ["carrier", "run", "?"],
    ["carrier", "make", "{folder}/c", "--config", "{config}", "--serial", "?", "--prefix",
     "88.888.101",
     "--suffix", "M1", "--platform", "https://x"],
    ["carrier", "make", "{folder}/d", "--config", "?", "--serial", "S1", "--prefix", "88.888.101",
     "--suffix", "M1", "--platform", "https://x"],
    ["carrier", "make", "{folder}/e", "--config", "{config}", "--serial", "S1", "--prefix", "?",
     "--suffix", "M1", "--platform", "https://x"],
    ["carrier", "make", "{folder}/f", "--config", "{config}", "--serial", "S1", "--prefix",
     "88.888.101", "--suffix", "M1", "--platform", "?"],
    ["carrier", "make", "{folder}/g", "--config", "{config}", "--serial", "S1", "--prefix",
     "88.888.101", "--suffix", "M1", "--platform", "https://x", "--years", "?"],
    ["usage", "verify", "?", "--key", "{text}"],
    ["usage", "verify", "{binary}", "--key", "?"],
    ["usage", "verify", "{binary}", "--key", "{text}", "--known", "?"],
)  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    found = {name: folder / name for name in ("missing", "text", "binary", "token", "config")}
    found["text"].write_text("column;other\n1;2\n")
    found["binary"].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    found["token"].write_text("a-token\n")
    found["token"].chmod(0o600)
    found["config"].write_text('[resolver]\nprefixes = ["88.888.101"]\nmap_bytes = 134217728\n')
    return found | {"folder": folder}


def filled(shape, odd, places):
    argv = [odd if one == "?" else one for one in shape]
    for name, place in places.items():
        argv = [one.replace("{" + name + "}", str(place)) for one in argv]
    return argv


def called(argv, capsys):
    """(exit status, standard error); whatever else it raises is a fault."""
    try:
        status = main(argv)
    except SystemExit as error:  # argparse
        status = error.code
    return status, capsys.readouterr().err


def left_in_english(told, argv):
    """Sentences with English in them, what was typed, usage and a server's own words apart."""
    for typed in sorted(one for argument in argv for one in argument.split() if len(one) > 1):
        told = told.replace(typed, "")
    told = re.sub("`.*?`", "", told)
    return [
        line
        for line in told.splitlines()
        if line.startswith("mingwu") and "[identity.refused]" not in line
        and re.search("[a-z]{3,} [a-z]{2,}", line.removeprefix("mingwu"))
    ]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
def test_a_wrong_argument_is_answered_by_a_sentence(shape, places, capsys, monkeypatch):
    monkeypatch.chdir(places["folder"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    draw = random.Random(" ".join(shape))
    for odd in draw.sample(ODD, 10):
        locale = draw.choice(("en_GB.UTF-8", "zh_CN.UTF-8"))
        monkeypatch.setenv("LC_ALL", locale)
        argv = filled(shape, odd, places)
        status, told = called(argv, capsys)
        assert status in {0, 1, 2}, argv
        assert "Traceback" not in told
        if status:
            assert told.strip(), argv
        if status and locale.startswith("zh"):
            assert not left_in_english(told, argv), told


@pytest.mark.parametrize("command", sorted({shape[0] for shape in SHAPES}))
def test_without_arguments_usage_is_shown(command, capsys):
    status, told = called([command], capsys)
    assert status == 2
    assert told.startswith("usage: ")
