"""An outcome as workers hand it to the ledger."""

from dataclasses import dataclass

from kentongan.delivery import Work
from kentongan.ids import AttemptRef
from kentongan.outcome import Reason


@dataclass(slots=True, kw_only=True)  # not frozen, which costs thrice as much: one a send
class Settled:
    """An outcome, and what its worker makes of the delivery; times in seconds from now.

    `receipt` is what the answer already proved (a rank); `ask_in` when the settler (of an unknown)
    or the receipt poller (of an accepted one) looks first.
    """

    attempt: AttemptRef
    alert_id: str
    channel: str
    outcome: str
    work: Work
    reason: Reason | None = None
    detail: str = ""
    provider_id: str | None = None
    receipt: int = 0
    charged: bool = False
    tries: int = 0  # as claimed
    due_in: float | None = None
    ask_in: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it was accepted and nothing more was said, as nearly all are."""
        return (
            self.outcome == "accepted"
            and self.work is Work.SETTLED
            and self.reason is None
            and not self.detail
        )
