"""Whom an alert is for: each once, whichever parts of its audience name them."""

import pytest

from kentongan.audience import Audience, Of, Who
from kentongan.expansion import Stage
from kentongan.outcome import Reason
from kentongan.recipient import Draft
from ledger import audiences, groups, recipients, suppressions
from ledger.audience_lookup import count_people
from ledger.engine import Ledger, read_now
from tests.fakes.expanding import FAMILY, TOLD, a_group, accepted, counted, expand_all, told
from tests.fakes.running import an_alert, becomes, expanded, tried


async def test_person_named_twice_is_of_the_alert_once(ledger: Ledger) -> None:
    group = await a_group(ledger, FAMILY)
    async with ledger.read() as db:
        named = await audiences.members(
            db, an_alert(0, audience=Audience(groups=(group,))), Stage.RECIPIENTS, "", 100
        )
    people = tuple(member.recipient_id for member in named.members if member.recipient_id)
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


@pytest.mark.parametrize("empty_groups", [0, 60])
async def test_pages_hold_everyone_of_any_part_once_in_order_but_for_the_deleted(
    ledger: Ledger, empty_groups: int
) -> None:
    others = {f"g{n}": "" for n in range(empty_groups)}
    async with ledger.write() as db:
        now = await read_now(db)
        ids = await groups.ensure(db, {"north": "", "south": "", **others}, now)
        north, south = ids["north"], ids["south"]
        drafts = [
            Draft(name=f"P{n}", points=(), groups=frozenset(where))
            for n, where in enumerate([[north], [north, south], [south], [], [], [north], [south]])
        ]
        await recipients.add(db, drafts, now)
        await recipients.remove(db, drafts[5].id, now)
    alert = an_alert(
        0, audience=Audience(groups=tuple(ids.values()), recipients=(drafts[0].id, drafts[3].id))
    )

    pages = []
    cursor, more = "", True
    async with ledger.read() as db:
        while more:
            page = await audiences.members(db, alert, Stage.RECIPIENTS, cursor, 2)
            pages.append([member.name for member in page.members])
            cursor, more = page.cursor, bool(page.cursor)

    assert pages == [["P0", "P1"], ["P2", "P3"], ["P6"]]


async def test_who_joins_or_leaves_behind_the_cursor_changes_no_page_to_come(
    ledger: Ledger,
) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        ids = await groups.ensure(db, {"north": "", "south": ""}, now)
        both = frozenset(ids.values())
        drafts = [Draft(name=f"P{n}", points=(), groups=both) for n in range(6)]
        late = Draft(name="late", points=(), groups=both)
        await recipients.add(db, drafts, now)
    alert = an_alert(0, audience=Audience(groups=tuple(ids.values())))
    async with ledger.read() as db:
        first = await audiences.members(db, alert, Stage.RECIPIENTS, "", 2)

    async with ledger.write() as db:
        await recipients.add(db, [late], now)
        await recipients.remove(db, drafts[0].id, now)
        await recipients.remove(db, drafts[4].id, now)

    async with ledger.read() as db:
        second = await audiences.members(db, alert, Stage.RECIPIENTS, first.cursor, 2)
        third = await audiences.members(db, alert, Stage.RECIPIENTS, second.cursor, 9)
    names = [[member.name for member in page.members] for page in (first, second, third)]
    assert names == [["P0", "P1"], ["P2", "P3"], ["P5", "late"]]
    assert third.cursor == ""


async def test_contact_points_are_in_order_of_preference_and_the_barred_are_told(
    ledger: Ledger,
) -> None:
    async with ledger.write() as db:
        now = await read_now(db)
        north = (await groups.ensure(db, {"north": ""}, now))["north"]
        points = (("sms", "+2"), ("email", "b@example.org"), ("sms", "+1"))
        await recipients.add(
            db, [Draft(name="Siti", points=points, groups=frozenset({north}))], now
        )
        await suppressions.suppress(
            db, "sms", "+1", reason=Reason.OPTED_OUT, made_by="recipient", now=now
        )
    alert = an_alert(0, audience=Audience(groups=(north,)))

    async with ledger.read() as db:
        page = await audiences.members(db, alert, Stage.RECIPIENTS, "", 9)

    assert [tuple(member.points) for member in page.members] == [points]
    assert page.barred == {("sms", "+1")}
