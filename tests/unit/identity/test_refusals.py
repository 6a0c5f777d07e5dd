"""A server's refusal in the reader's language, with a next step that fits its code."""

import pytest

from mingwu.identity.client.refusals import refused
from mingwu.wire.handle.codes import Rc

_ASKED = {Rc.REQUEST, Rc.SUCCESS}


@pytest.mark.parametrize("code", sorted(set(Rc) - _ASKED))
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_code_has_a_next_step_and_no_word_of_the_other_language(code: Rc, lang: str):
    error = refused("127.0.0.1:2641", code, "88.1/A")
    step = error.next_step(lang)
    assert step
    assert "{" not in step + error.text(lang)
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in step)
    assert chinese == (lang == "zh")


def test_the_code_decides_the_step():
    known = refused("s", Rc.HANDLE_EXISTS, "88.1/A")
    assert "handle add" in known.next_step("zh")
    assert known.text("zh") == "s 对 88.1/A 返回代码 101：标识已注册"
    assert "handle list" in refused("s", Rc.HANDLE_NOT_FOUND, "88.1/A").next_step("en")


def test_the_servers_own_words_follow_in_brackets_once():
    told = refused("s", Rc.INVALID_VALUE, "88.1/A", "index 0")
    assert told.text("en").endswith("a value is not acceptable (index 0)")
    assert told.text("zh").endswith("值不可接受（index 0）")
    assert (
        refused("s", Rc.HANDLE_NOT_FOUND, "a/b", "No such name")
        .text("en")
        .endswith(": no such name")
    )
    assert refused("s", 777, "a/b", "odd").text("zh").endswith("：odd")
