"""What an alert would cost, and which caps it would meet; a dry run tells both."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field

from kentongan.alert import Alert, Mode
from kentongan.caps import Caps, is_capped
from kentongan.delivery import Work
from kentongan.expansion import NewDelivery
from kentongan.person_rate import free_at
from kentongan.spending import Standing, written
from ledger import cap_usage
from ledger.caps import lately
from ledger.engine import Db, read_now
from service.web.bodies import Out


class CostOut(Out):
    """Amounts are decimals, in the deployment's currency, at the prices that are set."""

    currency: str
    total: str
    channels: dict[str, str]
    estimated: bool = Field(
        description="Above 10,000 people: reckoned from the first of them and the groups' sizes."
    )


class Warned(Out):
    """Something to look at again; it keeps nothing from being sent."""

    code: str
    locale: str | None
    warning: str


class Budget:
    """Adds up what an alert's deliveries cost, page by page, and who of them would have to wait."""

    def __init__(self, caps: Caps, alert: Alert) -> None:
        self._caps, self._alert = caps, alert
        self._costs: Counter[str] = Counter()
        self._wait: Counter[str] = Counter()

    async def add(self, db: Db, page: Sequence[NewDelivery]) -> None:
        """Take up the deliveries of one page."""
        for channel in self._alert.channels:
            terms = self._caps.terms(self._alert, channel)
            going = [d for d in page if d.channel == channel and d.work == Work.PENDING]
            if terms is None or not going:
                continue
            self._costs[channel] += sum(terms.cost(d.address, d.units) for d in going)
            if terms.limits:
                now = await read_now(db)
                had = await lately(db, terms, {d.address for d in going}, now)
                self._wait[channel] += sum(
                    free_at(sent, terms.limits, now) > now for sent in had.values()
                )

    def cost(self, share: float = 1) -> CostOut | None:
        """Return what it costs; None without prices. `share` of its people were taken up."""
        if not self._caps.prices or self._alert.mode is Mode.TEST:
            return None
        costs = {channel: round(cost / share) for channel, cost in self._costs.items()}
        return CostOut(
            currency=self._caps.currency,
            total=written(sum(costs.values())),
            channels={channel: written(cost) for channel, cost in costs.items()},
            estimated=share < 1,
        )

    async def warnings(self, db: Db, share: float = 1) -> list[Warned]:
        """Return which caps it would meet."""
        found = [
            Warned(
                code="person_rate",
                locale=None,
                warning=f"{count:,} would wait by {channel}: those people had as many messages "
                "lately as one person may get.",
            )
            for channel, count in self._wait.items()
            if count
        ]
        if not self._caps.most or self._alert.mode is Mode.TEST:
            return found
        total = round(self._costs.total() / share)
        standings = await cap_usage.standings(db, self._caps)
        return [*found, *self._over(standings, total)]

    def _over(self, standings: Sequence[Standing], total: int) -> Iterator[Warned]:
        money = self._caps.currency
        then = (
            "what it cannot pay waits until that is over, or expires"
            if is_capped(self._alert)
            else "it goes out all the same"
        )
        for one in standings:
            if one.left is not None and total > one.left:
                left = written(max(one.left, 0))
                yield Warned(
                    code="spend_cap",
                    locale=None,
                    warning=f"It costs {written(total)} {money}, and {left} {money} may still be "
                    f"spent this {one.period}: {then}.",
                )
