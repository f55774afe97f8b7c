"""Runs the TwiML of a call that was answered: hears it, and presses a key."""

import logging
from collections.abc import Sequence
from urllib.parse import urljoin

from simulator.carrier import Carrier
from simulator.line import Call
from simulator.twiml import Gather, Hangup, Pause, Redirect, Say, TwimlError, Unknown, Verb, parse

log = logging.getLogger(__name__)

#: Seconds that speaking and waiting really take; what they would take is counted into the duration.
SPEAKS, WAITS = 0.2, 0.2

#: Documents one call may fetch: a menu that leads back to itself ends too.
MOST_DOCUMENTS = 20

_XML = {"text/xml", "application/xml"}

#: What happens after a verb: it goes on, it is over, or another document takes over.
_Next = tuple[Verb, ...] | None
_OVER: tuple[Verb, ...] = ()


class Conversation:
    """A person presses `key` at the first `<Gather>`; a machine, or who has no key, never does."""

    def __init__(self, carrier: Carrier, call: Call, *, key: str) -> None:
        self._carrier = carrier
        self._call = call
        self._key = key
        self._documents = 0
        self._here = ""

    async def run(self) -> None:
        """Run what the call was made with, and then whatever it is answered."""
        verbs = await self._beginning()
        while verbs:
            verbs = await self._run(verbs)

    async def _beginning(self) -> tuple[Verb, ...]:
        params = self._call.params
        if url := params.get("Url"):
            return await self._fetch(url, {}, params.get("Method", "POST"))
        return parse(params["Twiml"]) if "Twiml" in params else _OVER

    async def _run(self, verbs: Sequence[Verb]) -> tuple[Verb, ...]:
        """Return the document that takes over, empty where the call ends."""
        for verb in verbs:
            following = await self._do(verb)
            if following is not None:
                return following
        return _OVER

    async def _do(self, verb: Verb) -> _Next:
        match verb:
            case Say():
                await self._say(verb)
            case Pause():
                await self._wait(verb.seconds)
            case Gather():
                return await self._gather(verb)
            case Redirect():
                return await self._fetch(verb.url, {}, verb.method)
            case Hangup():
                return _OVER
            case Unknown():
                log.debug("a verb was passed over", extra={"verb": verb.name})
            case _:
                pass  # <Message> means nothing on a call
        return None

    async def _say(self, say: Say) -> None:
        for _ in range(min(say.times, 10)):
            self._call.hear(say.text, say.language)
            await self._carrier.pool.sleep(SPEAKS)

    async def _wait(self, seconds: float) -> None:
        self._call.wait(seconds)
        await self._carrier.pool.sleep(WAITS)

    async def _gather(self, gather: Gather) -> _Next:
        for verb in gather.prompts:
            if isinstance(verb, Say | Pause):
                await self._do(verb)
        digits = self._press(gather)
        if not digits:
            await self._wait(gather.seconds)
            if not gather.even_if_empty:
                return None
        return await self._fetch(
            gather.action, {"Digits": digits, "FinishedOnKey": ""}, gather.method
        )

    def _press(self, gather: Gather) -> str:
        """Return the keys pressed: too few of them are sent when the time-out comes."""
        if not self._key or not gather.hears_keys:
            return ""
        pressed, self._key = self._key[: gather.keys], ""
        self._call.press(pressed)
        return pressed

    async def _fetch(self, url: str, said: dict[str, str], method: str) -> tuple[Verb, ...]:
        """Ask the service what comes next; what cannot be run ends the call."""
        self._documents += 1
        where = urljoin(self._here, url) if url else self._here
        if not where.startswith(("http://", "https://")) or self._documents > MOST_DOCUMENTS:
            return self._fail(11100, 0)
        self._here = where
        form = {**self._call.fields("in-progress"), **said}
        heard = await self._carrier.ask(where, form.items(), method)
        if not 200 <= heard.status < 300:
            return self._fail(11200, heard.status)
        if not heard.body:
            return _OVER
        if heard.content_type not in _XML:
            return self._fail(12300, heard.status)
        try:
            return parse(heard.body)
        except TwimlError:
            return self._fail(12100, heard.status)

    def _fail(self, code: int, status: int) -> tuple[Verb, ...]:
        log.warning(
            "a call ends because its next words could not be had",
            extra={"call": self._call.record.id, "code": code, "status": status},
        )
        self._call.hear("We are sorry, an application error has occurred. Goodbye.", "en-US")
        return _OVER
