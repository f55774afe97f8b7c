"""Two simulated Twilio accounts that carry one channel, and a worker that sends through both."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select

from channels import Providers
from channels.sms import Sms, SmsSettings
from kentongan.delivery import Work
from kentongan.weights import at_rest
from ledger import providers
from ledger.engine import Ledger
from ledger.providers import Standing
from ledger.schema import deliveries
from tests.fakes.channels import deployment
from tests.fakes.hands import working
from tests.fakes.running import Running
from tests.fakes.sending import landed
from tests.simulator.client import Client, practising
from workers.health import Judge
from workers.housekeeping import probe, refresh
from workers.runtime import Runtime
from workers.turn import send_some

MAIN, SECOND = "+15005550006", "+15005550007"
SIDS = {"main": "AC" + "1" * 32, "second": "AC" + "2" * 32}
TOKENS = {"main": "a" * 32, "second": "b" * 32}


@dataclass(frozen=True)
class Accounts:
    """The accounts by name, a worker, and the URL of its ledger."""

    main: Client
    second: Client
    run: Runtime
    judge: Judge
    url: str

    async def sent(self, account: Client) -> Counter[str]:
        """Return how often an account holds a message to each number."""
        seen = await account.seen(kind="sms", limit="1000")
        return Counter(record["to"] for record in seen)

    async def to(self, number: str) -> list[str]:
        """Return whom a number got messages from."""
        seen = [await one.seen(kind="sms", limit="1000") for one in (self.main, self.second)]
        return [r["from"] for some in seen for r in some if r["to"] == number]

    async def told(self) -> Counter[str]:
        """Return how often each number was sent something, by either account."""
        return await self.sent(self.main) + await self.sent(self.second)

    async def standing(self, provider: str) -> Standing:
        async with self.run.ledger.read() as db:
            found = await providers.standings(db)
        return next(one for one in found if one.provider == provider)

    async def flow(self, running: Running, *, until: Work = Work.SETTLED) -> None:
        """Send, with everything that a worker does beside it, until all have come so far."""
        async with asyncio.timeout(120):
            while await self._works(running) != {until}:
                await self.flow_once(running)
            await landed(self.run)  # what they teach of the providers is learned after they settle

    async def _works(self, running: Running) -> set[str]:
        query = select(deliveries.c.work).where(deliveries.c.alert_id == running.alert.id)
        async with self.run.ledger.read() as db:
            return set((await db.execute(query.distinct())).scalars())

    async def flow_once(self, running: Running) -> None:
        """Send a window, and look at how the providers do."""
        await send_some(self.run, running.alert.id, "sms")
        await refresh(self.run)
        await self.judge.judge(self.run.channels)
        await asyncio.sleep(0.05)

    @asynccontextmanager
    async def later(self, seconds: float) -> AsyncIterator["Accounts"]:
        """The same, when time has gone on."""
        ledger = Ledger.open(self.url, clock_offset=seconds)
        try:
            yield replace(self, run=replace(self.run, ledger=ledger), judge=Judge(ledger))
        finally:
            await ledger.close()

    async def probed(self) -> None:
        """Let the next probes be due, and made."""
        async with self.later(20) as then:
            await probe(then.run)
        await refresh(self.run)


def account(name: str, client: Client, **changes: Any) -> Sms:
    """Return a provider that sends through a simulated account."""
    dull: dict[str, Any] = {
        "account_sid": client.settings.account_sid,
        "auth_token": [SecretStr(client.settings.auth_token)],
        "sender": MAIN if name == "main" else SECOND,
        "base_url": client.sim.url,
        "units_per_second": 60,  # windows of 15
        "burst": 1000,
    }
    built = Sms(SmsSettings(**dull | changes), deployment())
    built.provider = name
    return built


@asynccontextmanager
async def two_accounts(
    url: str, redis: str, *, shares: Sequence[int] = (1, 1), **changes: Any
) -> AsyncIterator[Accounts]:
    """Open a ledger at `url`, two simulators and a worker; `changes` are settings of `main`."""
    async with (
        practising(account_sid=SIDS["main"], auth_token=TOKENS["main"]) as main,
        practising(account_sid=SIDS["second"], auth_token=TOKENS["second"]) as second,
        AsyncExitStack() as closing,
    ):
        ledger = Ledger.open(url)
        closing.push_async_callback(ledger.close)
        both = [account("main", main, **changes), account("second", second)]
        for one in both:
            closing.push_async_callback(one.close)
        resting = at_rest(dict(zip(("main", "second"), shares, strict=True)))
        async with working(ledger, Providers({"sms": both}, {"sms": resting}), redis=redis) as run:
            await refresh(run)
            yield Accounts(main, second, run, Judge(ledger), url)
