"""When a provider is set aside as a whole, and what of its answers speaks against it."""

from enum import StrEnum

from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused, Unknown

#: Errors without a single hand-over between them, within `kentongan.weights.ERROR_WINDOW`.
ERRORS_TO_OPEN = 10
#: An account fault may be a provider's hiccup once or twice; the third opens the circuit.
FAULTS_TO_OPEN = 3

#: What says that the provider itself fails. Not what it says of one number or mailbox, and not that
#: we went too fast.
ERRORS = frozenset(
    {Reason.NO_CONNECTION, Reason.NO_REPLY, Reason.SERVER_ERROR, Reason.GARBLED_REPLY}
)


class Circuit(StrEnum):
    """Whether a provider is sent through."""

    CLOSED = "closed"  # it is
    OPEN = "open"  # it is not; it is probed
    HALF_OPEN = "half_open"  # a probe went well: one message at a time shows whether it sends


def is_error(outcome: Outcome) -> bool:
    """Tell whether an outcome speaks against its provider."""
    return isinstance(outcome, Deferred | Unknown) and outcome.reason in ERRORS


def is_answer(outcome: Outcome) -> bool:
    """Tell whether an outcome shows that its provider works: it took the message or judged it."""
    if isinstance(outcome, Refused):
        return outcome.reason not in {Reason.ACCOUNT, Reason.SENDER, Reason.BUG}
    return isinstance(outcome, Accepted)


def is_failing(*, errors: int, handed: int) -> bool:
    """Tell whether nothing gets through any more."""
    return errors >= ERRORS_TO_OPEN and not handed
