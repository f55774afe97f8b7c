"""The words of an e-mail in their frame: one plain-text and one HTML body.

What differs by person (`url`, `name`) appears only on lines of its own that hold nothing else of a
person's, so that a body can be rendered once with tokens and filled per person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from kentongan.alert import Mode, Severity
from kentongan.message import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """What the frame shows; headline and text are filled, cleaned and marked already.

    `options` are (key, label). An empty `url` or `name` leaves out the lines that would show it.
    """

    locale: str
    severity: Severity
    headline: str
    text: str
    organisation: str
    options: tuple[tuple[str, str], ...] = ()
    banner: str = ""
    ending: str = ""  # how a drill ends by saying that it was one: after all else
    url: str = ""
    name: str = ""


def framed(wording: Wording, organisation: str, *, url: str = "", name: str = "") -> Framed:
    headline, text = one_line(wording.headline), clean(wording.text)
    return Framed(
        locale=one_line(wording.locale),
        severity=wording.severity,
        headline=headline,
        text=text,
        organisation=one_line(organisation),
        options=tuple(
            (one_line(option.key), one_line(option.label_in(wording.locale)))
            for option in wording.options
        ),
        banner=_banner(wording.mode, headline, text),
        ending="" if wording.mode is Mode.ACTUAL else _last_line(text),
        url=url,
        name=one_line(name),
    )


def text_of(framed: Framed) -> str:
    """Return the body for readers without HTML, ending in the customary signature mark."""
    words = _words(framed.locale)
    blocks = [framed.headline, framed.text.strip("\n")]
    if framed.options:
        asked = "\n".join(f"{key}  {label}" for key, label in framed.options)
        blocks.append(f"{words.question}\n{asked}")
    if framed.url:
        blocks.append(f"{words.respond}:\n{framed.url}")
    footer = ["-- ", framed.organisation, words.why]
    if framed.name:
        footer.append(f"{words.addressee} {framed.name}")
    if framed.ending:
        footer.append(framed.ending)
    return "\n\n".join([*blocks, "\n".join(footer)]) + "\n"


def html_of(framed: Framed) -> str:
    """Return a whole document; every value in it is escaped."""
    words = _words(framed.locale)
    paragraphs = (block.strip("\n") for block in framed.text.split("\n\n"))
    return _frame().render(
        framed=framed,
        words=words,
        severity_word=words.severities.get(framed.severity),
        colour=_COLOURS[framed.severity],
        paragraphs=[block.split("\n") for block in paragraphs if block],
    )


def warm_up() -> None:
    """Compile the frame before the first alert needs it."""
    _frame()


def one_line(text: str) -> str:
    """Make a text fit for a header: no control characters, single blanks, nothing at the ends."""
    # What is printable has nothing to be cleaned of, and most names are.
    return " ".join((text if text.isprintable() else clean(text)).split())


def one_word(text: str) -> str:
    """Make a text fit to stand between brackets: no blanks, no control characters."""
    is_fit = text.isprintable() and " " not in text
    return text if is_fit else "".join(one_line(text).split())


def clean(text: str) -> str:
    """Drop what no mail may hold: lone surrogates, and control characters but newline and tab."""
    kept = text.replace("\r\n", "\n").translate(_CONTROLS)
    return kept.encode("utf-8", "ignore").decode()


#: Controls vanish; everything that some program takes for the end of a line becomes one.
_CONTROLS: dict[int, str | None] = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0))),
    **dict.fromkeys(map(ord, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "\n"),
    ord("\t"): "\t",
}


def _banner(mode: Mode, headline: str, text: str) -> str:
    """Say above everything that this is not real, in the words that the marked text says it with.

    They are the first of the headline and the last line of the text; a wording that nobody has
    marked gets the mode itself.
    """
    if mode is Mode.ACTUAL:
        return ""
    word, colon, _ = headline.partition(": ")
    if not colon:
        return mode.value.upper()
    return f"{word}. {_last_line(text)}"


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    language: str
    question: str
    respond: str
    why: str
    addressee: str
    severities: Mapping[Severity, str]


_ENGLISH = _Words(
    language="en",
    question="Please answer:",
    respond="Answer or read this message on the web",
    why="You get this because you are on our list of people to warn.",
    addressee="This message is for",
    severities={
        Severity.EXTREME: "Extreme",
        Severity.SEVERE: "Severe",
        Severity.MODERATE: "Moderate",
        Severity.MINOR: "Minor",
    },
)
_INDONESIAN = _Words(
    language="id",
    question="Mohon dijawab:",
    respond="Jawab atau baca pesan ini di web",
    why="Anda menerima ini karena terdaftar sebagai penerima peringatan kami.",
    addressee="Pesan ini untuk",
    severities={
        Severity.EXTREME: "Ekstrem",
        Severity.SEVERE: "Parah",
        Severity.MODERATE: "Sedang",
        Severity.MINOR: "Ringan",
    },
)


def _words(locale: str) -> _Words:
    language = locale.replace("_", "-").partition("-")[0].casefold()
    return _INDONESIAN if language == "id" else _ENGLISH


#: White words on each have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
_COLOURS: Mapping[Severity, str] = {
    Severity.EXTREME: "#7f1d1d",
    Severity.SEVERE: "#b91c1c",
    Severity.MODERATE: "#9a3412",
    Severity.MINOR: "#166534",
    Severity.UNKNOWN: "#374151",
}


@cache
def _frame() -> Template:
    frames = Environment(
        loader=PackageLoader("channels", "_shared"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return frames.get_template("email.html.j2")
