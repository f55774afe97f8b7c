"""What an alert says, per locale and channel: blanks filled, cleaned, or what is wrong with it."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from kentongan.alert import Words
from service.accepting.faults import Faults
from service.api.alert_bodies import Localised, NewAlert
from service.remembered import Remembered
from templates.builtin import FILLED_BY_US, BuiltIn, builtin
from templates.clean import clean, one_line
from templates.fill import FillError, fill
from templates.language import LANGUAGES

#: A headline that nobody wrote is the beginning of the text, up to so many characters.
SHORT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """The words of an alert; empty where a fault kept them from being made."""

    words: Mapping[str, Words]
    channel_words: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A text as its author wrote it, and where in the body."""

    at: str
    text: str


_ByLocale = Mapping[str, _Raw]
#: Words that were found sound: systems say the same again and again.
_SOUND: Remembered[Hashable, Worded] = Remembered(128)


def words_of(body: NewAlert, *, default_locale: str, organisation: str, faults: Faults) -> Worded:
    """Return the words of an alert.

    A plain text is said to everyone, whatever they speak, and what we add to it (that it is a
    drill, how to answer) in each one's own language.
    """
    asked = (default_locale, organisation, *_asked(body))
    if (known := _SOUND.get(asked)) is not None:
        return known
    found = Faults()
    worded = _worded(body, default_locale, organisation, found)
    faults.add(found)
    return worded if found else _SOUND.put(asked, worded)


def _asked(body: NewAlert) -> Iterator[Hashable]:
    """Yield all that words are made of, each part told apart from the next."""
    yield body.template
    yield hashable(body.headline)
    yield hashable(body.text)
    yield tuple((channel, hashable(text)) for channel, text in body.channel_text.items())
    yield tuple(body.blanks.items())


def hashable(said: Localised | None) -> Hashable:
    """Return what was said so that it can be looked up."""
    return tuple(said.items()) if isinstance(said, dict) else said


def _worded(body: NewAlert, default_locale: str, organisation: str, faults: Faults) -> Worded:
    ready = _ready(body, faults)
    texts = _texts(body, ready, default_locale)
    headlines = _headlines(body, ready, texts, faults)
    filling = _Filling({**body.blanks, **dict.fromkeys(FILLED_BY_US, organisation)}, faults)
    words = {}
    for locale, raw in texts.items():
        text = filling.text(raw)
        headline = filling.headline(headlines[locale]) if locale in headlines else _begin(text)
        words[locale] = Words(headline=headline, text=text)
    channel_words = {
        channel: {locale: filling.text(raw) for locale, raw in by.items()}
        for channel, by in _channel_texts(body, ready, texts, faults).items()
    }
    filling.note_missing(ready)
    return Worded(words=words, channel_words=channel_words)


def _ready(body: NewAlert, faults: Faults) -> BuiltIn | None:
    if body.template is None:
        if body.text is None:
            faults.note("text", "It says nothing.", "Give text, or the name of a template.")
        return None
    if body.text is not None:
        faults.note("text", "There is a template as well.", "Keep one: text or template.")
    ready = builtin().get(body.template)
    if ready is None:
        known = ", ".join(builtin())
        faults.note("template", f"There is no template {body.template}.", f"Use one of {known}.")
    return ready


def _texts(body: NewAlert, ready: BuiltIn | None, default_locale: str) -> _ByLocale:
    if body.text is not None:
        if isinstance(body.text, str):
            return dict.fromkeys((default_locale, *LANGUAGES), _Raw("text", body.text))
        return _each("text", body.text)
    return _each("template", ready.text) if ready else {}


def _each(at: str, by_locale: Mapping[str, str]) -> _ByLocale:
    return {locale: _Raw(f"{at}/{locale}", text) for locale, text in by_locale.items()}


def _headlines(
    body: NewAlert, ready: BuiltIn | None, texts: _ByLocale, faults: Faults
) -> _ByLocale:
    told = _each("template", ready.headline) if ready and body.text is None else {}
    if body.headline is None:
        return told
    own = _spread("headline", body.headline, texts, faults)
    if isinstance(body.text, str):
        return own  # the beginning of the text is a headline for the rest
    for locale in texts.keys() - own.keys() - told.keys():
        faults.note(
            f"headline/{locale}", f"There is a text in {locale} but no headline.", "Add it."
        )
    return {**told, **own}


def _channel_texts(
    body: NewAlert, ready: BuiltIn | None, texts: _ByLocale, faults: Faults
) -> dict[str, _ByLocale]:
    told = ready.channel_text if ready and body.text is None else {}
    found = {channel: _each("template", by) for channel, by in told.items()}
    for channel, text in body.channel_text.items():
        own = _spread(f"channel_text/{channel}", text, texts, faults)
        found[channel] = {**found.get(channel, {}), **own}
    return found


def _spread(at: str, given: Localised, texts: _ByLocale, faults: Faults) -> _ByLocale:
    """Let a plain text serve every locale of `texts`; refuse a locale that has no text."""
    if isinstance(given, str):
        return dict.fromkeys(texts, _Raw(at, given))
    for locale in given.keys() - texts.keys() if texts else ():
        faults.note(
            f"{at}/{locale}",
            f"There is no text in {locale}.",
            f"Add one, or take this out; there are {', '.join(sorted(texts))}.",
        )
    return {locale: raw for locale, raw in _each(at, given).items() if locale in texts}


class _Filling:
    """Fills and cleans text by text, and remembers which blanks had no value."""

    def __init__(self, blanks: Mapping[str, str], faults: Faults) -> None:
        self._blanks, self._faults = blanks, faults
        self._missing: set[str] = set()
        self._texts: dict[_Raw, str] = {}

    def text(self, raw: _Raw) -> str:
        # A plain text stands there once for each language.
        if raw not in self._texts:
            self._texts[raw] = self._fit(raw, clean(self._filled(raw)).strip())
        return self._texts[raw]

    def headline(self, raw: _Raw) -> str:
        return self._fit(raw, one_line(self._filled(raw)))

    def _filled(self, raw: _Raw) -> str:
        try:
            return fill(raw.text, self._blanks)
        except FillError as error:
            self._missing |= error.missing
            if not error.missing:
                self._faults.note(raw.at, str(error), "Shorten the values of its blanks.")
        return raw.text  # so that looking can go on

    def _fit(self, raw: _Raw, text: str) -> str:
        if not text:
            self._faults.note(raw.at, "Nothing in it can be seen.", "Write something.")
        return text

    def note_missing(self, ready: BuiltIn | None) -> None:
        """Note each blank without a value, once, with what belongs there."""
        for name in sorted(self._missing):
            self._faults.note(f"blanks/{name}", f"(({name})) has no value.", _wanted(name, ready))


def _wanted(name: str, ready: BuiltIn | None) -> str:
    if ready is None or name not in ready.labels:
        return "Add it to blanks."
    label, example = ready.labels[name]["en"], ready.examples[name]["en"]
    return f"Add it to blanks: {label}, as in “{example}”."


def _begin(text: str) -> str:
    """Return the beginning of a text, cut between words."""
    line = one_line(text.partition("\n")[0])
    if len(line) <= SHORT:
        return line
    head = line[:SHORT]
    return (head.rpartition(" ")[0] or head) + "…"
