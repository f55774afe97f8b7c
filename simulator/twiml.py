"""Reads TwiML: what a call is to say, ask and do.

https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET


class TwimlError(ValueError):
    """The document cannot be run; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Speaks. `times` is its loop, 0 read as twice since nobody here listens for ever."""

    text: str
    language: str = "en-US"
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    seconds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Waits for keys while it speaks. Without an action it asks the current URL again."""

    prompts: "tuple[Verb, ...]" = ()
    action: str = ""
    method: str = "POST"
    keys: int | None = None
    seconds: int = 5
    even_if_empty: bool = False
    hears_keys: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An SMS in answer to an SMS."""

    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A verb that is passed over: Play, and what we have not learnt."""

    name: str


Verb = Say | Pause | Gather | Redirect | Message | Hangup | Unknown


def parse(xml: str) -> tuple[Verb, ...]:
    """Return the verbs of a `<Response>`; raise `TwimlError` if it is none."""
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise TwimlError("declares a document type")
    try:
        root = ET.fromstring(xml)  # noqa: S314 - without a document type there are no entities
    except ET.ParseError as error:
        raise TwimlError(f"is not well-formed XML ({error})") from None
    except ValueError as error:
        raise TwimlError(f"is not XML ({error})") from None
    if root.tag != "Response":
        raise TwimlError(f"begins with <{root.tag}>, not with <Response>")
    return tuple(_verb(element) for element in root)


def _verb(element: ET.Element) -> Verb:
    read = _READERS.get(element.tag)
    return read(element) if read else Unknown(element.tag)


def _say(element: ET.Element) -> Say:
    return Say(
        text=_words(element),
        language=element.get("language", "en-US"),
        times=_count(element, "loop", 1) or 2,
    )


def _gather(element: ET.Element) -> Gather:
    keys = _count(element, "numDigits", 0)
    return Gather(
        prompts=tuple(_verb(child) for child in element),
        action=element.get("action", ""),
        method=element.get("method", "POST"),
        keys=keys or None,
        seconds=_count(element, "timeout", 5),
        even_if_empty=element.get("actionOnEmptyResult", "false").lower() == "true",
        hears_keys="dtmf" in element.get("input", "dtmf").split(),
    )


def _count(element: ET.Element, name: str, default: int) -> int:
    text = element.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else default


def _words(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


_READERS: dict[str, Callable[[ET.Element], Verb]] = {
    "Say": _say,
    "Gather": _gather,
    "Pause": lambda element: Pause(seconds=_count(element, "length", 1)),
    "Redirect": lambda element: Redirect(url=_words(element), method=element.get("method", "POST")),
    "Message": lambda element: Message(text=_words(element)),
    "Hangup": lambda _: Hangup(),
}
