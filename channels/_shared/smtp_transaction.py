"""One message over one SMTP connection: the envelope in a single write where the relay allows it.

RFC 5321 for the dialogue, RFC 2920 for pipelining. What decides between *deferred* and *unknown*
is the final dot: mail data without it cannot be delivered, and with it nobody but the relay knows.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from channels._shared.smtp import Conversation, GarbledError, LostError
from channels._shared.smtp_policy import Reply, Stage, outcome_of
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Unknown
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
        talk: Conversation,
        patience: Patience,
        *,
        attempt_no: int = 1,
        not_after: float = math.inf,
    ) -> None:
        """`not_after`: the loop's time from which no final dot may leave any more."""
        self._talk = talk
        self._patience = patience
        self._attempt_no = attempt_no
        self._not_after = not_after
        self._is_written = False

    @property
    def is_ended(self) -> bool:
        """Whether the final dot may have left: from here on silence means "unknown".

        It is written behind the content, and so is the last that our buffer holds back. (Under TLS
        it counts as gone once it is encrypted.)
        """
        return self._is_written and not self._talk.holds_back

    async def carry(self, letter: Letter) -> Outcome:
        """Hand the letter over and translate the relay's answers."""
        try:
            outcome = await self._carry(letter)
        except (LostError, GarbledError, TimeoutError) as fault:
            self._talk.abort()
            return self._broken_off(fault)
        except BaseException:  # cancelled in mid-dialogue: nothing that is buffered may leave
            self._talk.abort()
            raise
        self._talk.carried += 1
        return outcome

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
        refusal = await self._open(letter)
        if refusal is not None:
            return refusal
        if self._is_late():
            self._talk.abort()  # there is no other way out of mail data than through the dot
            return _TOO_LATE
        # In one write: nearly always the system takes all of it at once. What it leaves to our
        # buffer ends with the dot, and is cut off there when life or patience ends.
        due = self._talk.say(
            letter.content + b".\r\n",
            patience=self._patience.after_dot,
            not_after=self._not_after,
        )
        self._is_written = True
        [final] = await due
        if final.is_positive:
            return _SENT
        return self._refused(final, Stage.CONTENT)

    async def _open(self, letter: Letter) -> Outcome | None:
        """Return the refusal, or None once the relay waits for the content."""
        if "pipelining" not in self._talk.extensions:
            return await self._open_by_steps(letter)
        due = self._talk.say(
            b"%b%bDATA\r\n" % (letter.mail, letter.rcpt), replies=3, patience=self._patience.reply
        )
        try:
            replies = await due
        except (LostError, GarbledError, TimeoutError):
            # After a refusal, silence adds nothing.
            refusal = self._refusal_in(self._talk.heard)
            if refusal is None:
                raise
            self._talk.abort()
            return refusal
        refusal = self._refusal_in(replies)
        if refusal is None:
            return None
        if replies[-1].code == 354:
            # RFC 2920, section 3.1: the content is due all the same; none is sent.
            await self._quietly(b".\r\n")
        return await self._after(refusal)

    async def _open_by_steps(self, letter: Letter) -> Outcome | None:
        commands = letter.mail, letter.rcpt, b"DATA\r\n"
        for (stage, hoped), command in zip(_ENVELOPE, commands, strict=True):
            [reply] = await self._talk.say(command, patience=self._patience.reply)
            if reply.code not in hoped:
                return await self._after(self._refused(reply, stage))
        return None

    def _refusal_in(self, replies: Sequence[Reply]) -> Outcome | None:
        for (stage, hoped), reply in zip(_ENVELOPE, replies, strict=False):  # 421 ends them early
            if reply.code not in hoped:
                return self._refused(reply, stage)
        return None

    async def _after(self, refusal: Outcome) -> Outcome:
        """Clear the envelope that a refusal leaves behind, for the next letter."""
        if self._talk.is_idle:
            await self._quietly(b"RSET\r\n")
        return refusal

    async def _quietly(self, command: bytes) -> None:
        """Say something whose answer changes no outcome, only whether the connection is kept."""
        try:
            await self._talk.say(command, patience=self._patience.reply)
        except (LostError, GarbledError, TimeoutError):
            self._talk.abort()

    def _refused(self, reply: Reply, stage: Stage) -> Outcome:
        return outcome_of(reply, stage, self._attempt_no)

    def _is_late(self) -> bool:
        return asyncio.get_running_loop().time() >= self._not_after


#: Its commands, and the replies with which the dialogue goes on.
_ENVELOPE = (
    (Stage.MAIL, range(200, 300)),
    (Stage.RCPT, range(200, 300)),
    (Stage.DATA, range(354, 355)),
)
_SENT = Accepted(receipt=ReceiptKind.SENT)
_TOO_LATE = Deferred(Reason.EXPIRED, "the alert ended before the message was whole")
