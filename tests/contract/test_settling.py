"""The settler asks on for all, whatever happens over one; a merge passes over what has to wait."""

from collections.abc import Sequence

from typing_extensions import override

from kentongan.channel import Asked, Candidate
from kentongan.delivery import State, Work
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.receipt import Receipt, ReceiptKind
from ledger import events
from ledger.engine import Ledger
from ledger.events import NewEvent
from tests.fakes import asked
from tests.fakes.hands import DullChannel, working
from workers.merge import PAGE, merge_some
from workers.settler import settle_due

DUE = {"outcome": "unknown", "ask_at": 1}


class Asking(DullChannel):
    """Knows some messages by address; asked about one address it fails as a bug does."""

    def __init__(self, known: dict[str, Candidate], *, trips_over: str = "") -> None:
        super().__init__()
        self._known, self._trips_over = known, trips_over

    @override
    async def find(self, asked: Asked) -> Sequence[Candidate]:
        if asked.address == self._trips_over:
            raise ZeroDivisionError
        return [self._known[asked.address]] if asked.address in self._known else []

    @override
    async def fetch(self, provider_id: str) -> Receipt | None:
        if provider_id == self._trips_over:
            raise ZeroDivisionError
        return Receipt(
            kind=ReceiptKind.FAILED,
            provider_id=provider_id,
            reason="unreachable",
            transient=True,
            word="undelivered",
            code="30003",
        )


def held(kind: ReceiptKind) -> Candidate:
    return Candidate(provider_id="SM1", kind=kind)


async def unknown(ledger: Ledger, address: str) -> DeliveryId:
    alert = await asked.alert(ledger, channels=("sms",))
    return await asked.delivery(ledger, alert, work=Work.UNKNOWN, tries=[DUE], address=address)


async def test_bug_over_one_attempt_leaves_the_others_decided(ledger: Ledger) -> None:
    odd, fine = await unknown(ledger, "+1"), await unknown(ledger, "+2")

    channel = Asking({"+2": held(ReceiptKind.SENT)}, trips_over="+1")
    async with working(ledger, channel) as run:
        await settle_due(run)

    assert (await asked.row_of(ledger, odd)).state == State.UNKNOWN
    assert (await asked.row_of(ledger, fine)).state == State.SENT


async def test_message_that_failed_at_the_provider_is_tried_again_as_after_a_receipt(
    ledger: Ledger,
) -> None:
    one = await unknown(ledger, "+1")

    async with working(ledger, Asking({"+1": held(ReceiptKind.FAILED)})) as run:
        await settle_due(run)  # found
        await settle_due(run)  # asked why
        await merge_some(run)

    row = await asked.row_of(ledger, one)
    attempt = await asked.attempt_row(ledger, AttemptRef(one, 1))
    assert (row.work, row.reason) == (Work.RETRY_WAIT, "unreachable")
    assert (attempt.receipt_word, attempt.receipt_code) == ("undelivered", "30003")


def polled(one: DeliveryId, receipt: str) -> NewEvent:
    return NewEvent(
        channel="sms",
        kind="poll",
        payload={
            "receipt": receipt,
            "provider_id": f"SM-{one}",
            "reason": None,
            "transient": False,
            "word": "",
            "code": "",
        },
        attempt=AttemptRef(one, 1),
    )


async def test_failures_that_wait_hold_up_no_receipt_behind_them(ledger: Ledger) -> None:
    alert = await asked.alert(ledger, channels=("sms",))
    early = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}])
    one = await asked.delivery(ledger, alert, address="+2")
    async with ledger.write() as db:
        await events.keep_many(
            db, [polled(early, "failed") for _ in range(PAGE)] + [polled(one, "delivered")]
        )

    async with working(ledger, DullChannel()) as run:
        await merge_some(run)

    assert (await asked.row_of(ledger, one)).state == State.DELIVERED
    assert (await asked.row_of(ledger, early)).state == State.SENDING


async def test_receipt_that_has_just_come_is_joined_before_thousands_that_wait(
    ledger: Ledger,
) -> None:
    alert = await asked.alert(ledger, channels=("sms",))
    early = await asked.delivery(ledger, alert, work=Work.ATTEMPTING, tries=[{}])
    one = await asked.delivery(ledger, alert, address="+2")
    async with ledger.write() as db:
        await events.keep_many(db, [polled(early, "failed") for _ in range(25 * PAGE)])
        await events.keep_many(db, [polled(one, "delivered")])

    async with working(ledger, DullChannel()) as run:
        more = await merge_some(run, latest_first=True)

    assert more
    assert (await asked.row_of(ledger, one)).state == State.DELIVERED
