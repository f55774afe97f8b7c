"""The texts that come with Kentongan are whole in both languages and fit two SMS parts."""

import pytest

from kentongan.alert import Mode
from kentongan.segments import Encoding, count
from templates.builtin import FILLED_BY_US, BuiltIn, builtin
from templates.clean import clean
from templates.fill import blanks_of, fill
from templates.lint import LintCode, lint
from templates.marking import mark

ORGANISATION = "BPBD Kota Semarang"


def example_of(text: BuiltIn, locale: str) -> dict[str, str]:
    return {
        **{blank: words[locale] for blank, words in text.examples.items()},
        "organisation": ORGANISATION,
    }


def test_all_that_were_promised_are_there() -> None:
    assert list(builtin()) == [
        "all_clear",
        "channel_test",
        "earthquake",
        "evacuation",
        "fire",
        "flood",
        "outage",
        "security_incident",
    ]


@pytest.mark.parametrize("name", builtin())
def test_languages_say_the_same(name: str) -> None:
    text = builtin()[name]

    for words in (text.headline, text.text, text.channel_text["sms"]):
        assert set(words) == {"en", "id"}
        assert blanks_of(words["en"]) == blanks_of(words["id"])
        assert all(clean(wording) == wording.strip() for wording in words.values())
    assert text.blanks == text.labels.keys() == text.examples.keys()
    assert blanks_of(text.text["en"]) <= text.blanks | FILLED_BY_US


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize("name", builtin())
def test_sms_form_fits_two_parts_even_in_a_drill(name: str, locale: str) -> None:
    text = builtin()[name]
    sms = fill(text.channel_text["sms"][locale], example_of(text, locale))

    cost = count(mark(Mode.EXERCISE, locale, "", sms)[1])

    assert cost.encoding is Encoding.GSM7
    assert cost.segments <= 2


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize("name", builtin())
def test_lint_finds_nothing(name: str, locale: str) -> None:
    text, values = builtin()[name], example_of(builtin()[name], locale)

    found = lint(
        fill(text.headline[locale], values),
        fill(text.text[locale], values),
        locale,
        mode=Mode.ACTUAL,
        organisation=ORGANISATION,
        sms_text=fill(text.channel_text["sms"][locale], values),
    )

    # A channel test happens nowhere and at no time.
    placeless = {LintCode.NO_PLACE, LintCode.NO_TIME} if name == "channel_test" else set()
    assert {warning.code for warning in found} <= placeless
