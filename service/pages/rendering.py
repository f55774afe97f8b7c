"""Renders the recipient's page. Every value is escaped, and the one style is named by its hash."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kentongan.access import masked
from kentongan.alert import AlertType, Mode, Option, Severity
from kentongan.deployment import Deployment
from ledger.responses import ACKNOWLEDGED, Addressed
from service.pages.words import WORDS, Words
from templates.language import language_of
from templates.marking import mark_of
from templates.wording import wording_of

_HERE = Path(__file__).parent
_STYLE = (_HERE / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: Nothing is loaded, nothing runs, and forms come to us alone.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
#: What the form sends where nothing was asked: the person has read it.
READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the page shows beside the delivery itself.

    `preselected` is a key from a link; `error` says that nothing was chosen.
    """

    token: str
    now: int
    is_stopped: bool = False
    preselected: str = ""
    error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    label: str
    language: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The message page, ready to be shown."""

    token: str
    locale: str
    headline: str
    paragraphs: Sequence[Sequence[str]]
    drill: str
    band: str
    colour: str
    notices: Sequence[str]
    answers: Sequence[str]
    choices: Sequence[Choice]
    is_open: bool
    stop: str
    can_stop: bool


def message_page(it: Addressed, looked: Looked, deployment: Deployment) -> str:
    """Return the page of one delivery."""
    language = language_of(_locale(it, deployment))
    return _rendered(
        "message", language, deployment, view=_view(it, looked, deployment, WORDS[language])
    )


def unsubscribe_page(it: Addressed, token: str, deployment: Deployment) -> str:
    """Return the page that asks once more before messages to an address are stopped."""
    language = language_of(_locale(it, deployment))
    question = WORDS[language].stop_question.format(address=masked(it.address))
    return _rendered("unsubscribe", language, deployment, token=token, question=question)


def notice_page(name: str, deployment: Deployment) -> str:
    """Return a page that only says something: `missing`, `over`, `busy` or `away`."""
    language = language_of(deployment.locale)
    words = WORDS[language]
    heading, text = getattr(words, f"{name}_title"), getattr(words, name)
    return _rendered("notice", language, deployment, heading=heading, text=text)


def stop_test_page(it: Addressed, deployment: Deployment) -> str:
    """Return what a person sees who opts out in a test, which touches nothing real."""
    language = language_of(_locale(it, deployment))
    words = WORDS[language]
    return _rendered("notice", language, deployment, heading=words.stop_title, text=words.stop_test)


def option_of_form(value: str, options: Sequence[Option]) -> str | None:
    """Return the answer that a form's value stands for; None for what nobody was offered."""
    if not options:
        return ACKNOWLEDGED if value == READ else None
    return next((option.key for option in options if option.key == value), None)


def _locale(it: Addressed, deployment: Deployment) -> str:
    return it.alert.locale_for(it.locale, deployment.locale)


def _view(it: Addressed, looked: Looked, deployment: Deployment, words: Words) -> View:
    locale = _locale(it, deployment)
    wording = wording_of(it.alert, "page", locale)
    marking = mark_of(wording.mode, locale)
    withdrawn = wording.type is AlertType.CANCEL
    blocks = (block.strip("\n") for block in wording.text.split("\n\n"))
    return View(
        token=looked.token,
        locale=locale.replace("_", "-"),
        headline=wording.headline,
        paragraphs=[block.split("\n") for block in blocks if block],
        drill=f"{marking.word}. {marking.ending}" if marking else "",
        band=_band(wording.type, wording.severity, words),
        # What is withdrawn must not shout in the colour of the danger that it ends.
        colour=Severity.UNKNOWN if withdrawn else wording.severity,
        notices=_notices(it, looked, deployment, words),
        answers=[_label_of(answer, it, locale, words) for answer in it.answers],
        choices=_choices(it, looked, locale, words),
        is_open=looked.error or bool(looked.preselected),
        stop=words.stop.format(address=masked(it.address)),
        can_stop=it.alert.mode is not Mode.TEST and not looked.is_stopped,
    )


def _band(kind: AlertType, severity: Severity, words: Words) -> str:
    """Say what the colour says, for those who do not see it."""
    if kind is AlertType.CANCEL:
        return words.withdrawn
    update = words.update if kind is AlertType.UPDATE else ""
    return ". ".join(filter(None, (update, words.severities.get(severity))))


def _notices(it: Addressed, looked: Looked, deployment: Deployment, words: Words) -> list[str]:
    stopped = words.stopped.format(address=masked(it.address), organisation=deployment.organisation)
    told = {
        words.replaced: it.is_replaced,
        words.expired: looked.now >= it.alert.expires_at and not it.is_replaced,
        words.nothing_chosen: looked.error,
        stopped: looked.is_stopped,
    }
    return [text for text, holds in told.items() if holds]


def _label_of(answer: str, it: Addressed, locale: str, words: Words) -> str:
    labels = {option.key: option.label_in(locale) for option in it.alert.options}
    return words.acknowledged if answer == ACKNOWLEDGED else labels.get(answer, answer)


def _choices(it: Addressed, looked: Looked, locale: str, words: Words) -> list[Choice]:
    shown = locale.replace("_", "-")
    if not it.alert.options:
        language = language_of(locale)
        return [Choice(value=READ, label=words.acknowledged, language=language, is_chosen=False)]
    return [
        Choice(
            value=option.key,
            label=option.label_in(locale),
            language=shown,
            is_chosen=option.key == looked.preselected,
        )
        for option in it.alert.options
    ]


def _rendered(page: str, language: str, deployment: Deployment, **shown: object) -> str:
    return (
        _pages()
        .get_template(f"{page}.html.j2")
        .render(
            language=language,
            words=WORDS[language_of(language)],
            organisation=deployment.organisation,
            style=Markup(_STYLE),  # noqa: S704 - our own file, which has no "<"
            **shown,
        )
    )


@cache
def _pages() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
