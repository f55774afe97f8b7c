"""Nobody is forgotten, nobody is told twice: turning members into people and deliveries."""

from collections.abc import Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from kentongan.alert import Words
from kentongan.delivery import Cause, Work
from kentongan.expansion import Expanded, Member, Point, Stage, expand, next_stage
from kentongan.ids import DeliveryId
from kentongan.outcome import Reason
from tests.fakes.running import an_alert

ALERT = an_alert(
    0,
    words={"en": Words(headline="Flood", text="…"), "id": Words(headline="Banjir", text="…")},
)
UNITS = {("sms", "en"): 1, ("sms", "id"): 2, ("email", "en"): 1, ("email", "id"): 1}
SITI, BUDI = ("sms", "+62811"), ("sms", "+62812")


def member(name: str, *points: Point, locale: str | None = None) -> Member:
    return Member(recipient_id=None, name=name, locale=locale, points=points)


def page(
    *members: Member,
    suppressed: Collection[Point] = (),
    known: Mapping[Point, DeliveryId] | None = None,
) -> Expanded:
    return expand(
        members,
        ALERT,
        fallback_locale="id",
        units=UNITS,
        suppressed=suppressed,
        known=known or {},
    )


def test_shared_address_gets_one_message_that_counts_for_all_its_people() -> None:
    made = page(member("Siti", SITI), member("Budi", SITI))

    [delivery] = made.deliveries
    assert [person.name for person in made.people] == ["Siti", "Budi"]
    assert made.links == [(delivery.id, person.id, ALERT.id) for person in made.people]


def test_one_address_on_two_channels_is_two_messages() -> None:
    made = page(member("Siti", ("sms", "same"), ("email", "same")))

    assert [(d.channel, d.address) for d in made.deliveries] == [("sms", "same"), ("email", "same")]


def test_contact_point_that_a_person_has_twice_tells_them_once() -> None:
    made = page(member("Siti", SITI, BUDI, SITI))

    assert [d.address for d in made.deliveries] == [SITI[1], BUDI[1]]
    assert [link.delivery_id for link in made.links] == [d.id for d in made.deliveries]


def test_address_of_an_earlier_page_is_only_joined() -> None:
    earlier = DeliveryId("dlv_earlier")

    made = page(member("Siti", SITI), known={SITI: earlier})

    assert made.deliveries == []
    assert made.links == [(earlier, made.people[0].id, ALERT.id)]


def test_nobody_without_a_contact_point_is_forgotten() -> None:
    made = page(member("Wati"), member("Adi", ("voice", "+62813")), member("Siti", SITI))

    assert [person.cause for person in made.people] == [
        Cause.NO_CONTACT_POINT,
        Cause.NO_POINT_ON_CHANNELS,
        None,
    ]
    assert len(made.links) == 1


def test_locale_is_the_persons_else_the_deployments() -> None:
    made = page(
        member("Siti", ("sms", "1"), locale="en-GB"),
        member("Budi", ("sms", "2"), locale="jv"),
        member("Adi", ("sms", "3")),
    )

    assert [d.locale for d in made.deliveries] == ["en", "id", "id"]
    assert [d.units for d in made.deliveries] == [1, 2, 2]


def test_suppressed_address_is_shown_and_not_written_to() -> None:
    made = page(member("Siti", SITI), member("Budi", BUDI), suppressed={SITI})

    assert [(d.work, d.reason) for d in made.deliveries] == [
        (Work.SUPPRESSED, Reason.SUPPRESSED),
        (Work.PENDING, None),
    ]
    assert len(made.links) == 2


def test_stages_follow_one_another_to_the_end() -> None:
    assert [next_stage(stage) for stage in list(Stage)[:-1]] == list(Stage)[1:]


points = st.tuples(st.sampled_from(["sms", "email", "voice"]), st.sampled_from("abcde"))
members = st.lists(
    st.builds(
        lambda name, own, locale: member(name, *own, locale=locale),
        st.sampled_from(["Siti", "Budi", "Adi"]),
        st.lists(points, max_size=4),
        st.sampled_from(["en", "id", None]),
    ),
    max_size=25,
)


@given(members, st.integers(1, 7))
def test_small_pages_give_the_same_as_one_big(people: Sequence[Member], size: int) -> None:
    known: dict[Point, DeliveryId] = {}
    small: list[Expanded] = []
    for start in range(0, len(people), size):
        made = page(*people[start : start + size], known=known)
        known |= {(d.channel, d.address): d.id for d in made.deliveries}
        small.append(made)

    assert _told(*small) == _told(page(*people))


def _told(*pages: Expanded) -> tuple[list[object], list[object]]:
    """Return the people in order with what tells them, and the deliveries."""
    point = {d.id: (d.channel, d.address) for made in pages for d in made.deliveries}
    by = [(person, point[d]) for made in pages for d, person, _ in made.links]
    people: list[object] = [
        (p.name, p.locale, p.cause, [where for person, where in by if person == p.id])
        for made in pages
        for p in made.people
    ]
    deliveries: list[object] = [
        (d.channel, d.address, d.locale, d.name) for made in pages for d in made.deliveries
    ]
    return people, deliveries
