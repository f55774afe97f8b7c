"""Letters that follow each other over one connection, each a word behind the one before it.

RFC 2920, section 3.1: the content of a message may be the first of a group of commands. So the
envelope of the next letter leaves in one write with the content of the last one, and one read
brings the answers to both.
"""

import math
from asyncio import Future
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from channels._shared.smtp import Conversation, Due, LostError
from channels._shared.smtp_policy import Reply

_TOO_LONG = "the letter before took too long"


class _Words(NamedTuple):
    data: bytes
    due: Due
    is_envelope: bool
    is_last: bool


class Place:
    """One letter's place on a connection; what it says before its turn has come waits here.

    A letter that goes through says an envelope with `open`, and its last words with `end`. `ends`
    is the monotonic time by which it must be done.
    """

    __slots__ = (
        *("_due", "_is_stranded", "before", "behind", "ends", "follows", "has_ended"),
        *("has_left", "has_opened", "since", "talk", "unsaid", "urgent"),
    )

    def __init__(
        self,
        talk: Conversation,
        *,
        urgent: bool = False,
        ends: float = math.inf,
        before: "Place | None" = None,
    ) -> None:
        self.talk, self.urgent, self.ends = talk, urgent, ends
        self.before = before
        self.behind: Place | None = None
        self.unsaid: _Words | None = None
        self._due: Due | None = None
        self._is_stranded = False
        #: When it began to wait for the one that is first now.
        self.since = monotonic()
        #: Whether it began behind another, whose trouble may have become its own.
        self.follows = before is not None
        self.has_opened = self.has_ended = self.has_left = False
        talk.letters += 1
        if before is not None:
            before.behind = self

    @property
    def is_first(self) -> bool:
        """Whether all before it have gone."""
        return self.before is None

    def say(self, data: bytes, *, patience: float) -> Due:
        """Say something in between, whose one reply is due."""
        return self._say(data, Due(1, patience=patience, ends=self.ends))

    def open(
        self, envelope: bytes, *, patience: float, then: Callable[[Due], bool] | None = None
    ) -> Due:
        """Say MAIL, RCPT and DATA in one, to a relay that offers PIPELINING."""
        due = Due(3, patience=patience, ends=self.ends, then=then)
        return self._say(envelope, due, is_envelope=True)

    def end(
        self,
        data: bytes,
        *,
        patience: float,
        replies: int = 1,
        not_after: float = math.inf,
        answer: Future[list[Reply]] | None = None,
    ) -> Due:
        """Say the last of this letter; the relay is ready for another after the replies."""
        due = Due(replies, patience=patience, ends=self.ends, not_after=not_after, answer=answer)
        return self._say(data, due, is_last=True)

    @property
    def last(self) -> "Place":
        """The place at the end of the row."""
        here = self
        while here.behind is not None:
            here = here.behind
        return here

    @property
    def has_room_behind(self) -> bool:
        """Whether another may stand behind it: there is nobody, and the row is short."""
        if self.behind is not None or self.has_left:
            return False
        return self.before is None or self.before.before is None

    def leave(self) -> "Place | None":
        """Go, whether done or cut short; return one that keeps the connection, None for nobody.

        What was cut short in mid-dialogue ends the connection, but not before those before it have
        had their answers.
        """
        self.has_left = True
        if self.before is None:
            return self._make_way()
        if self.has_opened or self.has_ended:
            return self
        before, behind = self.before, self.behind  # nothing of it has been written
        before.behind, self.unsaid = behind, None
        if behind is not None:
            behind.before = before
            if before.has_ended:
                behind.say_the_unsaid()
        return before

    def _make_way(self) -> "Place | None":
        here: Place | None = self
        while here is not None and here.has_left:
            if here.has_opened and not here.is_done:
                here.talk.abort()
            here = here.behind
        if here is not None:
            here.before = None
            here.say_the_unsaid()  # the one before never came to its end, or had nothing to say
            here._begin_waits()  # noqa: SLF001 - of its own kind
        return here

    def _begin_waits(self) -> None:
        """Have those behind wait from now on: what came before was not the fault of the first."""
        now, each = monotonic(), self.behind
        while each is not None:
            each.since, each = now, each.behind

    @property
    def is_held_up(self) -> bool:
        """Whether the relay has something of the first in its row, and this one waits for that."""
        first = self
        while first.before is not None:
            first = first.before
        return first is not self and (first.has_opened or first.has_ended)

    def say_the_unsaid(self) -> None:
        """Say now what has waited for the one before."""
        words, self.unsaid = self.unsaid, None
        if words is not None:
            self.speak(*words)

    @property
    def is_done(self) -> bool:
        """Whether its last words have been answered."""
        return self.has_ended and self._due is not None and self._due.answer.done()

    def strand(self) -> None:
        """Have it wait no longer behind others: what it waits for fails with `LostError`.

        Not once its content is out, when those before have been answered and only not left yet.
        """
        if self._due is None:
            self._is_stranded = True
        elif not self.has_ended:
            self._due.fail(LostError(_TOO_LONG))

    def _say(
        self, data: bytes, due: Due, *, is_envelope: bool = False, is_last: bool = False
    ) -> Due:
        self._due = due
        if self._is_stranded:
            due.fail(LostError(_TOO_LONG))
        elif self.before is None or self.before.has_ended:
            self.speak(data, due, is_envelope, is_last)
        else:
            self.unsaid = _Words(data, due, is_envelope, is_last)
        return due

    def speak(self, data: bytes, due: Due, is_envelope: bool, is_last: bool) -> None:  # noqa: FBT001 - `_Words`, unpacked
        """Write, last words in one piece with what the next letter wants to say."""
        if not is_last:
            self.talk.say(data, due)
            self.has_opened = self.has_opened or is_envelope
            self._begin_waits()
            return
        is_content = data.endswith(b"\r\n.\r\n")  # and no NOOP or RSET, which have no dot to watch
        following = self.behind.unsaid if self.behind is not None else None
        if self.behind is None or following is None:
            self.talk.say(data, due, behind=0 if is_content else None)
            self.has_ended = True
            return
        self.behind.unsaid = None
        behind = len(following.data) if is_content else None
        self.talk.say(data + following.data, due, following.due, behind=behind)
        self.has_ended = True
        self.behind.has_opened = following.is_envelope
        self.behind.has_ended = following.is_last
