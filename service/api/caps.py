"""`/v1/caps`: what bounds messages and money here, and how much of it is used."""

from pydantic import Field

from kentongan.access import Act
from kentongan.caps import Caps
from kentongan.clock import to_datetime
from kentongan.outcome import Reason
from kentongan.spending import Level, Period, Standing, written
from ledger import cap_usage
from ledger.engine import Db, read_now
from service.calls import Call
from service.web.bodies import Instant, Out
from service.web.openapi import Api

api = Api("caps")


class LimitOut(Out):
    most: int
    seconds: int


class SpentOut(Out):
    units: int = Field(description="Segments, calls, messages.")
    cost: str


class PeriodOut(Out):
    """What was spent in a day or a month; amounts are decimals, in the deployment's currency."""

    period: Period
    level: Level = Field(
        description="`nearly` from 80 % on; `reached` when not even the cheapest message is left."
    )
    spent: str
    cap: str | None = Field(description="Null: there is none.")
    left: str | None = Field(description="Negative where extreme alerts went beyond the cap.")
    share: float | None
    ends_at: Instant
    channels: dict[str, SpentOut]


class SpendingOut(Out):
    currency: str
    time_zone: str
    prices: list[str] = Field(description="As they are set: `sms+62=0.03`.")
    periods: list[PeriodOut]


class HeldOut(Out):
    channel: str
    reason: Reason
    deliveries: int


class CapsOut(Out):
    """They never hold up what is extreme, nor corrections and all clears."""

    person_rate: dict[str, list[LimitOut]] = Field(
        description="By channel: the most messages that one contact point gets."
    )
    spending: SpendingOut | None = Field(description="Null where there are no prices.")
    countries: list[str] = Field(description="Where numbers may be; empty: anywhere.")
    held: list[HeldOut] = Field(description="What waits now because of a cap.")


@api.op("GET", "/v1/caps", may=Act.READ_CAPS)
async def read_caps(call: Call) -> CapsOut:
    """Show the caps, how much of them is used, and what they hold back."""
    settings = call.house.settings
    caps = settings.caps
    async with call.ledger.read() as db:
        spending = await _spending(db, caps, settings.prices) if caps.prices else None
        held = await cap_usage.held(db)
    return CapsOut(
        person_rate={
            channel: [LimitOut(most=limit.most, seconds=limit.within) for limit in limits]
            for channel, limits in sorted(caps.person_rate.items())
        },
        spending=spending,
        countries=sorted(settings.countries),
        held=[
            HeldOut(channel=channel, reason=reason, deliveries=count)
            for (channel, reason), count in held.items()
        ],
    )


async def _spending(db: Db, caps: Caps, prices: list[str]) -> SpendingOut:
    now = await read_now(db)
    return SpendingOut(
        currency=caps.currency,
        time_zone=str(caps.zone),
        prices=prices,
        periods=[
            _period(one, caps, await cap_usage.by_channel(db, caps, one.period, now))
            for one in await cap_usage.standings(db, caps)
        ],
    )


def _period(one: Standing, caps: Caps, channels: cap_usage.ByChannel) -> PeriodOut:
    return PeriodOut(
        period=one.period,
        level=one.level(caps.prices),
        spent=written(one.spent),
        cap=None if one.most is None else written(one.most),
        left=None if one.left is None else written(one.left),
        share=None if one.share is None else round(one.share, 4),
        ends_at=to_datetime(one.ends_at),
        channels={
            name: SpentOut(units=spent.units, cost=written(spent.cost))
            for name, spent in channels.items()
        },
    )
