"""The console says everything in both languages, and asks for nothing that no catalogue has."""

import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from kentongan.passwords import Problem
from kentongan.practice import PROVIDER
from service.console import rendering
from service.console.speech import CLOSED_SETS, Speech, language_asked, path_of
from service.readiness import NO_COMMIT, NO_QUEUE, NO_WORKER
from templates.language import LANGUAGES, Language

PAGES = Path(rendering.__file__).parent / "html"
#: Said from elsewhere than a page.
BESIDE = {"just now", NO_COMMIT, NO_QUEUE, NO_WORKER, *Problem}
#: 2026-11-25 06:07:08 UTC.
AN_INSTANT = 1795586828 * 1_000_000

every_language = pytest.mark.parametrize("language", LANGUAGES)


def read(language: Language) -> Catalog:
    with path_of(language).open("rb") as written:
        return read_po(written, locale=language)


def entries(language: Language) -> dict[tuple[str, object], Message]:
    return {(one.context or "", one.id): one for one in read(language) if one.id}


def said(one: Message) -> tuple[str, ...]:
    return one.string if isinstance(one.string, tuple) else (str(one.string),)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


def asked_for() -> Iterator[object]:
    for page in sorted(PAGES.glob("*.j2")):
        with page.open("rb") as source:
            for _, _, text, _ in babel_extract(source, ("_", "n_"), (), {"trim_blocks": "true"}):
                kept = tuple(filter(None, text)) if isinstance(text, tuple) else text
                if kept:
                    yield kept[0] if isinstance(kept, tuple) and len(kept) == 1 else kept


def test_both_catalogues_have_the_same_keys() -> None:
    assert entries("en").keys() == entries("id").keys()


@every_language
def test_nothing_is_untranslated_or_in_doubt(language: Language) -> None:
    for key, one in entries(language).items():
        assert all(said(one)), key
        assert not one.fuzzy, key


@every_language
def test_placeholders_are_those_of_the_key(language: Language) -> None:
    for (_, key), one in entries(language).items():
        wanted = placeholders(str(key))
        assert all(placeholders(text) == wanted for text in said(one)), key


def test_pages_ask_for_nothing_else_and_nothing_is_left_over() -> None:
    sentences = {key for context, key in entries("en") if not context}

    assert sentences == {*asked_for(), *map(str, BESIDE)}


@every_language
@pytest.mark.parametrize("context", CLOSED_SETS)
def test_every_member_of_a_closed_set_has_a_word(language: Language, context: str) -> None:
    known = {key for at, key in entries(language) if at == context}

    assert known >= {str(member) for member in CLOSED_SETS[context]}


def test_times_and_numbers_are_written_as_the_language_has_them() -> None:
    english, indonesian = Speech("en", UTC), Speech("id", ZoneInfo("Asia/Jakarta"))

    assert english.time(AN_INSTANT) == "25 Nov 2026, 06:07:08 UTC"
    assert indonesian.time(AN_INSTANT) == "25 Nov 2026 13.07.08 WIB"
    assert (english.number(4812), indonesian.number(4812)) == ("4,812", "4.812")
    assert indonesian.count("%(num)s person", "%(num)s people", 4812) == "4.812 orang"
    assert english.count("%(num)s person", "%(num)s people", 1) == "1 person"
    assert (english.ago(0), indonesian.ago(3_000_000)) == ("just now", "3 detik yang lalu")


def test_word_that_no_catalogue_has_stays_as_it_is() -> None:
    assert Speech("id", UTC).word("channel", PROVIDER) == PROVIDER
    assert Speech("id", UTC).say_if_known("80% of this day's cap.") == "80% of this day's cap."


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("id", "id"),
        ("en-GB,en;q=0.9,id;q=0.5", "en"),
        ("en;q=0.4, id-ID;q=0.9", "id"),
        ("fr, de;q=0.5, en;q=0", "id"),
        ("*", "id"),
        ("", "id"),
        ("en;q=nonsense", "en"),
    ],
)
def test_browser_is_spoken_to_in_what_it_likes_best(accepted: str, language: Language) -> None:
    assert language_asked(accepted, otherwise="id") == language
