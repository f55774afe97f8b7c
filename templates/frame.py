"""The frame round an e-mail's words: one HTML and one plain-text body per alert and locale.

A frame is rendered once and then copied per person, so what differs by person (`respond_url`) is
given as a token without HTML's special characters; each use of it stands on a line of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from kentongan.alert import AlertType, Mode, Severity
from templates.language import Language, language_of
from templates.marking import mark_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """What the frame shows. Headline and text are filled, cleaned and marked already.

    `options` are (key, label) in the alert's order; `respond_url` is empty where nothing is asked
    and no page exists for the person.
    """

    locale: str
    mode: Mode
    severity: Severity
    headline: str
    text: str
    organisation: str
    type: AlertType = AlertType.ALERT
    options: Sequence[tuple[str, str]] = ()
    respond_url: str = ""


def email_html(framed: Framed) -> str:
    """Return a whole HTML document; every value in it is escaped."""
    language = language_of(framed.locale)
    withdrawn = framed.type is AlertType.CANCEL
    return _frame().render(
        framed=framed,
        language=language,
        words=_WORDS[language],
        mark=mark_of(framed.mode, framed.locale),
        band=_band(framed, language),
        # What is withdrawn must not shout in the colour of the danger that it ends.
        colour=_COLOURS[Severity.UNKNOWN if withdrawn else framed.severity],
        paragraphs=[block.split("\n") for block in _paragraphs(framed.text)],
    )


def email_text(framed: Framed) -> str:
    """Return the same for readers without HTML, ending in the customary signature mark."""
    words = _WORDS[language_of(framed.locale)]
    blocks = [framed.headline, *_paragraphs(framed.text)]
    if framed.options:
        asked = "\n".join(f"{key}  {label}" for key, label in framed.options)
        blocks.append(f"{words.question}\n{asked}")
    if framed.respond_url:
        blocks.append(f"{words.respond}:\n{framed.respond_url}")
    return "\n\n".join([*blocks, f"-- \n{framed.organisation}\n{words.reason}"]) + "\n"


def _band(framed: Framed, language: Language) -> str:
    """Say what the colour says, for those who do not see it."""
    severity = _SEVERITY_WORDS[language].get(framed.severity, "")
    match framed.type:
        case AlertType.CANCEL:
            return _WORDS[language].withdrawn
        case AlertType.UPDATE:
            return ". ".join(filter(None, (_WORDS[language].update, severity)))
        case AlertType.ALERT:
            return severity
        case _:
            assert_never(framed.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    update: str
    withdrawn: str
    question: str
    respond: str
    reason: str


_WORDS: Mapping[Language, _Words] = {
    "en": _Words(
        update="Update",
        withdrawn="Earlier warning withdrawn",
        question="Please answer:",
        respond="Answer or read this message on the web",
        reason="You get this because you are on our list of people to warn.",
    ),
    "id": _Words(
        update="Pembaruan",
        withdrawn="Peringatan sebelumnya dicabut",
        question="Mohon dijawab:",
        respond="Jawab atau baca pesan ini di web",
        reason="Anda menerima ini karena terdaftar sebagai penerima peringatan kami.",
    ),
}

_SEVERITY_WORDS: Mapping[Language, Mapping[Severity, str]] = {
    "en": {
        Severity.EXTREME: "Extreme",
        Severity.SEVERE: "Severe",
        Severity.MODERATE: "Moderate",
        Severity.MINOR: "Minor",
    },
    "id": {
        Severity.EXTREME: "Ekstrem",
        Severity.SEVERE: "Parah",
        Severity.MODERATE: "Sedang",
        Severity.MINOR: "Ringan",
    },
}

#: White words on each have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
_COLOURS: Mapping[Severity, str] = {
    Severity.EXTREME: "#7f1d1d",
    Severity.SEVERE: "#b91c1c",
    Severity.MODERATE: "#9a3412",
    Severity.MINOR: "#166534",
    Severity.UNKNOWN: "#374151",
}


def _paragraphs(text: str) -> list[str]:
    blocks = (block.strip("\n") for block in text.split("\n\n"))
    return [block for block in blocks if block]


@cache
def _frame() -> Template:
    frames = Environment(
        loader=PackageLoader("templates", "frame"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return frames.get_template("email.html.j2")
