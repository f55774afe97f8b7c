"""A time limit ends what is late, as `asyncio.timeout` does, and nothing else."""

import asyncio
from contextlib import suppress

import pytest

from channels._shared.time_limit import TimeLimit


async def sleeping(limit: TimeLimit, seconds: float) -> str:
    try:
        with limit.begin():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "late"
    await asyncio.sleep(0)  # nothing of the limit is left behind
    return "done"


async def test_what_is_late_ends_and_what_is_not_goes_on() -> None:
    limit = TimeLimit(0.2)

    ended = await asyncio.gather(*(sleeping(limit, s) for s in (60, 0, 0.01, 60, 0.05)))

    assert ended == ["late", "done", "done", "late", "done"]


async def test_each_has_its_own_time() -> None:
    limit = TimeLimit(0.3)
    first = asyncio.create_task(sleeping(limit, 60))
    await asyncio.sleep(0.15)
    second = asyncio.create_task(sleeping(limit, 60))

    assert await first == "late"
    assert not second.done()
    assert await second == "late"


async def test_limit_serves_again_after_a_rest() -> None:
    limit = TimeLimit(0.05)

    for _ in range(3):
        assert await sleeping(limit, 60) == "late"
        assert await sleeping(limit, 0) == "done"
        await asyncio.sleep(0.06)


async def test_one_that_is_cancelled_is_not_late() -> None:
    limit = TimeLimit(60)
    task = asyncio.create_task(sleeping(limit, 60))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_that_is_cancelled_while_it_ends_late_stays_cancelled() -> None:
    limit = TimeLimit(0.05)
    lingering = asyncio.Event()

    async def linger() -> None:
        with limit.begin():
            try:
                await asyncio.sleep(60)
            finally:
                lingering.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(linger())
    await lingering.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_error_of_its_own_is_not_hidden_by_being_late() -> None:
    async def fail_late() -> None:
        with TimeLimit(0.05).begin():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_late()


async def test_inner_limit_is_told_from_the_outer_one() -> None:
    inner, outer = TimeLimit(0.05), TimeLimit(60)

    with outer.begin():
        assert await sleeping(inner, 60) == "late"
        assert await sleeping(inner, 0) == "done"


async def test_closing_twice_harms_nothing() -> None:
    limit = TimeLimit(0.05)
    await sleeping(limit, 0)

    limit.close()
    limit.close()

    assert await sleeping(limit, 60) == "late"
