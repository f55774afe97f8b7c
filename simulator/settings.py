"""What the simulator is told when it starts."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often chance strikes what no magic number decides: probabilities from 0 to 1.

    Chance depends on the seed, the address and how often that address was tried, never on the
    order in which addresses come, so that a run can be repeated.
    """

    throttled: float = 0.0  # 429
    error_500: float = 0.0  # accepted, and then answers 500
    error_500_unbooked: float = 0.0
    hang: float = 0.0  # accepted, and never answers
    undelivered: float = 0.0  # 30003
    no_receipt: float = 0.0
    late_receipt: float = 0.0
    doubled_receipts: float = 0.0
    shuffled_receipts: float = 0.0
    busy: float = 0.0
    no_answer: float = 0.0
    machine: float = 0.0
    mail_deferred: float = 0.0  # 451
    mail_refused: float = 0.0  # 550 5.1.1
    mail_bounced: float = 0.0  # accepted, a bounce follows
    hook_503: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Where the simulator listens, whom it knows and how it behaves.

    `http_port` 0 takes any free port; `smtp_port` 0 the one after `http_port` (any free one if that
    is 0). Delays are divided by `callback_speed`. Without `inbound_url` nobody replies by SMS;
    without `bounce_port` no bounce is sent. `book_path` makes the book survive a restart.
    """

    host: str = "127.0.0.1"
    http_port: int = 8090
    smtp_port: int = 0
    account_sid: str = "AC" + "0" * 31 + "1"
    auth_token: str = "simulated"  # noqa: S105 - reaches nobody, and is meant to be known
    callback_speed: float = 1.0
    seed: int = 0
    rates: Rates = field(default_factory=Rates)
    book_path: Path | None = None
    inbound_url: str | None = None
    bounce_host: str = "127.0.0.1"
    bounce_port: int | None = None

    def __post_init__(self) -> None:
        if self.callback_speed <= 0:
            raise ValueError("callback_speed must be more than 0")
