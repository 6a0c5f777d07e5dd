"""Words inside a sentence come in the sentence's language: no English left in Chinese errors."""

import re

import msgspec
import pytest

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.lifecycle import WORDS, Action, State
from mingwu.identity.secondlevel import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.secondlevel.applications import form_faults
from mingwu.identity.secondlevel.coderules import RULES
from mingwu.identity.secondlevel.model import ApplicationForm, Organisation, Person
from mingwu.kernel.catalogue import Phrase, zh_of
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError
from mingwu.kernel.names import parse
from mingwu.trust.roles import Permission, Role, may, require

CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH = re.compile("[a-z]{3,} [a-z]{2,}")


def in_chinese(error: MingwuError | Fault) -> str:
    text = error.text("zh")
    assert CHINESE.search(text)
    assert not ENGLISH.search(text), text
    return text


def test_a_form_with_faults_is_answered_in_one_language():
    form = ApplicationForm(
        prefix="88.101.1", organisation=Organisation(uscc="1", name=" "),
        legal_person=Person(name="", number="1"), contact=Person(name="", phone="x", email="y"),
        mode="own", site=None, holder="2",
    )  # fmt: skip
    form = msgspec.convert(msgspec.to_builtins(form), ApplicationForm)
    faults = form_faults(form)
    assert len(faults) == 9
    words = Phrase.joined(
        Phrase(f"{one.field}: {one.text}", f"{one.field}：{zh_of(one.text)}") for one in faults
    )
    in_chinese(InvalidInput("secondlevel.application-bad", faults=words))
    assert "organisation.uscc：应为 18 位" in words.zh
    assert not CHINESE.search(InvalidInput("secondlevel.application-bad", faults=words).text("en"))


@pytest.mark.parametrize("name", ["x" * 300, "88.1", "8 8/x", "88.1/\x00"])
def test_a_bad_name_is_explained_in_one_language(name):
    with pytest.raises(InvalidInput) as caught:
        parse(name)
    in_chinese(caught.value)


def test_states_and_actions_have_words():
    assert {*State, *(one for one in Action if one is not Action.DRAFT)} <= set(WORDS) | {"draft"}
    for state in State:
        for action in Action:
            params = {"name": "88.1/x", "state": WORDS[state], "action": WORDS[action],
                      "possible": WORDS[action]}  # fmt: skip
            in_chinese(Fault("enterprise.not-allowed", params))


@pytest.mark.parametrize("permission", list(Permission))
def test_a_missing_permission_is_told_in_one_language(permission):
    for role in Role:
        if not may(role, permission):
            with pytest.raises(Denied) as caught:
                require(role, permission)
            text = in_chinese(caught.value)
            assert permission.value not in text
            assert role.value not in text


def test_code_rules_answer_in_the_language_asked():
    for rule in RULES:
        fault = rule.fault("\n")
        assert not CHINESE.search(fault)
        in_chinese(Fault("secondlevel.name-bad", {"name": "x", "fault": fault}))
