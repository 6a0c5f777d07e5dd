"""``mingwu label``, ``scan`` and ``epc``: printed from a running resolver, read back, told."""

import json

import anyio.to_thread
import pytest

from mingwu.cli.main import main

pytestmark = [pytest.mark.process, pytest.mark.anyio]

NAME = "88.888.101/DEV.DCM2500.01"


async def command(*words: object) -> int:
    return await anyio.to_thread.run_sync(main, [str(word) for word in words])


async def test_a_label_is_printed_and_its_symbol_read(serving, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    async with serving() as server:
        where = ("--server", f"127.0.0.1:{server.port}", "--config", tmp_path / "none.toml")
        sheet, picture, outline = (tmp_path / f"one.{kind}" for kind in ("pdf", "png", "dxf"))
        assert await command("label", NAME, "--out", sheet, *where) == 0
        assert sheet.read_bytes().startswith(b"%PDF-")
        assert "1 label(s) on 1 page(s)" in capsys.readouterr().out
        assert await command("label", NAME, "--out", picture, "--symbol", "qr", *where) == 0
        assert await command("label", NAME, "--out", outline, *where) == 0
        assert "SIMULATED" in outline.read_text()
        capsys.readouterr()
        assert await command("scan", picture, "--server", f"127.0.0.1:{server.port}") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"QR Code  {NAME}\n")
    assert "Die casting cell 1 (simulated)" in told


async def test_names_come_from_standard_input_and_faulty_ones_are_told(
    serving, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setattr("sys.stdin", [NAME + "\n", "\n", NAME + "\n"])
    async with serving() as server:
        where = ("--server", f"127.0.0.1:{server.port}", "--config", tmp_path / "none.toml")
        out = tmp_path / "roll.svg"
        words = ("label", "-", "--out", out, "--template", "roll-60x40", *where)
        assert await command(*words) == 0
        assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["roll-1.svg", "roll-2.svg"]
        words = ("label", NAME, "--out", out, "--template", "roll-100x60-gs1", *where)
        assert await command(*words) == 1
        assert "marking.no-contents" in capsys.readouterr().err
        assert await command(*words, "--skip-faulty") == 1
        assert "未打印" in capsys.readouterr().err
        assert await command("label", "88.888.101/NO", "--out", out, *where) == 1


async def test_a_picture_without_a_symbol_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    from PIL import Image

    Image.new("RGB", (50, 50), "white").save(tmp_path / "white.png")
    assert await command("scan", tmp_path / "white.png") == 1
    assert "closer" in capsys.readouterr().out
    assert await command("scan", tmp_path / "missing.png") == 1
    assert "input.invalid" in capsys.readouterr().err


async def test_epc_both_ways(capsys):
    assert await command("epc", "encode", "(01)09506000134352(21)32a/b") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["scheme"] == "sgtin+"
    assert await command("epc", "decode", made["epc"]) == 0
    assert json.loads(capsys.readouterr().out)["elements"] == "(01)09506000134352(21)32a/b"
    assert await command("epc", "encode", NAME) == 0
    made = json.loads(capsys.readouterr().out)
    assert await command("epc", "decode", made["epc"], "--pc", made["pc"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == NAME
    assert await command("epc", "encode", "88.1.1/名", "--user") == 0
    made = json.loads(capsys.readouterr().out)
    assert await command("epc", "decode", made["user"], "--user") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "88.1.1/名"
    assert await command("epc", "encode", "(01)09506000134352(21)1") == 1
    assert "epc.prefix-needed" in capsys.readouterr().err
