"""Whom an alert is for: each once, whichever parts of its audience name them."""

from kentongan.audience import Audience, Of, Who
from kentongan.expansion import Stage
from ledger import audiences
from ledger.audience_lookup import count_people
from ledger.engine import Ledger
from tests.fakes.expanding import FAMILY, TOLD, a_group, accepted, counted, expand_all, told
from tests.fakes.running import an_alert, becomes, expanded, tried


async def test_person_named_twice_is_of_the_alert_once(ledger: Ledger) -> None:
    group = await a_group(ledger, FAMILY)
    async with ledger.read() as db:
        named, _ = await audiences.members(
            db, an_alert(0, audience=Audience(groups=(group,))), Stage.RECIPIENTS, "", 100
        )
    people = tuple(member.recipient_id for member in named if member.recipient_id)
    earlier = await accepted(ledger, Audience(groups=(group,)))
    await expand_all(ledger, earlier)

    of = Of(alert=earlier.id, who=Who.NOT_REACHED)
    audience = Audience(groups=(group,), recipients=people, of=of)
    alert = await accepted(ledger, audience)
    async with ledger.read() as db:
        assert await count_people(db, audience, 100) == len(FAMILY)
    await expand_all(ledger, alert, 2)

    assert await told(ledger, alert) == TOLD
    assert (await counted(ledger, alert))[0] == len(FAMILY)


async def test_correction_goes_to_exactly_those_who_may_have_got_the_original(
    ledger: Ledger,
) -> None:
    people = {
        name: [("sms", f"+{n}")]
        for n, name in enumerate(
            ["accepted", "refused", "unknown", "never begun", "not tried", "retried", "open"]
        )
    }
    original = await expanded(ledger, people)
    outcomes: dict[str, dict[str, str | None]] = {
        "+0": {"outcome": "accepted"},
        "+1": {"outcome": "refused"},
        "+2": {"outcome": "unknown"},
        "+3": {"outcome": "unknown", "resolution": "not_begun"},
        "+5": {"outcome": "unknown", "resolution": "repeat"},
        "+6": {"outcome": None},
    }
    for address, columns in outcomes.items():
        await tried(ledger, original.alert.id, original.delivery(address), **columns)
    # What was refused the second time may have arrived the first time.
    again = {"no": 2, "outcome": "refused"}
    await tried(ledger, original.alert.id, original.delivery("+5"), **again)
    await becomes(ledger, original.delivery("+5"), work="failed", attempts=2)
    correction = await accepted(
        ledger, Audience(of=Of(alert=original.alert.id, who=Who.MAY_HAVE_GOT))
    )

    await expand_all(ledger, correction, 2)

    assert sorted(await told(ledger, correction)) == ["accepted", "open", "retried", "unknown"]
