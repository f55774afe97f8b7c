"""Only a whole message is a keyword or an answer."""

# ruff: noqa: RUF001 - characters that look like others are what these tests are about

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.keywords import NEVER_AS_OPTION, Keyword, meaning, option_of

FACTS = json.loads((Path(__file__).parents[1] / "data/sms_keywords.json").read_text())
STOPS = [*FACTS["stop"], *FACTS["stop_extra_be_liberal"], "BERHENTI"]
WORDS = (
    [(word, Keyword.STOP) for word in STOPS]
    + [(word, Keyword.START) for word in FACTS["start"]]
    + [(word, Keyword.HELP) for word in FACTS["help"]]
)


@pytest.mark.parametrize(("word", "keyword"), WORDS)
@pytest.mark.parametrize("shape", ["{}", " {}\r\n", "{}.", "{} !!", '"{}"', "“{}”\u200b"])
def test_keyword_is_known_however_it_is_typed(word: str, keyword: Keyword, shape: str) -> None:
    typed = shape.format(word)

    assert meaning(typed) is meaning(typed.lower()) is keyword


@pytest.mark.parametrize(
    "sentence",
    ["Stop the alarm!", "please stop", "1 STOP", "yes I am safe", "the end", "STOP STOP", "", "."],
)
def test_sentence_is_no_keyword(sentence: str) -> None:
    assert meaning(sentence) is Keyword.NONE


@pytest.mark.parametrize("word", FACTS["never_use_as_ack_words"])
def test_carrier_words_may_be_no_option(word: str) -> None:
    assert word.casefold() in NEVER_AS_OPTION


@pytest.mark.parametrize("body", ["1", " 1 ", "1.", "(1)", "#1", "1\ufe0f\u20e3", "１", "1!\n"])
def test_whole_reply_is_the_option(body: str) -> None:
    assert option_of(body, ["1", "2"]) == "1"


@pytest.mark.parametrize("body", ["", "?", "3", "12", "1 2", "1 or 2", "I am 1", "-", "1" * 9000])
def test_anything_else_is_no_option(body: str) -> None:
    assert option_of(body, ["1", "2"]) is None


def test_option_of_letters_comes_back_as_it_was_asked() -> None:
    assert option_of("aman!", {"AMAN", "BANTU"}) == "AMAN"


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="stop .!“", max_size=200))
def test_every_reply_has_a_meaning(body: str) -> None:
    assert meaning(body) in Keyword
    assert option_of(body, ["1"]) in {"1", None}


def test_huge_reply_is_no_keyword() -> None:
    assert meaning("!" * 1_000_000 + "stop" + " " * 1_000_000) is Keyword.STOP
    assert meaning("stop " * 200_000) is Keyword.NONE
