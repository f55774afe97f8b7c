"""What becomes of an attempt that nobody is sure about: pure, I/O stands around it."""

from datetime import timedelta
from enum import StrEnum

from kentongan.alert import Severity
from kentongan.channel import Repeat

#: The settler asks this long after the outcome, or after the end of the lease. The last lies
#: further from the first than our own longest time-out, so that no request can still be under way.
ASK_AFTER = (timedelta(seconds=2), timedelta(seconds=15), timedelta(seconds=30))

#: The receipt poller asks this long after a hand-over whose receipts did not come.
POLL_AFTER = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))

#: A delivery with which so many workers died is set aside: it may be what they died of.
MOST_DEATHS = 3

#: An attempt that has stood open this long is unknown, whoever lives.
LONGEST_OPEN = timedelta(seconds=60)


class Resolution(StrEnum):
    """What became of an unknown; written once."""

    SETTLED = "settled"  # the provider has it, or a receipt came
    NOT_BEGUN = "not_begun"  # its worker died, and the provider never saw it
    REPEAT = "repeat"  # it may have been sent; a repeat is better than silence
    FAILED = "failed"  # the provider does not have it, and a repeat is not worth the risk


def decide(
    repeat: Repeat, severity: Severity, *, worker_died: bool, answered_empty: bool
) -> Resolution | None:
    """Decide after all asking; None: it stays unknown, and is shown so (design, section 6).

    `worker_died`: no outcome was written, so the request may never have left. `answered_empty`: the
    provider was asked each time, and answered that it has nothing.
    """
    urgent = severity in {Severity.EXTREME, Severity.SEVERE}
    if worker_died and answered_empty:
        return Resolution.NOT_BEGUN
    if repeat is Repeat.ALWAYS:
        return Resolution.REPEAT
    if repeat is Repeat.SAME_ID and (worker_died or urgent):
        return Resolution.REPEAT
    if repeat is Repeat.SEVERE and urgent:
        return Resolution.REPEAT
    return Resolution.FAILED if answered_empty else None
