"""How a receipt changes an attempt: a join, so that order and repetition cannot matter. Pure."""

from dataclasses import dataclass

from kentongan.receipt import RANK, Receipt, ReceiptKind

_FAILED = RANK[ReceiptKind.FAILED]
_REACHED = RANK[ReceiptKind.ANSWERED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one attempt from its provider; ranks are `kentongan.receipt.RANK`'s.

    `rank` is the highest seen. `failed` and `reached` remember that either was ever said: both
    together are a conflict that people should see. Words and codes are of the highest rank; of two
    failures, the lexically greater code is kept, so that their order cannot matter either.
    """

    rank: int = 0
    word: str = ""
    code: str = ""
    reason: str | None = None
    transient: bool = False
    failed: bool = False
    reached: bool = False
    provider_id: str | None = None
    decided: bool = True  # our own outcome is written

    @property
    def conflict(self) -> bool:
        return self.failed and self.reached


@dataclass(frozen=True, slots=True)
class Step:
    """The standing after one receipt, and what became of the receipt."""

    standing: Standing
    verdict: str  # joined, stale, waits, quarantined


def joined(was: Standing, receipt: Receipt) -> Step:
    """Join one receipt. It never raises and never goes back."""
    if was.provider_id and receipt.provider_id and was.provider_id != receipt.provider_id:
        return Step(was, "quarantined")
    rank = RANK[receipt.kind]
    if rank == _FAILED and not was.decided:
        return Step(was, "waits")
    failed = was.failed or rank == _FAILED
    reached = was.reached or rank >= _REACHED
    provider_id = was.provider_id or receipt.provider_id
    is_higher = (rank, receipt.code, receipt.word) > (was.rank, was.code, was.word)
    if not is_higher and (failed, reached, provider_id) == (
        was.failed,
        was.reached,
        was.provider_id,
    ):
        return Step(was, "stale")
    said = receipt if is_higher else was
    known = Standing(
        rank=rank if is_higher else was.rank,
        word=said.word,
        code=said.code,
        reason=said.reason,
        transient=said.transient,
        failed=failed,
        reached=reached,
        provider_id=provider_id,
        decided=was.decided,
    )
    return Step(known, "joined")
