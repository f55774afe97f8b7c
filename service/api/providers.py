"""`/v1/providers`: who carries each channel, how much of it, and who is set aside."""

from itertools import groupby

from pydantic import Field

from kentongan.access import Act
from kentongan.circuit import Circuit
from kentongan.clock import to_datetime
from kentongan.outcome import Reason
from kentongan.practice import PROVIDER
from kentongan.weights import ERROR_WINDOW, SLOW_AFTER
from ledger import providers, senders, tallies
from ledger.engine import Db
from ledger.providers import Standing
from ledger.senders import Aside
from ledger.tallies import Tally
from service.calls import Call
from service.web.bodies import Instant, Out
from service.web.openapi import Api
from service.wiring import House

api = Api("providers")


class SenderOut(Out):
    sender: str
    reason: Reason
    detail: str = Field(description="The provider's words.")
    since: Instant


class ProviderOut(Out):
    provider: str = Field(description="As it is called in the settings; `simulator` for practice.")
    share: int = Field(description="Points of a hundred of the channel's traffic.")
    circuit: Circuit = Field(
        description="`open`: set aside and probed; `half_open`: tried by one message at a time."
    )
    since: Instant | None = Field(description="When it was set aside.")
    reason: Reason | None
    detail: str = Field(description="The provider's words, or what was counted.")
    handed: int = Field(description=f"Messages that it took in the last {ERROR_WINDOW:.0f} s.")
    errors: int = Field(description="Errors of its in that time.")
    slow: bool = Field(
        description=f"Too many receipts came later than {SLOW_AFTER / 60:.0f} minutes."
    )
    senders_aside: list[SenderOut]


class ChannelOut(Out):
    channel: str
    fails: bool = Field(description="Nobody is left who carries it; what is due waits.")
    providers: list[ProviderOut]


class ProvidersOut(Out):
    channels: list[ChannelOut]


@api.op("GET", "/v1/providers", may=Act.READ_PROVIDERS)
async def read_providers(call: Call) -> ProvidersOut:
    """Show how providers and senders stand, as the workers see it."""
    async with call.ledger.read() as db:
        return ProvidersOut(channels=await channels_now(call.house, db))


async def channels_now(house: House, db: Db) -> list[ChannelOut]:
    """Return how every channel is carried, as the workers see it."""
    standings = await providers.standings(db)
    asides = await senders.aside(db)
    lately = await tallies.lately(db)
    found = []
    for channel, some in groupby(standings, key=lambda one: one.channel):
        each = list(some)
        real = [one for one in each if one.provider != PROVIDER]
        found.append(
            ChannelOut(
                channel=channel,
                fails=bool(real) and all(one.circuit is not Circuit.CLOSED for one in real),
                providers=[
                    _shown(house, one, lately.get(one.who, Tally()), asides) for one in each
                ],
            )
        )
    return found


def _shown(house: House, one: Standing, tally: Tally, asides: list[Aside]) -> ProviderOut:
    resting = house.channels.shares(one.channel).get(one.provider, 0)
    at_rest = 100 if one.provider == PROVIDER else resting
    return ProviderOut(
        provider=one.provider,
        share=at_rest if one.share is None else one.share,
        circuit=one.circuit,
        since=to_datetime(one.opened_at) if one.opened_at else None,
        reason=Reason(one.reason) if one.reason else None,
        detail=one.detail,
        handed=tally.handed,
        errors=tally.errors,
        slow=one.slow,
        senders_aside=[
            SenderOut(
                sender=aside.sender,
                reason=Reason(aside.reason),
                detail=aside.detail,
                since=to_datetime(aside.aside_at),
            )
            for aside in asides
            if (aside.channel, aside.provider) == one.who
        ],
    )
