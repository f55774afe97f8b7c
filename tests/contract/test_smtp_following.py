"""Letters follow each other over one connection, each with an outcome of its own."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.alert import Lane
from kentongan.outcome import (
    Accepted,
    Deferred,
    NotBegun,
    NotBegunError,
    Reason,
    Refused,
    Unknown,
)
from tests.fakes.mail import channel_to, open_gate, wording
from tests.fakes.mailing import letters, reached, to
from tests.fakes.smtp import Answer, Deed, Relay, listening
from tests.fakes.tls import made_in

AT_THE_DOT = "not this"


async def test_envelope_of_the_next_letter_leaves_with_the_content_of_the_last() -> None:
    async with listening(Relay()) as relay, channel_to(relay, connections=1) as channel:
        outcomes = await asyncio.gather(*letters(channel, 6))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert reached(relay) == ["0", "1", "2", "3", "4", "5"]
    assert relay.connections == 1
    both = [piece for piece in relay.writes if b"\r\n.\r\nMAIL FROM" in piece]
    assert len(both) == 5


async def test_relay_without_pipelining_hears_one_letter_after_the_other() -> None:
    async with (
        listening(Relay(extensions=())) as relay,
        channel_to(relay, connections=1) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 4))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert not [piece for piece in relay.writes if b"\r\n.\r\nMAIL FROM" in piece]


@pytest.mark.parametrize("data", ["354 go on all the same", "503 5.5.1 no recipients"])
async def test_refused_letter_takes_nothing_from_the_one_behind(data: str) -> None:
    answers = {"RCPT": ["", "550 5.1.1 no such user", ""], "DATA": ["", data, ""]}
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=1) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 4))

    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, Accepted, Accepted]
    assert reached(relay) == ["0", "2", "3"]
    assert relay.connections == 1


async def test_letter_that_is_stopped_behind_another_leaves_its_place() -> None:
    async def closed(_transport: object) -> None:
        raise NotBegunError(Reason.STOPPED)

    async with listening(Relay()) as relay, channel_to(relay, connections=1) as channel:
        outcomes = await asyncio.gather(
            *letters(channel, 4, gates=[open_gate, closed, closed, open_gate])
        )

    assert outcomes[1] == outcomes[2] == NotBegun(Reason.STOPPED)
    assert reached(relay) == ["0", "3"]
    assert relay.connections == 1


async def test_letter_that_is_stopped_late_makes_way_for_the_one_behind() -> None:
    async def closes_late(_transport: object) -> None:
        while not behind_waits:
            await asyncio.sleep(0.002)
        raise NotBegunError(Reason.STOPPED)

    behind_waits: list[object] = []

    async def last_gate(transport: object) -> None:
        behind_waits.append(transport)

    async with (
        listening(Relay(answers={"DOT": [Deed.LATE, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=5) as channel,
    ):
        outcomes = await asyncio.gather(
            *letters(channel, 3, gates=[open_gate, closes_late, last_gate])
        )

    assert [type(outcome) for outcome in outcomes] == [Accepted, NotBegun, Accepted]
    assert reached(relay) == ["0", "2"]
    assert relay.connections == 1


async def test_letter_whose_alert_ends_behind_another_is_not_sent() -> None:
    async with listening(Relay()) as relay, channel_to(relay, connections=1) as channel:
        prepared = channel.prepare(wording())
        tasks = [
            asyncio.ensure_future(channel.send(prepared, to(name, remaining=left), open_gate))
            for name, left in (("0", 60.0), ("1", 0.0), ("2", 60.0))
        ]
        outcomes = await asyncio.gather(*tasks)

    assert [type(outcome) for outcome in outcomes] == [Accepted, Deferred, Accepted]
    assert sorted(reached(relay)) == ["0", "2"]


async def test_gate_is_asked_again_where_the_letter_before_took_its_time() -> None:
    asked = 0

    async def stops_meanwhile(_transport: object) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise NotBegunError(Reason.STOPPED)

    async with (
        listening(Relay(answers={"DOT": [Deed.LATE, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=5) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 2, gates=[open_gate, stops_meanwhile]))

    assert isinstance(outcomes[0], Accepted)
    assert outcomes[1] == NotBegun(Reason.STOPPED)
    assert reached(relay) == ["0"]


async def test_connection_is_replaced_after_so_many_letters_that_follow_each_other() -> None:
    async with (
        listening(Relay()) as relay,
        channel_to(relay, connections=1, messages_per_connection=3) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 9))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert relay.connections == 3


async def test_urgent_letter_comes_before_routine_ones_that_would_follow() -> None:
    async with (
        listening(Relay(answers={"DOT": [Deed.LATE, ""]})) as relay,
        channel_to(relay, connections=1, final_timeout=5) as channel,
    ):
        routine = letters(channel, 12)
        while not relay.messages:
            await asyncio.sleep(0.002)
        urgent = channel.send(channel.prepare(wording()), to("urgent", lane=Lane.FLASH), open_gate)
        await asyncio.gather(*routine, urgent)

    # Only those that had their place by then.
    assert reached(relay).index("urgent") <= 4


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_letters_follow_each_other_under_tls(tls: str, tmp_path: Path) -> None:
    certificate = made_in(tmp_path)
    relay = Relay(tls=certificate.of_server(), implicit=tls == "implicit")
    trusted = str(certificate.cert)
    async with (
        listening(relay),
        channel_to(relay, tls=tls, ca_certificates=trusted, connections=1) as channel,
    ):
        outcomes = await asyncio.gather(*letters(channel, 6))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert reached(relay) == ["0", "1", "2", "3", "4", "5"]
    assert [piece for piece in relay.writes if b"\r\n.\r\nMAIL FROM" in piece]


def scripts(*said: Answer) -> st.SearchStrategy[list[Answer]]:
    """What a relay may say at one point, the first, second, … time; then it takes everything."""
    return st.lists(st.sampled_from(["", "", "", *said]), max_size=8).map(lambda some: [*some, ""])


BEFORE = scripts("451 4.3.0 later", "550 5.1.1 no", "421 4.3.2 bye", Deed.DROP)
AFTER = scripts(f"451 4.3.0 {AT_THE_DOT}", f"550 5.7.1 {AT_THE_DOT}", Deed.DROP)


@settings(max_examples=60, deadline=None)
@given(
    answers=st.fixed_dictionaries({"MAIL": BEFORE, "RCPT": BEFORE, "DATA": BEFORE, "DOT": AFTER}),
    closed=st.sets(st.integers(0, 11)),
    cut=st.sets(st.integers(0, 11), max_size=3),
    connections=st.integers(1, 3),
)
async def test_whatever_a_relay_says_each_letter_knows_what_became_of_it(
    answers: dict[str, list[Answer]], closed: set[int], cut: set[int], connections: int
) -> None:
    async def shut(_transport: object) -> None:
        await asyncio.sleep(0)
        raise NotBegunError(Reason.STOPPED)

    gates = [shut if at in closed else open_gate for at in range(12)]
    async with (
        listening(Relay(answers=answers)) as relay,
        channel_to(relay, connections=connections) as channel,
    ):
        tasks = letters(channel, 12, gates=gates)
        await asyncio.sleep(0.002)
        for at in cut:
            tasks[at].cancel()
        outcomes = await asyncio.wait_for(
            asyncio.gather(*tasks, return_exceptions=True), timeout=20
        )
        relay.answers = {}
        last = await channel.send(channel.prepare(wording()), to("last"), open_gate)

    taken = Counter(reached(relay))
    for at, outcome in enumerate(outcomes):
        times = taken[str(at)]
        match outcome:
            case Accepted():
                assert times == 1
            case Deferred() | Refused() if AT_THE_DOT in outcome.detail:
                assert times == 1  # the relay had all of it, and refused
            case Deferred() | Refused() | NotBegun():
                assert times == 0
            case _:
                assert isinstance(outcome, Unknown | asyncio.CancelledError)
                assert times <= 1
    assert isinstance(last, Accepted)  # whatever was, the connections that are left are sound
