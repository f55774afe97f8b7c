"""A worker's metrics count what its windows did."""

import asyncio

from kentongan.channel import Gate
from kentongan.message import Envelope
from kentongan.outcome import Accepted, Outcome, Reason, Refused
from ledger.engine import Ledger
from tests.fakes.hands import DullChannel, working
from tests.fakes.sending import crowd, landed
from workers.runtime import Runtime
from workers.turn import send_some


def value(run: Runtime, name: str, **labels: str) -> float:
    found = run.metrics.registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


async def test_attempts_are_counted_by_outcome_and_hand_overs_by_how_late_they_are(
    ledger: Ledger,
) -> None:
    running = await crowd(ledger, 5)

    async def some(envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        return Refused(Reason.NO_ROUTE) if envelope.address == "+1" else Accepted()

    async with working(ledger, DullChannel(some)) as run:
        async with asyncio.timeout(20):
            while (wait := await send_some(run, running.alert.id, "sms")) is not None:
                await asyncio.sleep(wait)
        await landed(run)

        who = {"channel": "sms", "provider": DullChannel.provider}
        assert value(run, "kentongan_attempts_total", **who, outcome="accepted") == 4
        assert value(run, "kentongan_attempts_total", **who, outcome="refused") == 1
        assert value(run, "kentongan_attempt_duration_seconds_count", **who) == 5
        late = value(
            run, "kentongan_delivery_latency_seconds_count", **who, lane=running.alert.lane
        )
        assert late == 4
