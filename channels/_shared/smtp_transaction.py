"""One message over one SMTP connection: the envelope in a single write where the relay allows it.

RFC 5321 for the dialogue, RFC 2920 for pipelining. What decides between *deferred* and *unknown*
is the final dot: mail data without it cannot be delivered, and with it nobody but the relay knows.
"""

import asyncio
import math
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An envelope and what is in it: `content` is dot-stuffed and ends with CRLF."""

    sender: bytes
    recipient: bytes
    mail_options: tuple[bytes, ...] = ()
    rcpt_options: tuple[bytes, ...] = ()
    content: bytes

    def commands(self) -> tuple[bytes, bytes, bytes]:
        mail = b" ".join((b"MAIL FROM:<" + self.sender + b">", *self.mail_options))
        rcpt = b" ".join((b"RCPT TO:<" + self.recipient + b">", *self.rcpt_options))
        return mail + b"\r\n", rcpt + b"\r\n", b"DATA\r\n"


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
        #: Whether the final dot may have left: from here on silence means "unknown".
        self.is_ended = False

    async def carry(self, letter: Letter) -> Outcome:
        """Hand the letter over and translate the relay's answers."""
        try:
            outcome = await self._carry(letter)
        except (LostError, GarbledError, TimeoutError) as fault:
            self._talk.abort()
            return self.broken_off(fault)
        except BaseException:  # cancelled in mid-dialogue: nothing that is buffered may leave
            self._talk.abort()
            raise
        self._talk.carried += 1
        return outcome

    def broken_off(self, fault: Exception) -> Outcome:
        """Say what it means that the dialogue ended here."""
        detail = str(fault) or "the relay did not answer in time"
        garbled = isinstance(fault, GarbledError)
        if self.is_ended:
            return Unknown(Reason.GARBLED_REPLY if garbled else Reason.NO_REPLY, detail)
        return Deferred(Reason.PROVIDER_TROUBLE if garbled else Reason.NO_CONNECTION, detail)

    async def _carry(self, letter: Letter) -> Outcome:
        refusal = await self._open(letter)
        if refusal is not None:
            return refusal
        self._talk.say(letter.content, replies=0)
        async with asyncio.timeout(self._patience.after_dot):
            await self._talk.drained()
        if asyncio.get_running_loop().time() >= self._not_after:
            self._talk.abort()  # there is no other way out of mail data than through the dot
            return Deferred(Reason.EXPIRED, "the alert ended before the message was whole")
        [final] = self._talk.say(b".\r\n")
        self.is_ended = True
        reply = await self._reply(final, self._patience.after_dot)
        if reply.is_positive:
            return Accepted(receipt=ReceiptKind.SENT)
        return self._refused(reply, Stage.CONTENT)

    async def _open(self, letter: Letter) -> Outcome | None:
        """Return the refusal, or None once the relay waits for the content."""
        mail, rcpt, data = letter.commands()
        if "pipelining" not in self._talk.extensions:
            return await self._open_by_steps(mail, rcpt, data)
        due = self._talk.say(mail + rcpt + data, replies=3)
        refusal = None
        for stage, waiter in zip(_ENVELOPE, due, strict=True):
            reply = await self._reply_unless_refused(waiter, refusal)
            if reply is None:
                return refusal
            if stage is Stage.DATA and reply.code == 354 and refusal is not None:
                # RFC 2920, section 3.1: the content is due all the same; none is sent.
                await self._quietly(b".\r\n")
            elif refusal is None and not _is_fine(stage, reply):
                refusal = self._refused(reply, stage)
        return await self._after(refusal)

    async def _open_by_steps(self, *commands: bytes) -> Outcome | None:
        for stage, command in zip(_ENVELOPE, commands, strict=True):
            reply = await self._reply(self._talk.say(command)[0], self._patience.reply)
            if not _is_fine(stage, reply):
                return await self._after(self._refused(reply, stage))
        return None

    async def _after(self, refusal: Outcome | None) -> Outcome | None:
        """Clear the envelope that a refusal leaves behind, for the next letter."""
        if refusal is not None and self._talk.is_idle:
            await self._quietly(b"RSET\r\n")
        return refusal

    async def _quietly(self, command: bytes) -> None:
        """Say something whose answer changes no outcome, only whether the connection is kept."""
        try:
            await self._reply(self._talk.say(command)[0], self._patience.reply)
        except (LostError, GarbledError, TimeoutError):
            self._talk.abort()

    async def _reply_unless_refused(
        self, waiter: asyncio.Future[Reply], refusal: Outcome | None
    ) -> Reply | None:
        """After a refusal silence adds nothing: it is None then, and the connection is gone."""
        try:
            return await self._reply(waiter, self._patience.reply)
        except (LostError, GarbledError, TimeoutError):
            if refusal is None:
                raise
            self._talk.abort()
            return None

    async def _reply(self, waiter: asyncio.Future[Reply], seconds: float) -> Reply:
        async with asyncio.timeout(seconds):
            reply = await waiter
        if reply.code == 421:
            self._talk.abort()
        return reply

    def _refused(self, reply: Reply, stage: Stage) -> Outcome:
        return outcome_of(reply, stage, self._attempt_no)


_ENVELOPE = (Stage.MAIL, Stage.RCPT, Stage.DATA)


def _is_fine(stage: Stage, reply: Reply) -> bool:
    return reply.code == 354 if stage is Stage.DATA else reply.is_positive
