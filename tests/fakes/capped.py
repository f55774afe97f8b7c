"""Alerts that meet caps: a rate for each person, and a budget for a day."""

from typing import Any

from kentongan.caps import Caps
from kentongan.person_rate import parse
from kentongan.spending import ONE, Period, Prices
from ledger.claims import Window, claim
from ledger.engine import Ledger
from tests.fakes.running import Running, expanded

WORKER = "wrk_" + "1" * 26
RATED = Caps(person_rate=parse(["sms=1/1m", "sms=2/1h"]))
PRICED = Caps(
    prices=Prices.parse(["sms=1", "sms+628=2"]), currency="USD", most={Period.DAY: 5 * ONE}
)


async def told(ledger: Ledger, *addresses: str, **changes: Any) -> Running:
    people = {f"person {address}": [("sms", address)] for address in addresses}
    return await expanded(ledger, people, **changes)


async def window(ledger: Ledger, running: Running, bounds: Caps) -> Window:
    terms = bounds.terms(running.alert, "sms")
    async with ledger.write() as db:
        return await claim(
            db,
            alert_id=running.alert.id,
            channel="sms",
            sender="+1500",
            worker=WORKER,
            limit=100,
            terms=terms,
        )


async def opened(ledger: Ledger, running: Running, bounds: Caps) -> list[str]:
    return sorted(one.address for one in (await window(ledger, running, bounds)).claimed)
