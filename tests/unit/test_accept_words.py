"""An alert's words are filled, cleaned, and there in every language, or it is said what is not."""

from typing import Any

import pytest

from service.accepting.faults import Faults
from service.accepting.words import Worded, words_of
from service.api.alert_bodies import NewAlert
from service.web.problems import ProblemError


def worded(locale: str = "id", **parts: Any) -> tuple[Worded, list[str]]:
    """Return the words, and where the faults are."""
    faults = Faults()
    body = NewAlert.model_validate({"mode": "exercise"} | parts, strict=False)
    made = words_of(body, default_locale=locale, organisation="Flood Watch", faults=faults)
    try:
        faults.refuse_if_any()
    except ProblemError as error:
        return made, [fault.at for fault in error.problem.errors or ()]
    return made, []


def test_plain_headline_and_channel_text_serve_every_language_of_the_text() -> None:
    made, faults = worded(
        text={"en": "Move.", "id": "Pindah."}, headline="Banjir", channel_text={"sms": "!"}
    )

    assert faults == []
    assert {said.headline for said in made.words.values()} == {"Banjir"}
    assert made.channel_words == {"sms": {"en": "!", "id": "!"}}


@pytest.mark.parametrize(
    ("default", "served"), [("id", {"id", "en"}), ("en-GB", {"en-GB", "en", "id"})]
)
def test_plain_words_serve_every_language_that_we_have_words_in(
    default: str, served: set[str]
) -> None:
    made, faults = worded(default, text="Move.", headline="Flood", channel_text={"sms": "!"})

    assert faults == []
    assert made.words.keys() == made.channel_words["sms"].keys() == served
    assert {(said.headline, said.text) for said in made.words.values()} == {("Flood", "Move.")}


def test_headline_in_one_language_leaves_the_others_the_beginning_of_a_plain_text() -> None:
    made, faults = worded(text="Air naik.", headline={"id": "Banjir"})

    assert faults == []
    assert made.words["id"].headline == "Banjir"
    assert made.words["en"].headline == "Air naik."


def test_headline_that_nobody_wrote_is_the_beginning_of_the_text() -> None:
    made, _ = worded(text="word " * 60)

    headline = made.words["id"].headline
    assert headline.endswith("word…")
    assert len(headline) <= 121


def test_blanks_are_filled_once_and_cleaned_after() -> None:
    made, faults = worded(text="((who)) at ((place))", blanks={"who": "((place))", "place": "a\0b"})

    assert faults == []
    assert made.words["id"].text == "((place)) at ab"


def test_organisation_cannot_be_written_by_a_caller() -> None:
    made, _ = worded(text="((organisation)) says", blanks={"organisation": "The police"})

    assert made.words["id"].text == "Flood Watch says"


def test_each_missing_blank_is_told_once_however_often_it_occurs() -> None:
    _, faults = worded(text={"en": "((a)) ((a))", "id": "((a)) ((b))"})

    assert faults == ["blanks/a", "blanks/b"]


def test_headline_of_ones_own_replaces_the_templates() -> None:
    made, faults = worded(
        template="flood", headline={"id": "Air pasang"}, blanks={"place": "X", "until": "20.00"}
    )

    assert faults == []
    assert made.words["id"].headline == "Air pasang"
    assert made.words["en"].headline == "Flood in X"


@pytest.mark.parametrize(
    ("parts", "at"),
    [
        ({"text": {"en": "a"}, "headline": {"en": "a", "id": "b"}}, "headline/id"),
        ({"text": "\u200b"}, "text"),
        ({"text": "((a))" * 100, "blanks": {"a": "x" * 1000}}, "text"),
        ({}, "text"),
    ],
)
def test_words_that_cannot_be_made_are_named(parts: dict[str, Any], at: str) -> None:
    assert worded(**parts)[1] == [at]
