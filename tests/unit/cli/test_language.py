"""The command line in Chinese: overview, usage faults, faults of files and of values."""

import re

import pytest

from mingwu.cli.main import COMMANDS, main

ENGLISH = re.compile("[a-z]{3,} [a-z]{2,}")
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def said(argv, capsys):
    """What is told behind the usage."""
    try:
        status = main(argv)
    except SystemExit as error:
        status = error.code
    assert status
    told = capsys.readouterr()
    return re.sub("(?s)^用法：.*?(?=\nmingwu)", "", told.out + told.err)


def test_the_overview_is_chinese(capsys):
    assert main([]) == 0
    assert not ENGLISH.search(capsys.readouterr().out.replace("mingwu ", ""))
    assert all(CHINESE.search(about.zh) for about in COMMANDS.values())
    assert "没有命令“nothing”" in said(["nothing"], capsys)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["demo", "--scale", "x"], "参数 --scale：'x' 不是整数"),
        (["demo", "--folder"], "参数 --folder 需要一个值"),
        (["demo", "left", "over"], "无法识别的参数：left over"),
        (["check"], "缺少参数：file"),
        (["run", "dance", "--config", "x"], "没有 'dance'"),
        (["check", "no-such-file"], "没有该文件或目录"),
        (["check", "{wrong}"], "应为 `int`，实为 `str`"),
        (["carrier", "make", "x", "--serial", "S", "--prefix", "88.1", "--suffix", "M",
          "--platform", "https://x", "--years", "500"], "应为年数"),
    ],
)  # fmt: skip
def test_faults_are_chinese(argv, words, capsys, tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[console]\nport = "x"\n')
    told = said([one.format(wrong=wrong) for one in argv], capsys)
    assert words in told
    assert not ENGLISH.search(re.sub("`.+?`|mingwu .*?: |left over", "", told)), told
