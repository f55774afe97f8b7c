"""The last look before the first byte sees every stop, pause and opt-out, and nobody else's."""

from kentongan.alert import Control
from ledger import alerts, gate, suppressions
from ledger.engine import Ledger, read_now
from tests.fakes import asked


async def order(ledger: Ledger, alert: str, control: Control) -> None:
    async with ledger.write() as db:
        assert await alerts.set_control(db, alert, control, by="key_x", now=await read_now(db))


async def test_only_what_was_asked_about_and_is_barred_is_told(ledger: Ledger) -> None:
    runs, stopped, paused, other = [await asked.alert(ledger) for _ in range(4)]
    await order(ledger, stopped, Control.STOPPED)
    await order(ledger, paused, Control.PAUSED)
    await order(ledger, other, Control.STOPPED)
    async with ledger.write() as db:
        now = await read_now(db)
        for channel, address in (("sms", "+1"), ("email", "+2"), ("sms", "+9")):
            await suppressions.suppress(
                db, channel, address, reason="opted_out", made_by="recipient", now=now
            )

    async with ledger.read() as db:
        found = await gate.barred(
            db, [runs, stopped, paused], [("sms", "+1"), ("sms", "+2"), ("sms", "+3")]
        )

    assert found.stopped == {stopped}
    assert found.paused == {paused}
    assert ("sms", "+1") in found.suppressed
    assert ("sms", "+2") not in found.suppressed
    assert not any(address in {"+3", "+9"} for _, address in found.suppressed)


async def test_resumed_alert_and_lifted_suppression_bar_nothing(ledger: Ledger) -> None:
    alert = await asked.alert(ledger)
    await order(ledger, alert, Control.PAUSED)
    await order(ledger, alert, Control.ACTIVE)
    async with ledger.write() as db:
        now = await read_now(db)
        done = await suppressions.suppress(
            db, "sms", "+1", reason="opted_out", made_by="recipient", now=now
        )
        await suppressions.lift(db, done.suppression.id, by="key_x", reason="asked", now=now)

    async with ledger.read() as db:
        found = await gate.barred(db, [alert], [("sms", "+1")])

    assert found.stopped | found.paused == frozenset()
    assert found.suppressed == frozenset()
