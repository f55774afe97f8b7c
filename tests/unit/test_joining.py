"""Receipts come late, doubled and shuffled; what is known in the end is the same."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.joining import Standing, joined
from kentongan.receipt import RANK, Receipt, ReceiptKind

UNDECIDED = Standing(decided=False)
ID = "SM1"


def receipt(kind: ReceiptKind, code: str = "", *, provider_id: str | None = ID) -> Receipt:
    """Return a receipt whose reason follows from its words, as every channel's do."""
    failed = kind is ReceiptKind.FAILED
    return Receipt(
        kind=kind,
        provider_id=provider_id,
        word=f"{kind}-word",
        code=code,
        reason=f"reason of {code}" if failed else None,
        transient=failed and code.endswith("3"),
    )


receipts = st.lists(
    st.builds(
        receipt,
        st.sampled_from(ReceiptKind),
        st.sampled_from(["", "30003", "30005", "30006"]),
        provider_id=st.sampled_from([ID, None]),
    ),
    min_size=1,
    max_size=7,
)


def told(said: Sequence[Receipt], *, decided_after: int = 0) -> Standing:
    """Join `said` in its order; our own outcome is written after some; what waits comes again."""
    standing, waiting = UNDECIDED, list[Receipt]()
    for place, each in enumerate(said):
        if place == decided_after:
            standing, waiting = again(replace(standing, decided=True), waiting)
        step = joined(standing, each)
        standing = step.standing
        if step.verdict == "waits":
            waiting.append(each)
    standing, waiting = again(replace(standing, decided=True), waiting)
    assert not waiting
    return standing


def again(standing: Standing, waiting: Sequence[Receipt]) -> tuple[Standing, list[Receipt]]:
    still = list[Receipt]()
    for each in waiting:
        step = joined(standing, each)
        standing = step.standing
        if step.verdict == "waits":
            still.append(each)
    return standing, still


def test_every_order_of_all_that_a_provider_says_ends_alike() -> None:
    kinds = [k for k in ReceiptKind if k not in {ReceiptKind.NONE, ReceiptKind.ACCEPTED}]
    said = [receipt(kind, "30003") for kind in kinds if kind is not ReceiptKind.ANSWERED]

    ends = {told(order, decided_after=n % 8) for n, order in enumerate(permutations(said))}

    [end] = ends
    assert end.rank == RANK[ReceiptKind.READ]
    assert end.conflict


@settings(max_examples=3000, deadline=None)
@given(said=receipts, data=st.data())
def test_order_repetition_and_our_own_write_change_nothing(
    said: list[Receipt], data: st.DataObject
) -> None:
    repeated = said + data.draw(st.lists(st.sampled_from(said), max_size=6))
    shuffled = data.draw(st.permutations(repeated))
    moment = data.draw(st.integers(0, len(shuffled) + 1))

    assert told(shuffled, decided_after=moment) == told(said)


@settings(max_examples=500, deadline=None)
@given(said=receipts)
def test_rank_never_falls_and_a_second_telling_is_stale(said: list[Receipt]) -> None:
    standing = Standing()
    for each in said:
        after = joined(standing, each).standing
        assert after.rank >= standing.rank
        assert after.failed >= standing.failed
        assert after.reached >= standing.reached
        standing = after

    for each in said:
        step = joined(standing, each)
        assert (step.verdict, step.standing) == ("stale", standing)


def test_failure_that_overtook_our_own_write_waits() -> None:
    failed = receipt(ReceiptKind.FAILED, "30006")

    step = joined(UNDECIDED, failed)

    assert (step.verdict, step.standing) == ("waits", UNDECIDED)
    assert joined(replace(UNDECIDED, decided=True), failed).verdict == "joined"


@pytest.mark.parametrize("kind", list(ReceiptKind))
def test_receipt_of_another_message_is_quarantined(kind: ReceiptKind) -> None:
    ours = Standing(provider_id=ID)

    step = joined(ours, receipt(kind, provider_id="SM2"))

    assert (step.verdict, step.standing) == ("quarantined", ours)


def test_receipt_before_our_own_write_brings_the_id() -> None:
    step = joined(UNDECIDED, receipt(ReceiptKind.SENT))

    assert step.standing.provider_id == ID


def test_of_two_failures_the_greater_code_is_kept_whichever_came_first() -> None:
    pair = [receipt(ReceiptKind.FAILED, "30003"), receipt(ReceiptKind.FAILED, "30006")]

    assert told(pair) == told(pair[::-1])
    assert (told(pair).code, told(pair).transient) == ("30006", False)


@pytest.mark.parametrize("reached", [ReceiptKind.ANSWERED, ReceiptKind.DELIVERED, ReceiptKind.READ])
def test_failed_and_reached_is_a_conflict_that_people_see(reached: ReceiptKind) -> None:
    both = [receipt(ReceiptKind.FAILED, "30006"), receipt(reached)]

    assert told(both).conflict
    assert told(both[::-1]).conflict
    assert told(both).rank == RANK[reached]
    assert not told([receipt(reached)]).conflict
