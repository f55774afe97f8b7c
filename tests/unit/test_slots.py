"""Slots: so many sends at once, so many of one provider, nobody before their turn for long."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from workers.slots import Line, Slots


class Sent:
    """A send that ends when it may, and remembers how it went."""

    def __init__(self, name: str, at_once: Counter[str], may_end: asyncio.Event) -> None:
        self.name, self._at_once, self._may_end = name, at_once, may_end
        self.most = 0
        self.went = self.is_over = False

    async def go(self) -> None:
        self._at_once[self.name] += 1
        self.most = self._at_once[self.name]
        try:
            await self._may_end.wait()
            await asyncio.sleep(0)
            self.went = True
        finally:
            self._at_once[self.name] -= 1

    def ended(self) -> None:
        assert not self.is_over
        self.is_over = True


class Bench:
    """Slots with two providers, and what has been put there."""

    def __init__(self, count: int, *limits: int | None) -> None:
        self.slots = Slots(count)
        self.lines = [self.slots.line(n, limit) for n, limit in enumerate(limits)]
        self.at_once = Counter[str]()
        self.may_end = asyncio.Event()

    def put(self, line: Line, count: int) -> list[Sent]:
        name = str(self.lines.index(line))
        sends = [Sent(name, self.at_once, self.may_end) for _ in range(count)]
        self.slots.put(line, sends)
        return sends


async def until_over(sends: list[Sent]) -> None:
    async with asyncio.timeout(20):
        while not all(send.is_over for send in sends):
            await asyncio.sleep(0.001)


async def steps(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_than_the_slots_and_no_more_than_a_provider_takes_go_at_once() -> None:
    bench = Bench(10, 4, None)
    relay, web = bench.lines
    sends = bench.put(relay, 20) + bench.put(web, 20)
    await steps()

    assert bench.at_once == {"0": 4, "1": 6}
    bench.may_end.set()
    await until_over(sends)
    assert all(send.went for send in sends)
    assert max(send.most for send in sends[:20]) == 4


async def test_line_of_one_provider_does_not_hold_up_another() -> None:
    bench = Bench(4, 2, None)
    relay, web = bench.lines
    held = bench.put(relay, 50)
    await steps()
    quick = bench.put(web, 2)
    await steps()

    assert bench.at_once == {"0": 2, "1": 2}
    bench.may_end.set()
    await until_over(held + quick)


async def test_slots_go_to_the_lines_in_turn() -> None:
    bench = Bench(1, None, None)
    first, second = bench.lines
    order: list[str] = []

    class Noted(Sent):
        @override
        async def go(self) -> None:
            order.append(self.name)

    for line, name in ((first, "a"), (second, "b")):
        sends = [Noted(name, bench.at_once, bench.may_end) for _ in range(4)]
        bench.slots.put(line, sends)
    await steps(20)

    assert "".join(order) == "aabababb"  # the first began before the others had come


async def test_room_is_what_is_free_less_what_waits_or_is_promised() -> None:
    bench = Bench(10, 4)
    [relay] = bench.lines
    assert bench.slots.room(relay) == 4
    forget = bench.slots.promise(relay, 3)
    assert bench.slots.room(relay) == 1
    forget()
    sends = bench.put(relay, 7)
    await steps()

    assert bench.slots.room(relay) == 0
    bench.may_end.set()
    await until_over(sends)
    assert bench.slots.room(relay) == 4 + 7  # four are free, and seven came free lately


async def test_what_is_cut_short_frees_its_slot_for_others() -> None:
    bench = Bench(3, None)
    [line] = bench.lines
    doomed = bench.put(line, 6)
    others = bench.put(line, 4)
    await steps()
    bench.slots.cut(doomed)
    bench.may_end.set()
    await until_over(doomed + others)

    assert not any(send.went for send in doomed)
    assert all(send.went for send in others)


async def test_what_is_cut_before_its_first_step_is_over_all_the_same() -> None:
    bench = Bench(3, None)
    sends = bench.put(bench.lines[0], 5)
    bench.slots.cut(sends)
    await until_over(sends)

    assert bench.slots.room(bench.lines[0]) >= 3
    assert not any(send.went for send in sends)


async def test_sends_stand_aside_for_a_block_and_go_on_after_it() -> None:
    bench = Bench(3, None)
    bench.may_end.set()
    with bench.slots.standing_aside():
        sends = bench.put(bench.lines[0], 6)
        await steps()
        assert not any(send.went for send in sends)
    await until_over(sends)


async def test_sends_stand_aside_for_a_while_only_and_not_again_at_once() -> None:
    bench = Bench(3, None)
    bench.may_end.set()
    with bench.slots.standing_aside():
        await until_over(bench.put(bench.lines[0], 6))
        with bench.slots.standing_aside():
            sends = bench.put(bench.lines[0], 3)
            await steps()
            assert all(send.went for send in sends)


async def test_whoever_went_on_while_others_stood_aside_is_not_begun_twice() -> None:
    bench = Bench(2, None)
    running = bench.put(bench.lines[0], 4)
    await steps()
    with bench.slots.standing_aside():
        bench.may_end.set()
        await steps()
        assert [send.went for send in running] == [True, True, False, False]
    await until_over(running)


@given(
    count=st.integers(1, 6),
    limits=st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=1, max_size=3),
    puts=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=8),
)
def test_every_send_ends_once_whatever_is_cut(
    count: int, limits: list[int | None], puts: list[tuple[int, int, bool]]
) -> None:
    async def play() -> None:
        bench = Bench(count, *limits)
        bench.may_end.set()
        every: list[Sent] = []
        for which, many, is_cut in puts:
            sends = bench.put(bench.lines[which % len(limits)], many)
            every += sends
            await steps(1)
            if is_cut:
                bench.slots.cut(sends)
        await until_over(every)
        await steps()
        assert all(send.most <= count for send in every)
        assert not any(bench.at_once.values())

    asyncio.run(play())


async def test_slots_are_at_rest_when_nothing_goes_and_nothing_waits() -> None:
    bench = Bench(1, None)
    seen = [bench.slots.is_at_rest]
    sends = bench.put(bench.lines[0], 2)
    seen.append(bench.slots.is_at_rest)
    bench.may_end.set()
    await until_over(sends)
    seen.append(bench.slots.is_at_rest)

    assert seen == [True, False, True]


async def test_slots_that_came_free_lately_pass_for_free_and_not_for_idle() -> None:
    bench = Bench(10, None)
    [line] = bench.lines
    bench.may_end.set()
    await until_over(bench.put(line, 10))
    bench.may_end.clear()
    bench.put(line, 4)

    assert (bench.slots.idle(line), bench.slots.room(line)) == (6, 16)
    assert bench.slots.passing == 16
