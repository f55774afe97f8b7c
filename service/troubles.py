"""What is wrong with providers and senders, in sentences."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from kentongan.circuit import Circuit
from kentongan.practice import PROVIDER
from ledger.providers import Standing
from ledger.senders import Aside


def sentences(standings: Sequence[Standing], asides: Sequence[Aside]) -> Iterator[str]:
    """Say who is set aside; loudest where a channel has nobody left. Sorted by channel."""
    real = [one for one in standings if one.provider != PROVIDER]
    for channel, some in groupby(real, key=lambda one: one.channel):
        yield from _of_channel(channel, list(some))
    for one in standings:
        if one.provider == PROVIDER and one.circuit is not Circuit.CLOSED:
            yield f"Practice on {one.channel} is set aside ({one.reason})."
    for aside in asides:
        yield f"A sender of {aside.channel} ({aside.provider}) is set aside ({aside.reason})."


def _of_channel(channel: str, some: Sequence[Standing]) -> Iterator[str]:
    aside = [one for one in some if one.circuit is not Circuit.CLOSED]
    if aside and len(aside) == len(some):
        yield f"Channel {channel} is stopped by faults."
    for one in aside:
        yield f"Provider {one.provider} of {channel} is set aside ({one.reason})."
