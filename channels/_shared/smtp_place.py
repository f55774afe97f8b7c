"""Letters that follow each other over one connection, each a word behind the one before it.

RFC 2920, section 3.1: the content of a message may be the first of a group of commands. So the
envelope of the next letter leaves in one write with the content of the last one, and one read
brings the answers to both.
"""

import math
from time import monotonic
from typing import NamedTuple, Protocol

from channels._shared.smtp import Conversation, Due, LostError

_TOO_LONG = "the letter before took too long"


class Host(Protocol):
    """Who gives places away."""

    def opened(self, place: "Place") -> None:
        """Hear that another letter may have the place behind this one."""


class _Words(NamedTuple):
    data: bytes
    due: Due
    is_envelope: bool = False
    is_last: bool = False


class Place:
    """One letter's place on a connection; what it says before its turn has come waits here.

    A letter that goes through says an envelope with `open`, and its last words with `end`. `ends`
    is the monotonic time by which it must be done.
    """

    __slots__ = (
        *("_due", "_host", "_is_stranded", "before", "behind", "ends", "follows", "has_ended"),
        *("has_left", "has_opened", "since", "talk", "unsaid", "urgent"),
    )

    def __init__(
        self,
        talk: Conversation,
        *,
        urgent: bool = False,
        ends: float = math.inf,
        before: "Place | None" = None,
        host: Host | None = None,
    ) -> None:
        self.talk, self.urgent, self.ends, self._host = talk, urgent, ends, host
        self.before = before
        self.behind: Place | None = None
        self.unsaid: _Words | None = None
        self._due: Due | None = None
        self._is_stranded = False
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
        return self._say(_Words(data, Due(1, patience=patience, ends=self.ends)))

    def open(self, envelope: bytes, *, patience: float) -> Due:
        """Say MAIL, RCPT and DATA in one, to a relay that offers PIPELINING."""
        due = Due(3, patience=patience, ends=self.ends)
        return self._say(_Words(envelope, due, is_envelope=True))

    def end(
        self, data: bytes, *, patience: float, replies: int = 1, not_after: float = math.inf
    ) -> Due:
        """Say the last of this letter; the relay is ready for another after the replies."""
        due = Due(replies, patience=patience, ends=self.ends, not_after=not_after)
        return self._say(_Words(data, due, is_last=True))

    def leave(self) -> "Place | None":
        """Go, whether done or cut short; return who has the connection now, None for nobody.

        What was cut short in mid-dialogue ends the connection, but not before those before it have
        had their answers.
        """
        self.has_left = True
        if self.before is None:
            return self._make_way()
        if not self.has_opened and not self.has_ended:  # nothing of it has been written
            self.before.behind = self.unsaid = None
            if self._host is not None:
                self._host.opened(self.before)
        return self

    def _make_way(self) -> "Place | None":
        here: Place | None = self
        while here is not None and here.has_left:
            if here.has_opened and not here.is_done:
                here.talk.abort()
            here = here.behind
        if here is not None:
            here.before = None
            words, here.unsaid = here.unsaid, None
            if words is not None:  # the one before never came to its end, and the connection did
                here.speak(words)
        return here

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

    def _say(self, words: _Words) -> Due:
        self._due = words.due
        if self._is_stranded:
            words.due.fail(LostError(_TOO_LONG))
            return words.due
        if self.before is None or self.before.has_ended:
            self.speak(words)
        else:
            self.unsaid = words
        return words.due

    def speak(self, words: _Words) -> None:
        """Write, last words in one piece with what the next letter wants to say."""
        if not words.is_last:
            self.talk.say(words.data, words.due)
            self.has_spoken(words)
            return
        following = self.behind.unsaid if self.behind is not None else None
        if self.behind is None or following is None:
            self.talk.say(words.data, words.due, behind=0)
            self.has_spoken(words)
            return
        self.behind.unsaid = None
        behind = len(following.data)
        self.talk.say(words.data + following.data, words.due, following.due, behind=behind)
        self.has_spoken(words)
        self.behind.has_spoken(following)

    def has_spoken(self, words: _Words) -> None:
        """Note what has been written."""
        self.has_ended = words.is_last
        if words.is_envelope:
            self.has_opened = True
            if self._host is not None:
                self._host.opened(self)
