"""One message over one SMTP connection: the envelope in a single write where the relay allows it.

RFC 5321 for the dialogue, RFC 2920 for pipelining. What decides between *deferred* and *unknown*
is the final dot: mail data without it cannot be delivered, and with it nobody but the relay knows.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from channels._shared.smtp import Due, GarbledError, LostError
from channels._shared.smtp_place import Place
from channels._shared.smtp_policy import Reply, Stage, outcome_of
from channels._shared.smtp_pool import StrandedError
from kentongan.channel import Gate
from kentongan.outcome import Accepted, CutUnsentError, Deferred, Outcome, Reason, Unknown
from kentongan.receipt import ReceiptKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long we wait, in seconds."""

    reply: float = 10
    after_dot: float = 30


@dataclass(slots=True, kw_only=True)  # not frozen, which costs thrice as much: one a letter
class Letter:
    """An envelope, as the two commands that open it, and what is in it.

    `content` is dot-stuffed; all three end with CRLF.
    """

    mail: bytes
    rcpt: bytes
    content: bytes


class Transaction:
    """One letter's way through MAIL, RCPT, DATA and the final dot."""

    def __init__(
        self,
        place: Place,
        patience: Patience,
        *,
        attempt_no: int = 1,
        not_after: float = math.inf,
        ask: Gate | None = None,
    ) -> None:
        """`not_after`: the monotonic time from which no final dot may leave any more.

        `ask` asks the gate, which has just let us through, again if the relay was long in coming to
        the point; what it raises passes through, and nothing has been handed over.
        """
        self._place = place
        self._talk = place.talk
        self._patience = patience
        self._attempt_no = attempt_no
        self._not_after = not_after
        self._ask = ask
        self._asked_at = monotonic()
        self._final: Due | None = None
        self._content = b""

    @property
    def _is_written(self) -> bool:
        return self._final is not None and self._final.is_said

    @property
    def is_ended(self) -> bool:
        """Whether the final dot may have left: from here on silence means "unknown".

        It is written behind the content. (Under TLS it counts as gone once it is encrypted.)
        """
        return self._is_written and not self._talk.holds_back

    async def carry(self, letter: Letter) -> Outcome:
        """Hand the letter over and translate the relay's answers.

        Raises `StrandedError` where trouble may be that of the letter before, and `CutUnsentError`
        where it is cancelled before its content was written.
        """
        try:
            return await self._carry(letter)
        except (LostError, GarbledError, TimeoutError) as fault:
            if self._place.follows and not self._is_written:
                raise StrandedError from None
            self._talk.abort()
            return self._broken_off(fault)
        except StrandedError:  # the connection ends with the place, and not as if we had cut it
            raise
        except BaseException as error:  # in mid-dialogue: nothing that is buffered may leave
            if self._place.is_first:
                self._talk.abort()
            if isinstance(error, asyncio.CancelledError) and not self._is_written:
                raise CutUnsentError from None
            raise

    def _broken_off(self, fault: Exception) -> Outcome:
        """Say what it means that the dialogue ended here."""
        detail = str(fault) or "the relay did not answer in time"
        garbled = isinstance(fault, GarbledError)
        if self.is_ended:
            return Unknown(Reason.GARBLED_REPLY if garbled else Reason.NO_REPLY, detail)
        if self._is_written and self._is_late():
            return _TOO_LATE
        return Deferred(Reason.PROVIDER_TROUBLE if garbled else Reason.NO_CONNECTION, detail)

    async def _carry(self, letter: Letter) -> Outcome:
        self._content = letter.content
        refusal = await self._open(letter)
        if refusal is not None:
            return refusal
        final = self._final
        if final is None:
            if self._is_late():
                self._talk.abort()  # there is no other way out of mail data than through the dot
                return _TOO_LATE
            await self._ask_again()
            final = self._write()
        [reply] = await final.answer
        if reply.is_positive:
            return _SENT
        return self._refused(reply, Stage.CONTENT)

    def _write(self, answer: asyncio.Future[list[Reply]] | None = None) -> Due:
        # In one write: nearly always the system takes all of it at once. What it leaves to our
        # buffer ends with the dot, and is cut off there when life or patience ends.
        self._final = self._place.end(
            self._content + b".\r\n",
            patience=self._patience.after_dot,
            not_after=self._not_after,
            answer=answer,
        )
        return self._final

    def _write_at_once(self, opened: Due) -> bool:
        """Write the content in the read that asked for it, if nothing else is to be looked at.

        Waking whoever waits takes as long as the write, and they would have nothing to add.
        """
        replies = opened.heard
        is_invited = replies[2].code == 354 and replies[0].is_positive and replies[1].is_positive
        if not is_invited or self._is_late() or not self._is_fresh():
            return False
        self._write(opened.answer)
        return True

    def _is_fresh(self) -> bool:
        return monotonic() - self._asked_at <= _FRESH

    async def _ask_again(self) -> None:
        """Ask the gate again if it was long ago: the letters before may have taken their time."""
        if self._ask is not None and not self._is_fresh():
            try:
                await self._ask(self._talk.transport)
            except BaseException:
                self._talk.abort()
                raise

    async def _open(self, letter: Letter) -> Outcome | None:
        """Return the refusal, or None once the relay waits for the content."""
        if "pipelining" not in self._talk.extensions:
            return await self._open_by_steps(letter)
        due = self._place.open(
            b"%b%bDATA\r\n" % (letter.mail, letter.rcpt),
            patience=self._patience.reply,
            then=self._write_at_once,
        )
        try:
            replies = await due.answer
        except (LostError, GarbledError, TimeoutError):
            # After a refusal, silence adds nothing.
            refusal = self._refusal_in(due.heard)
            if refusal is None:
                raise
            self._talk.abort()
            return refusal
        if self._final is not None:
            return None
        refusal = self._refusal_in(replies)
        if refusal is None:
            return None
        if self._place.follows and (replies[-1].code == _FAREWELL or replies[0].code == _BAD_ORDER):
            raise StrandedError
        if replies[-1].code == 354:
            # RFC 2920, section 3.1: the content is due all the same; none is sent.
            await self._clear(b".\r\nRSET\r\n", replies=2)
        else:
            await self._clear()
        return refusal

    async def _open_by_steps(self, letter: Letter) -> Outcome | None:
        commands = letter.mail, letter.rcpt, b"DATA\r\n"
        for (stage, hoped), command in zip(_ENVELOPE, commands, strict=True):
            due = self._place.say(command, patience=self._patience.reply)
            [reply] = await due.answer
            if reply.code not in hoped:
                await self._clear()
                return self._refused(reply, stage)
        return None

    def _refusal_in(self, replies: Sequence[Reply]) -> Outcome | None:
        for (stage, hoped), reply in zip(_ENVELOPE, replies, strict=False):  # 421 ends them early
            if reply.code not in hoped:
                return self._refused(reply, stage)
        return None

    async def _clear(self, words: bytes = b"RSET\r\n", *, replies: int = 1) -> None:
        """Clear the envelope that a refusal leaves behind, for the next letter.

        What comes of it changes no outcome, only whether the connection is kept.
        """
        if not self._talk.is_open:
            return
        try:
            await self._place.end(words, replies=replies, patience=self._patience.reply).answer
        except (LostError, GarbledError, TimeoutError):
            self._talk.abort()

    def _refused(self, reply: Reply, stage: Stage) -> Outcome:
        return outcome_of(reply, stage, self._attempt_no)

    def _is_late(self) -> bool:
        return monotonic() >= self._not_after


#: Its commands, and the replies with which the dialogue goes on.
_ENVELOPE = (
    (Stage.MAIL, range(200, 300)),
    (Stage.RCPT, range(200, 300)),
    (Stage.DATA, range(354, 355)),
)
_SENT = Accepted(receipt=ReceiptKind.SENT)
_TOO_LATE = Deferred(Reason.EXPIRED, "the alert ended before the message was whole")
#: The reply with which a relay ends the connection (RFC 5321, section 3.8), mostly since it has
#: carried enough letters.
_FAREWELL = 421
#: What a relay says to an envelope that it did not expect behind a content.
_BAD_ORDER = 503
#: Seconds that the gate's leave is good for.
_FRESH = 0.25
