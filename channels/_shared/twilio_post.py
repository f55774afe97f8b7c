"""Makes message records with one write each: what the SDK's `messages.create` sends, without it.

With it, a text takes four times as long (docs/adr/0017). A test holds what is written here against
what the SDK writes.
"""

from collections.abc import Sequence
from re import Pattern
from types import NoneType

import aiohttp
from aiohttp import TCPConnector
from yarl import URL

from channels._shared.http import HttpClient, Trouble
from channels._shared.twilio import accepted
from channels._shared.twilio_http import GarbledReplyError, ReplyError, too_long, understood
from channels._shared.twilio_policy import outcome_of
from channels._shared.twilio_settings import TwilioSettings
from channels._shared.wire import MOST_REPLY, Reply, Target
from kentongan import __version__
from kentongan.channel import Gate
from kentongan.outcome import Deferred, NotBegun, Outcome, Reason, Unknown

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "Accept-Charset": "utf-8",
    "User-Agent": f"Kentongan/{__version__}",
}


class MessagePost:
    """An account's list of messages, to which records can be added. `sid` is how theirs look."""

    def __init__(self, settings: TwilioSettings, sid: Pattern[str]) -> None:
        self._settings, self._sid = settings, sid
        self._client = HttpClient(
            lambda: TCPConnector(limit=settings.concurrency),
            within=settings.timeout,
            connect=settings.connect_timeout,
        )
        url = f"{settings.base_url}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        proof = aiohttp.encode_basic_auth(*settings.credentials())
        self._target = Target.of(URL(url))._replace(authorization=proof)

    async def send(self, form: bytes, texts: Sequence[str], gate: Gate) -> Outcome:
        """Add the record that `form` describes and say what came of it, without `texts`."""
        match answer := await self._client.post(
            self._target, body=form, headers=_HEADERS, gate=gate
        ):
            case NotBegun():
                return answer
            case Trouble(begun=False):
                return Deferred(Reason.NO_CONNECTION, answer.words)
            case Trouble():
                return Unknown(answer.reason, answer.words)
            case Reply(whole=True):
                return self._outcome(answer, texts)
            case Reply():
                return _cut_off(answer)

    async def close(self) -> None:
        """Give the connections back. May be called twice."""
        await self._client.close()

    def _outcome(self, answer: Reply, texts: Sequence[str]) -> Outcome:
        try:
            record = understood(answer.status, answer.headers, answer.body)
        except ReplyError as reply:
            return outcome_of(reply, (*self._settings.secrets(), *texts))
        except GarbledReplyError as reply:
            return Unknown(Reason.GARBLED_REPLY, str(reply))
        if not isinstance(record.get("date_created", ""), (str, NoneType)):  # it writes RFC 2822
            return Unknown(Reason.GARBLED_REPLY, "its date is none")
        return accepted(record.get("sid"), self._sid)


def _cut_off(reply: Reply) -> Outcome:
    if reply.body:  # by us: nothing that Twilio says of one message is so long
        return Unknown(Reason.GARBLED_REPLY, too_long(MOST_REPLY))
    return Unknown(Reason.NO_REPLY, "the answer broke off")
